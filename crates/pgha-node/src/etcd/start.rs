//! `pgha-node etcd-start`: what comes before the first start of an etcd member with an empty store.
//!
//! It finds out how the others are, lets one member of a new cluster start before the others, and takes a
//! member that has lost its store back into the cluster that there is. What it finds means what
//! [`pgha_core::etcd_start`] says. It ends once etcd may be started with the configuration in its place.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use pgha_core::etcd_start::{self, Listed, Myself, Peer, Start, Step};
use pgha_core::links::asked::largest_round_trip;
use pgha_core::render;
use pgha_core::topology::{
    ETCD_CLIENT_PORT, ETCD_PEER_PORT, ETCD_START_PORT, Member, Role, Topology,
};
use serde_json::json;

use super::repair;
use crate::files::{self, ETCD};
use crate::identity::Identity;
use crate::{Result, http};

/// What etcd makes in its data directory when it starts for the first time.
const STORE: &str = "/pgha/etcd/data/member";
/// How long members of a new cluster are waited for before it goes on without those that are absent.
const TOGETHER_DEADLINE: Duration = Duration::from_secs(4);
/// How long a peer inside its site may take to accept, refuse or answer.
const PEER_DEADLINE: Duration = Duration::from_millis(250);
/// The same for one that is not there at once: the way to it may have become longer than it was made.
const PATIENT_DEADLINE: Duration = Duration::from_secs(3);
/// How often to ask at first, while others of a new cluster start.
const POLL: Duration = Duration::from_millis(30);
/// How often to ask later on.
const PATIENT_POLL: Duration = Duration::from_secs(1);
/// How long etcd may take for what needs its quorum; it gives up itself after some 7 s.
const QUORUM_DEADLINE: Duration = Duration::from_secs(10);

/// Whether etcd has never run here, or its volume is not the one it had.
pub(super) fn store_is_empty() -> bool {
    !Path::new(STORE).exists()
}

