//! `--acknowledge local`: a standby beside the leader has each write, wherever the leader is; another data center does not matter.

use serde_json::Value;

use crate::docker::{commits_ms, docker, sql};
use crate::test_cluster::{
    HEAL_DEADLINE_S, TestCluster, leader_of, leader_site, nodes_of, site_of,
};
use crate::waiting::{claim, tell, until};
use crate::writer::{Writer, assert_has_all};

/// Half of it is far more than a commit takes that no other data center has to acknowledge.
const ROUND_TRIP_MS: f64 = 2000.0;

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn acknowledgements_come_from_the_leaders_own_site_and_follow_it() {
    let flags = ["-d", "2", "--durability", "quorum", "--acknowledge", "local", "--timers", "fast"];
    let cluster = TestCluster::up("acknowledge", &flags);
    claim("the node beside the leader acknowledges, and no other", || {
        acknowledges_beside(&cluster);
    });
    claim("commits do not wait for the other data center, however far it is", || {
        let far = ["--latency", "1s"];
        cluster.pgha(&[&["wan", "set", &cluster.id(), "DC1", "DC2"], &far[..]].concat()).ok();
        let took_ms = commits_ms(&cluster.leader());
        assert!(took_ms.iter().all(|took| *took < ROUND_TRIP_MS / 2.0), "{took_ms:?}");
        cluster.pgha(&["wan", "reset", &cluster.id()]).ok();
    });
    claim("killed, the leader is followed by a node that has every row", || {
        let writer = Writer::start(&cluster);
        writer.wait_for_more(100, 60);
        let leader = cluster.leader();
        let site = site_of(&cluster.status(), &leader);
        docker(&["kill", &leader]);
        let next = cluster.wait_leader_other_than(&[leader], HEAL_DEADLINE_S);
        writer.wait_for_more(20, 120);
        let rows = writer.stop();
        // With quorum commit that may be one elsewhere: the node beside the former leader has told it that it is as far.
        assert_has_all(&next, &rows, 1);
        let moved = site_of(&cluster.status(), &next) != site;
        tell(&format!("  the other data center took over: {moved}"));
        cluster.pgha(&["start", &cluster.id()]).ok();
        cluster.wait_whole();
        acknowledges_beside(&cluster);
    });
    claim("moved to the other site as documented, acknowledgements follow", || {
        let id = cluster.id();
        let (_, leader, far) = leader_site(&cluster.status());
        let site = site_of(&cluster.status(), &far);
        let elsewhere = ["switchover", &id, "--site", &site];
        cluster.pgha(&elsewhere).refused(3, "synchronous_mode=off");
        assert_eq!(cluster.leader(), leader);
        let set = |mode: &str| {
            let set = format!("synchronous_mode={mode}");
            cluster.pgha(&["patronictl", &id, "edit-config", "--force", "-s", &set]).ok();
        };
        set("off");
        until("nobody has to acknowledge", HEAL_DEADLINE_S, || {
            match sql(&leader, "show synchronous_standby_names").as_str() {
                "" => Ok(()),
                names => Err(names.to_owned()),
            }
        });
        cluster.pgha(&elsewhere).ok();
        set("quorum");
        acknowledges_beside(&cluster);
        assert_eq!(site_of(&cluster.status(), &cluster.leader()), site);
    });
    claim("with its site lost nobody is promoted, but by hand", || {
        let id = cluster.id();
        let (site, _, far) = leader_site(&cluster.status());
        let names: Vec<&str> = site.iter().map(String::as_str).collect();
        docker(&[&["kill"], names.as_slice()].concat());
        until("there is no leader, and nobody takes over", HEAL_DEADLINE_S, || {
            let view = cluster.status();
            let problems = view["problems"].as_array().expect("a list");
            let why = problems.iter().find(|problem| problem["code"] == "no_leader");
            let why = why.and_then(|problem| problem["message"].as_str()).unwrap_or_default();
            let nobody = leader_of(&view).is_none() && why.contains("no replica may take it");
            if nobody { Ok(()) } else { Err(why.to_owned()) }
        });
        assert_eq!(sql(&far, "select pg_is_in_recovery()"), "t");
        let promote = ["failover", &id, "--to", &far];
        let planned = cluster.pgha(&[&promote[..], &["--dry-run", "--json"]].concat());
        let plan: Value = serde_json::from_str(planned.ok()).expect("JSON");
        assert!(plan["behind_bytes"].is_u64(), "{plan}");
        assert!(plan["at_stake"].to_string().contains("which quorum promises to keep"), "{plan}");
        cluster.pgha(&promote).refused(2, &format!("--confirm {id}"));
        cluster.pgha(&[&promote[..], &["--confirm", &cluster.name]].concat()).refused(2, &id);
        assert_eq!(leader_of(&cluster.status()), None);
        cluster.pgha(&[&promote[..], &["--confirm", &id]].concat()).ok();
        sql(&far, "insert into commits values (2)");
        cluster.pgha(&["start", &id]).ok();
        assert_eq!(leader_of(&cluster.wait_whole()), Some(far.clone()));
        cluster.pgha(&promote).refused(3, "leads");
    });
}

/// The one synchronous standby is the other node of the leader's site.
fn acknowledges_beside(cluster: &TestCluster) {
    until("the node beside the leader acknowledges, and no other", HEAL_DEADLINE_S, || {
        let view = cluster.status();
        let leader = leader_of(&view).ok_or("there is no leader")?;
        let site = site_of(&view, &leader);
        let beside = nodes_of(&view).find(|n| n["site"] == site.as_str() && n["name"] != *leader);
        let beside = beside.expect("each site has two")["name"].as_str().expect("text").to_owned();
        let names = sql(&leader, "show synchronous_standby_names");
        let fits = names == format!("ANY 1 (\"{beside}\")");
        if fits && view["acknowledging"]["have"] == 1 { Ok(()) } else { Err(names) }
    });
}
