//! `pgha-node patroni`: becomes Patroni, once it is certain that no second database comes of that.
//!
//! Runs as the user postgres under PID 1. A node with data compares them with the cluster's database; one
//! without data that would make a new database first asks every repository whether it holds one
//! ([`pgha_core::identity`]). Until it may start it answers in Patroni's place and says why not. It changes
//! neither data nor etcd.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pgha_core::identity::{Initialized, NotStarted, RepositoryFact, may_start};
use pgha_core::observe::{NOT_STARTED, NOT_STARTED_KEY};
use pgha_core::render::{CONFIG_DIR, data_dir};
use pgha_core::topology::{ETCD_CLIENT_PORT, PATRONI_PORT, Role};
use serde_json::json;

use crate::identity::Identity;
use crate::{Result, http};
use crate::{dcs, repository, set_up};

/// How long a start waits for etcd before it goes on without.
const ETCD_DEADLINE: Duration = Duration::from_secs(10);
/// How often to ask etcd.
const ETCD_POLL: Duration = Duration::from_millis(50);
/// How often to look again whether Patroni may start.
const POLL: Duration = Duration::from_secs(1);
/// How long one who asks may take to do so.
const ASKING_DEADLINE: Duration = Duration::from_secs(1);

/// Starts Patroni in place of this process, as soon as that may be.
pub(crate) fn run() -> Result<ExitCode> {
    let me = Identity::from_environment()?;
    let own = system_id(&me);
    // Asking takes as long as etcd takes to elect.
    let asked = own.is_none().then(|| ask_early(&me));
    wait_for_etcd(&me);
    let (mut asked, mut answering, mut told) = (asked, None, None);
    while let Err(reason) = check(&me, own, &mut asked) {
        if told.as_ref() != Some(&reason) {
            crate::log(&format!("Patroni is not started: {reason}"));
            let answer = answering.get_or_insert_with(|| Answer::start(PATRONI_PORT));
            answer.say(&reason);
            told = Some(reason);
        }
        thread::sleep(POLL);
    }
    let failed = Command::new("patroni").arg(format!("{CONFIG_DIR}/patroni.conf")).exec();
    Err(format!("cannot start patroni: {failed}"))
}

/// The first question to the repositories, which is on its way while something else is waited for.
type Asked = JoinHandle<Vec<RepositoryFact>>;

fn ask_early(me: &Identity) -> Asked {
    let numbers = me.topology.spec.backup.repositories();
    thread::spawn(move || repository::repository_facts(numbers))
}

fn check(me: &Identity, own: Option<u64>, asked: &mut Option<Asked>) -> Result<(), NotStarted> {
    let initialized = match dcs::initialized(me) {
        Some(initialized) => initialized,
        // Patroni starts Postgres as a replica then, or waits.
        None if own.is_some() => return set_up::unfinished(Initialized::No).map_or(Ok(()), Err),
        None => return Err(NotStarted::NoEtcd),
    };
    if let Some(failed) = set_up::unfinished(initialized) {
        return Err(failed);
    }
    if own.is_some() || initialized != Initialized::No {
        return may_start(own, initialized, &[]);
    }
    let answer = asked.take().and_then(|asked| asked.join().ok());
    let facts = answer
        .unwrap_or_else(|| repository::repository_facts(me.topology.spec.backup.repositories()));
    // Another node may have made the database, and the stanza with it, meanwhile.
    may_start(own, dcs::initialized(me).unwrap_or(initialized), &facts)
}

/// System identifier of this node's data; `None` where it has none.
pub(crate) fn system_id(me: &Identity) -> Option<u64> {
    system_id_in(Path::new(&data_dir(me.topology.spec.postgres)))
}

/// `pg_control` begins with it.
fn system_id_in(data: &Path) -> Option<u64> {
    let mut id = [0; 8];
    File::open(data.join("global/pg_control")).ok()?.read_exact(&mut id).ok()?;
    Some(u64::from_ne_bytes(id))
}

/// Waits, not for ever, until etcd has elected a leader.
///
/// A Patroni that asks earlier waits 5 s before it asks again, and four starting ones take the time
/// that etcd needs.
pub(crate) fn wait_for_etcd(me: &Identity) {
    let deadline = Instant::now() + ETCD_DEADLINE;
    let decided = || {
        me.topology.of_role(Role::Etcd).any(|member| {
            let version = http::get(member.address, ETCD_CLIENT_PORT, "version");
            version.is_some_and(|answer| !answer.contains("not_decided"))
        })
    };
    while !decided() && Instant::now() < deadline {
        thread::sleep(ETCD_POLL);
    }
}

/// What answers on Patroni's port until Patroni does, so that `status` can say why it does not.
#[derive(Debug)]
struct Answer {
    body: Arc<Mutex<String>>,
}

impl Answer {
    fn start(port: u16) -> Self {
        let body = Arc::new(Mutex::new(String::new()));
        // Without an answer the log says the same.
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) {
            let body = Arc::clone(&body);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let body = body.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    answer(stream, &body);
                }
            });
        }
        Self { body }
    }

    fn say(&self, reason: &NotStarted) {
        let body =
            json!({ "state": NOT_STARTED, "role": "uninitialized", NOT_STARTED_KEY: reason });
        *self.body.lock().unwrap_or_else(PoisonError::into_inner) = body.to_string();
    }
}

/// Answers any question, with the status of a Patroni that is not there for anything.
fn answer(mut stream: TcpStream, body: &str) {
    let _ = stream.set_read_timeout(Some(ASKING_DEADLINE));
    let _ = stream.set_write_timeout(Some(ASKING_DEADLINE));
    let _ = stream.read(&mut [0; 4096]);
    let head = "HTTP/1.0 503 Service Unavailable\r\nContent-Type: application/json";
    let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgha_core::observe;

    #[test]
    fn the_identifier_is_read_from_the_control_file() {
        let data = std::env::temp_dir().join(format!("pgha-start-{}", std::process::id()));
        std::fs::create_dir_all(data.join("global")).expect("a folder");
        assert_eq!(system_id_in(&data), None);
        let control = data.join("global/pg_control");
        std::fs::write(&control, [1, 2, 3]).expect("a file");
        assert_eq!(system_id_in(&data), None, "cut off");
        let id = 7_711_765_257_798_610_996_u64;
        std::fs::write(&control, [&id.to_ne_bytes()[..], &[9; 100]].concat()).expect("a file");
        assert_eq!(system_id_in(&data), Some(id));
        std::fs::remove_dir_all(&data).expect("removed");
    }

    #[test]
    fn the_answer_in_patronis_place_says_why() {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
        let reason = NotStarted::OtherDatabase { own: 8, cluster: 7 };
        Answer::start(free.port()).say(&reason);
        let url = http::url(Ipv4Addr::LOCALHOST, free.port(), "patroni");
        let mut answer = http::patient().get(url).call().expect("an answer");
        assert_eq!(answer.status(), 503);
        let body = answer.body_mut().read_to_vec().expect("a body");
        assert_eq!(observe::patroni(&body).expect("read").not_started, Some(reason));
    }
}
