//! PID 1 of an etcd member.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use pgha_core::render::{self, CONFIG_DIR, ETCD_MOUNT};
use pgha_core::topology::{ETCD_PEER_PORT, Member, Role, Topology};

use crate::files::{self, ETCD};
use crate::identity::Identity;
use crate::supervise::{Process, Supervisor};
use crate::{Result, http, network};

/// What etcd makes in its data directory when it starts for the first time.
const STORE: &str = "/pgha/etcd/data/member";
/// How long a first start waits for its turn before it goes on without.
const TURN_DEADLINE: Duration = Duration::from_secs(4);
/// How long a peer may take to accept, refuse or answer.
const PEER_DEADLINE: Duration = Duration::from_millis(250);
/// How often to ask.
const TURN_POLL: Duration = Duration::from_millis(30);

/// Runs etcd until it ends.
pub(crate) fn run(me: &Identity) -> Result<ExitCode> {
    let member = me.member()?;
    network::join_site(member, me.topology.site(member.site))?;
    network::give_up_network_rights()?;
    files::private_dir(ETCD_MOUNT, ETCD)?;
    files::private_dir(CONFIG_DIR, ETCD)?;
    let config = format!("{CONFIG_DIR}/etcd.yaml");
    files::write(&config, &render::etcd(&me.topology, member), ETCD)?;
    if !Path::new(STORE).exists() {
        wait_for_turn(&me.topology, member);
    }
    let main = Process::new(ETCD, ETCD_MOUNT, &["etcd", "--config-file", &config]);
    Supervisor { main: Some(main), ..Supervisor::default() }.run()
}

/// Lets one member start before the others when a cluster is new.
///
/// A new member asks its peers, one after the other and 1 s each, whether they have a cluster
/// already. Members that start at the same moment all listen and do not answer yet, so each waits
/// for each. The one that is asked first therefore starts alone, while its peers refuse at once, and
/// answers those that start after it.
fn wait_for_turn(topology: &Topology, me: &Member) {
    // etcd asks in the order of the peers' URLs.
    let url = |member: &&Member| http::url(member.address, ETCD_PEER_PORT, "");
    let first = topology.of_role(Role::Etcd).min_by_key(url);
    let my_turn = || match first {
        Some(first) if first != me => is_serving(first),
        _ => topology.of_role(Role::Etcd).filter(|m| *m != me).all(is_there),
    };
    let deadline = Instant::now() + TURN_DEADLINE;
    while !my_turn() && Instant::now() < deadline {
        thread::sleep(TURN_POLL);
    }
}

/// Whether the member's container is up: its kernel accepts or refuses a connection.
fn is_there(member: &Member) -> bool {
    let address = (member.address, ETCD_PEER_PORT).into();
    match TcpStream::connect_timeout(&address, PEER_DEADLINE) {
        Ok(_) => true,
        Err(e) => e.kind() == ErrorKind::ConnectionRefused,
    }
}

/// Whether the member's etcd tells its peers who is in the cluster.
fn is_serving(member: &Member) -> bool {
    let client = http::client(PEER_DEADLINE, PEER_DEADLINE);
    client.get(http::url(member.address, ETCD_PEER_PORT, "members")).call().is_ok()
}