/// Waits until etcd may be started.
pub(crate) fn start() -> Result<ExitCode> {
    let me = Identity::from_environment()?;
    let member = me.member()?;
    say_empty(member)?;
    if wait(&me.topology, member) == Start::Join {
        join(&me.topology, member)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Tells whoever connects that this member is there and has no store, for as long as this process runs.
fn say_empty(me: &Member) -> Result<()> {
    let listener = TcpListener::bind((me.address, ETCD_START_PORT))
        .map_err(|e| format!("cannot listen on port {ETCD_START_PORT}: {e}"))?;
    thread::spawn(move || listener.incoming().for_each(drop));
    Ok(())
}

/// Waits until it is clear how this member starts.
fn wait(topology: &Topology, me: &Member) -> Start {
    let url = peer_url(me);
    let others: Vec<&Member> = topology.of_role(Role::Etcd).filter(|m| *m != me).collect();
    // etcd asks in the order of the peers' URLs: a new member asks its peers, one after the other and
    // 1 s each, whether they have a cluster already. Members that start at the same moment all listen and do
    // not answer yet, so each waits for each. The one that is asked first therefore starts alone, while
    // its peers refuse at once, and answers those that start after it.
    let founds = |member: &Member| member.added == 1;
    let first = others.iter().filter(|other| founds(other)).all(|other| url < peer_url(other));
    // One that rejoins after a repair never founds, and has no vote before it is given one.
    let founder = founds(me) && !repair::joins_as_learner();
    let myself = Myself { url: &url, founder, first };
    let near = PEER_DEADLINE.saturating_add(largest_round_trip(&topology.spec).saturating_mul(2));
    let began = Instant::now();
    let mut told = false;
    loop {
        let patient = began.elapsed() >= TOGETHER_DEADLINE;
        let deadline = if patient { near.max(PATIENT_DEADLINE) } else { near };
        let found = ask_all(&others, deadline);
        match etcd_start::start(myself, patient, &found) {
            Start::Wait => {}
            decided => return decided,
        }
        if patient && !told {
            crate::log(
                "the store is empty: waiting for the other etcd members to say whether there is a cluster",
            );
            told = true;
        }
        thread::sleep(if patient { PATIENT_POLL } else { POLL });
    }
}

fn ask_all(others: &[&Member], deadline: Duration) -> Vec<Peer> {
    thread::scope(|scope| {
        let asked: Vec<_> =
            others.iter().map(|other| scope.spawn(move || ask(other, deadline))).collect();
        asked.into_iter().map(|answer| answer.join().unwrap_or(Peer::Absent)).collect()
    })
}

fn ask(other: &Member, deadline: Duration) -> Peer {
    match TcpStream::connect_timeout(&(other.address, ETCD_START_PORT).into(), deadline) {
        Ok(_) => return Peer::Empty,
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => {}
        Err(_) => return Peer::Absent,
    }
    let asked = http::client(deadline, deadline)
        .get(http::url(other.address, ETCD_PEER_PORT, "members"))
        .call();
    let body = asked.and_then(|mut answer| answer.body_mut().read_to_vec());
    body.ok().and_then(|body| etcd_start::members(&body).ok()).map_or(Peer::Silent, Peer::Serving)
}

/// Leaves the cluster as the member that this one was and enters it as a new one. etcd itself sees to it
/// that there is a quorum, and that one member comes back after the other: it adds none before all that it
/// lists are there.
fn join(topology: &Topology, me: &Member) -> Result<()> {
    let url = peer_url(me);
    crate::log("the store is empty and the others have a cluster: joining it as a new member");
    let mut told = String::new();
    // A member that was added later gets its vote from whoever adds it, once it has what the others have.
    let mut votes = me.added == 1 && !repair::joins_as_learner();
    loop {
        match try_join(topology, me, &url, &mut votes) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(reason) => {
                if told != reason {
                    crate::log(&format!("not joined yet: {reason}"));
                    told = reason;
                }
                thread::sleep(PATIENT_POLL);
            }
        }
    }
}

/// One step; whether it was the last.
fn try_join(topology: &Topology, me: &Member, url: &str, votes: &mut bool) -> Result<bool> {
    let (through, members) = list_with_quorum(topology, me)?;
    match etcd_start::next_step(url, &members) {
        Step::Remove { id, voted } => {
            *votes |= voted;
            call(through, "remove", &json!({ "ID": id.to_string() }))?;
            crate::log(&format!("removed member {id:x}, which had the store that is gone"));
            Ok(false)
        }
        Step::Add => {
            call(through, "add", &json!({ "peerURLs": [url], "isLearner": !*votes }))?;
            Ok(false)
        }
        Step::Start => {
            let name_of = |listed: &Listed| {
                let known = topology.of_role(Role::Etcd).find(|m| peer_url(m) == listed.peer_url);
                known.map_or_else(|| listed.name.clone(), |m| m.name.clone())
            };
            let members: Vec<_> =
                members.iter().map(|m| (name_of(m), m.peer_url.clone())).collect();
            let config = render::etcd(topology, me, Some(&members));
            files::write(&super::config(), &config, ETCD)?;
            Ok(true)
        }
    }
}

/// What a quorum lists, and the member that told.
fn list_with_quorum<'a>(topology: &'a Topology, me: &Member) -> Result<(&'a Member, Vec<Listed>)> {
    let mut failed = "no other etcd member is there".to_owned();
    for other in topology.of_role(Role::Etcd).filter(|m| *m != me) {
        match call(other, "list", &json!({ "linearizable": true })) {
            Ok(members) => return Ok((other, members)),
            Err(reason) => failed = reason,
        }
    }
    Err(format!("no quorum of the others answers ({failed})"))
}

/// Calls etcd's gateway in a member; every answer about members lists them.
pub(super) fn call(
    member: &Member,
    what: &str,
    request: &serde_json::Value,
) -> Result<Vec<Listed>> {
    let path = format!("v3/cluster/member/{what}");
    let failed = |reason: String| format!("{}: {what}: {reason}", member.name);
    let mut answer = http::client(PATIENT_DEADLINE, QUORUM_DEADLINE)
        .post(http::url(member.address, ETCD_CLIENT_PORT, &path))
        .content_type("application/json")
        .send(request.to_string())
        .map_err(|e| failed(e.to_string()))?;
    let body = answer.body_mut().read_to_vec().map_err(|e| failed(e.to_string()))?;
    etcd_start::members(&body).map_err(failed)
}

/// Where its peers reach a member, as etcd writes it.
pub(super) fn peer_url(member: &Member) -> String {
    format!("http://{}:{ETCD_PEER_PORT}", member.address)
}
