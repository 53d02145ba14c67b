//! PID 1 of a Postgres node, and the helpers that Patroni and PID 1 call there.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use pgha_core::agent::AGENT;
use pgha_core::dynamic::Dynamic;
use pgha_core::render::{
    self, CONFIG_DIR, NodeSecrets, PGDATA_MOUNT, SPOOL_DIR, SSH_PORT, data_dir,
};
use pgha_core::restore::{Holdings, is_on_volume};
use pgha_core::spec::BackupTransport;
use pgha_core::topology::{Member, PGBACKREST_PORT, POSTGRES_PORT, Role, Topology};

use crate::archive_get;
use crate::archiving;
use crate::backup::{self, End};
use crate::files::POSTGRES_HOME;
use crate::files::{self, POSTGRES};
use crate::identity::Identity;
use crate::patroni::Leading;
use crate::repository;
use crate::restore::files::{Folders, clear, demand_settings, is_empty, make_places};
use crate::restore::{hold, restoreme};
use crate::supervise::{Process, Supervisor, WhenItEnds};
use crate::{Result, dcs, disk, maintenance, network, patroni, set_up};

/// Folder of Postgres's socket.
const SOCKET_DIR: &str = "/run/postgresql";
/// How long the repository host may take to accept a connection.
const REPOSITORY_DEADLINE: Duration = Duration::from_secs(1);
/// How often to look how far a start has come.
const SETTLE_POLL: Duration = Duration::from_millis(300);
/// Shortest time between two wake-ups: a round costs Patroni some 50 ms of work.
const WAKE_UP_PAUSE: Duration = Duration::from_millis(800);
/// How long Patroni is woken up for what does not come.
const SETTLE_DEADLINE: Duration = Duration::from_secs(60);
/// Where the password of Patroni's REST API lies for the helpers.
pub(crate) const API_PASSWORD: &str = "/pgha/config/patroni-api.password";

/// Runs Patroni until it ends.
pub(crate) fn run(me: &Identity) -> Result<ExitCode> {
    let member = me.member()?;
    network::join_site(member, me.topology.site(member.site))?;
    network::give_up_network_rights()?;

    let data = data_dir(me.topology.spec.postgres);
    for dir in [PGDATA_MOUNT, &data, SPOOL_DIR, CONFIG_DIR, SOCKET_DIR] {
        files::private_dir(dir, POSTGRES)?;
    }
    // The number in such a file may now be another process's, which Postgres would take for itself
    // still running.
    files::remove_stale(&Path::new(&data).join("postmaster.pid"))?;
    files::remove_stale(&Path::new(SOCKET_DIR).join(".s.PGSQL.5432.lock"))?;
    archiving::go_on()?;
    disk::prepare_postgres(me.topology.spec.postgres)?;

    files::install_secret("patroni", API_PASSWORD, POSTGRES)?;
    set_up::install(me)?;
    write_patroni(me)?;
    write_pgbackrest(me)?;
    let server = backup::prepare_transport(me, member, End::Node)?;
    if let Some(restore) = hold::held_by() {
        return hold::supervisor(&restore, server)?.run();
    }
    archive_get::is_no_copy_any_more();
    restoreme::install()?;
    if let Some(asked_to_stop) = restoreme::run_where_asked()? {
        return Ok(asked_to_stop);
    }
    hold::not_held()?;
    let settle = Process::new(POSTGRES, POSTGRES_HOME, &[AGENT, "settle"]);
    Supervisor {
        main: Some(Process::new(POSTGRES, POSTGRES_HOME, &[AGENT, "patroni"])),
        outlive_main: me.topology.spec.background,
        outlive_where: Some(maintenance::is_on),
        others: vec![(server, WhenItEnds::Restart), (settle, WhenItEnds::Forget)],
        ..Supervisor::default()
    }
    .run()
}

/// Writes Patroni's configuration; the file, where it was not so already.
pub(crate) fn write_patroni(me: &Identity) -> Result<Vec<String>> {
    let secrets = NodeSecrets {
        postgres: files::secret("postgres")?,
        replicator: files::secret("replicator")?,
        rewinder: files::secret("rewinder")?,
        patroni: files::secret("patroni")?,
    };
    let disk = files::disk(PGDATA_MOUNT)?;
    let text = render::patroni(&me.topology, me.member()?, &secrets, disk.size_bytes);
    let acknowledge = render::acknowledge(&me.topology, me.member()?);
    files::write_changed(
        [
            (format!("{CONFIG_DIR}/acknowledge.json"), acknowledge),
            (format!("{CONFIG_DIR}/patroni.conf"), text),
        ],
        POSTGRES,
    )
}

/// The same with pgBackRest's.
pub(crate) fn write_pgbackrest(me: &Identity) -> Result<Vec<String>> {
    let text = render::pgbackrest_node(&me.topology, me.member()?);
    files::write_changed([(format!("{CONFIG_DIR}/pgbackrest.conf"), text)], POSTGRES)
}

/// What is to be done once after every start: Patroni's first rounds without the pauses between
/// them, and everything on the disk.
///
/// `initdb` and `pg_basebackup` are told not to wait for the disk, so that a new cluster is there
/// sooner; what they wrote is written through here, and from then on it survives a power cut.
pub(crate) fn settle() -> Result<ExitCode> {
    let me = Identity::from_environment()?;
    let member = me.member()?;
    let password = files::read_secret_copy(API_PASSWORD)?;
    let mut written = false;
    let mut woken: Option<Instant> = None;
    let started = Instant::now();
    loop {
        let runs = patroni::says_yes(member, "health");
        if runs && !written {
            let data = data_dir(me.topology.spec.postgres);
            let folder = File::open(&data).map_err(|e| format!("cannot open {data}: {e}"))?;
            rustix::fs::syncfs(&folder)
                .map_err(|e| format!("cannot write {data} to the disk: {e}"))?;
            written = true;
        }
        let settled = match patroni::followers(member) {
            Some(followers) => {
                let settings = patroni::settings(member);
                let settings = settings.unwrap_or_else(|| Dynamic::of(&me.topology.spec));
                leader_has_settled(&me.topology, settings, member, &followers)
                    && dcs::votes_are_counted(
                        &me,
                        settings.acknowledging_standbys(&me.topology, Some(member.site)),
                    )
            }
            None => patroni::is_known_to_stream(member),
        };
        if runs && !settled && woken.is_none_or(|at| at.elapsed() > WAKE_UP_PAUSE) {
            // Whether it worked shows in the next round.
            let _ = patroni::wake_up(member, &password);
            woken = Some(Instant::now());
        }
        if settled {
            archive_get::is_no_copy_any_more();
        }
        if written && (settled || started.elapsed() > SETTLE_DEADLINE) {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(SETTLE_POLL);
    }
}

/// Whether a leader has done what it does in rounds `loop_wait` apart: make the slots that new members wait for, and have
/// as many of them acknowledge each write as the settings ask for.
fn leader_has_settled(
    topology: &Topology,
    settings: Dynamic,
    leader: &Member,
    followers: &BTreeMap<String, bool>,
) -> bool {
    let nodes = || topology.of_role(Role::Postgres);
    let counting = followers.values().filter(|counts| **counts).count();
    let wanted = settings.acknowledging_standbys(topology, Some(leader.site));
    nodes().all(|m| m.name == leader.name || followers.contains_key(&m.name))
        && counting >= wanted as usize
}

/// Patroni's way to create a replica from the repository. Fails at once, so that Patroni goes on
/// to `pg_basebackup`, where the repository cannot be reached or has no backup yet.
pub(crate) fn replica_from_backup() -> Result<ExitCode> {
    let made = from_backup(&Identity::from_environment()?);
    if matches!(&made, Ok(code) if *code == ExitCode::SUCCESS) {
        archive_get::is_no_copy_any_more();
    } else {
        archive_get::is_about_to_be_copied()?;
    }
    made
}

fn from_backup(me: &Identity) -> Result<ExitCode> {
    let port = match me.topology.spec.backup_transport {
        BackupTransport::Tls => PGBACKREST_PORT,
        BackupTransport::Ssh => SSH_PORT,
    };
    let host = me.topology.backup_host();
    TcpStream::connect_timeout(&(host.address, port).into(), REPOSITORY_DEADLINE)
        .map_err(|e| format!("{} cannot be reached: {e}", host.name))?;

    let leader = me.topology.of_role(Role::Postgres).find_map(patroni::leads);
    let mut found = Err(String::new());
    for number in me.topology.spec.backup.repositories() {
        found = repository::holdings(number)
            .and_then(|holdings| usable_backup(&holdings, leader))
            .map(|backup| (number, backup));
        match &found {
            Ok(_) => break,
            Err(reason) => crate::log(&format!("repository {number}: {reason}")),
        }
    }
    let folders = Folders::of(me);
    let mut tablespaces = leaders_tablespaces(me);
    let Ok((number, backup)) = found else {
        // `pg_basebackup` is next, which wants every tablespace empty.
        if is_empty(&folders.data) || !folders.data.exists() {
            clear(&folders, &tablespaces)?;
        }
        return found.map(|_| ExitCode::FAILURE);
    };
    tablespaces.extend(repository::tablespaces(&number.to_string(), &backup)?);
    // What a failed attempt left would be taken for files to keep.
    clear(&folders, &tablespaces)?;
    let done = repository::pgbackrest()
        .args([format!("--repo={number}"), format!("--set={backup}")])
        .arg("restore")
        .status()
        .map_err(|e| format!("cannot run pgbackrest: {e}"))?;
    if !done.success() {
        clear(&folders, &tablespaces)?;
        return Ok(ExitCode::FAILURE);
    }
    // Those that were made after the backup are in the WAL, and their folders are not.
    let data = data_dir(me.topology.spec.postgres);
    let own = tablespaces.iter().filter(|path| is_on_volume(path, &data)).cloned();
    make_places(me, &own.collect::<Vec<_>>())?;
    demand_settings(&folders.data)?;
    Ok(ExitCode::SUCCESS)
}

/// Where the leader has tablespaces; none where it does not say. Patroni has written the password for this
/// helper.
fn leaders_tablespaces(me: &Identity) -> Vec<String> {
    let mut nodes = me.topology.of_role(Role::Postgres);
    let Some(leader) = nodes.find(|node| patroni::leads(node).is_some()) else {
        return Vec::new();
    };
    let (host, port) = (leader.address, POSTGRES_PORT);
    let url = format!(
        "host={host} port={port} user=replicator dbname=postgres connect_timeout=3 sslmode=prefer"
    );
    let sql = "select pg_tablespace_location(oid) from pg_tablespace \
        where pg_tablespace_location(oid) <> ''";
    match Command::new("psql").args(["-XAtqw", "-d", &url, "-c", sql]).output() {
        Ok(said) if said.status.success() => {
            String::from_utf8_lossy(&said.stdout).lines().map(str::to_owned).collect()
        }
        Ok(said) => {
            crate::log(&format!(
                "{} does not say where it has tablespaces: {}",
                leader.name,
                String::from_utf8_lossy(&said.stderr).trim()
            ));
            Vec::new()
        }
        Err(e) => {
            crate::log(&format!("cannot run psql: {e}"));
            Vec::new()
        }
    }
}

/// The newest backup from which a replica can follow the leader: one of its database, and on its timeline.
/// After a restore to an earlier point there are newer ones, of a part of history that the leader does not
/// have.
fn usable_backup(repository: &Holdings, leader: Option<Leading>) -> Result<String> {
    if let Some(reason) = &repository.unreadable {
        return Err(reason.clone());
    }
    if repository.backups.is_empty() {
        return Err("there is no backup yet".to_owned());
    }
    let database = leader.and_then(|leader| leader.system_id);
    if let (Some(held), Some(led)) = (repository.system_id, database) {
        if held != led {
            return Err(format!("it holds the database {held}, the leader has {led}"));
        }
    }
    let timeline = leader.map(|leader| leader.timeline);
    let timeline = timeline.or_else(|| repository.newest_timeline()).unwrap_or(1);
    let lineage = repository.lineage(timeline).map_err(|e| e.to_string())?;
    let backup = repository.newest_on(&lineage);
    let backup = backup.ok_or(format!("no backup is on the history of timeline {timeline}"))?;
    Ok(backup.label.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgha_core::spec::{Durability, Spec};

    fn repository(history: &str) -> Holdings {
        let report = format!(
            r#"{{"repository": 1, "info": [{{"name": "pgha_db", "status": {{"code": 0, "message": "ok"}},
            "db": [{{"id": 1, "repo-key": 1, "system-id": 1, "version": "17"}}],
            "backup": [{{"database": {{"id": 1, "repo-key": 1}}, "type": "full",
            "label": "20260101-000000F", "lsn": {{"start": "0/4000028", "stop": "0/4000100"}},
            "timestamp": {{"start": 1, "stop": 1}},
            "info": {{"size": 1, "delta": 1, "repository": {{"delta": 1}}}},
            "archive": {{"start": "000000010000000000000004", "stop": "000000010000000000000004"}}}}]}}],
            "histories": {{"2": "{history}"}}}}"#
        );
        Holdings::parse(report.as_bytes()).expect("a report")
    }

    #[test]
    fn a_leader_has_settled_by_the_settings_that_run() {
        let spec = Spec { data_centers: 2, durability: Durability::Quorum, ..Spec::default() };
        let topology = Topology::new(spec, 1);
        let nodes: Vec<&Member> = topology.of_role(Role::Postgres).collect();
        let counts = |counting: usize| -> BTreeMap<String, bool> {
            let others = nodes[1..].iter().enumerate();
            others.map(|(n, m)| (m.name.clone(), n < counting)).collect()
        };
        let settled = |config: &str, counting| {
            let settings = Dynamic::parse(config).expect("a configuration");
            leader_has_settled(&topology, settings, nodes[0], &counts(counting))
        };
        let of_file = Dynamic::of(&topology.spec);
        assert!(!leader_has_settled(&topology, of_file, nodes[0], &counts(1)));
        assert!(leader_has_settled(&topology, of_file, nodes[0], &counts(2)));
        assert!(settled(r#"{"synchronous_mode": "quorum", "synchronous_node_count": 1}"#, 1));
        assert!(settled(r#"{"synchronous_mode": false, "synchronous_node_count": 2}"#, 0));
        assert!(settled(r#"{"synchronous_mode": true, "synchronous_node_count": 9}"#, 3));
        assert!(!leader_has_settled(&topology, of_file, nodes[0], &BTreeMap::new()));
    }

    #[test]
    fn a_replica_is_made_only_from_a_backup_that_the_leader_has_in_its_history() {
        let (after, before) = (repository("1\\t0/4000100\\t"), repository("1\\t0/4000000\\t"));
        let on = |timeline| Some(Leading { timeline, system_id: Some(1) });
        assert_eq!(usable_backup(&after, on(2)).as_deref(), Ok("20260101-000000F"));
        assert_eq!(usable_backup(&before, on(1)).as_deref(), Ok("20260101-000000F"));
        let other = Some(Leading { timeline: 1, system_id: Some(2) });
        for (repository, leader) in
            [(&before, on(2)), (&before, None), (&after, on(3)), (&before, other)]
        {
            assert!(usable_backup(repository, leader).is_err());
        }
        let none = usable_backup(&Holdings::default(), on(1)).expect_err("nothing");
        assert_eq!(none, "there is no backup yet");
    }
}
