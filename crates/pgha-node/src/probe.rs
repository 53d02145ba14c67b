//! Asks every member of its own site and prints one JSON document, on one line; a watch does so again and
//! again, for as long as was asked or until its standard input ends, as it does with the one who asked.
//!
//! All members are asked at once, each with its own deadline, so the answer comes within the
//! longest of them however many are dead. It asks over cluster addresses, never across the router,
//! and changes nothing. What the answers look like is [`pgha_core::observe`]'s business.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use pgha_core::observe::{
    self, Dcs, Deadlines, EtcdObservation, EtcdStatus, NodeObservation, Patroni, ProxyObservation,
    SiteObservation,
};
use pgha_core::proxy::{self, Behind, ProxyPort};
use pgha_core::render::{ETCD_MOUNT, PGDATA_MOUNT, REPOSITORY_DIR};
use pgha_core::topology::{ETCD_CLIENT_PORT, Member, PATRONI_PORT, Role, Topology};

use crate::etcd;
use crate::files;
use crate::http;
use crate::identity::Identity;
use crate::restore::journal;
use crate::stanza;

/// What an answer may have before the rest is not read.
const ANSWER_MAX_BYTES: u64 = 4 << 20;
/// How much longer than the last deadline the whole probe may take before it prints what it has.
const SLACK: Duration = Duration::from_millis(100);
/// Enough for one HTTP request; the default of 2 MiB for each member would be for nothing.
const STACK_BYTES: usize = 256 << 10;

/// Pause between two reports of a watch.
const WATCH_PAUSE: Duration = Duration::from_millis(400);

/// Probes the site and prints the report, once or for as long as a watch is asked for.
pub(crate) fn run(me: &Identity, watch: Duration) -> crate::Result<()> {
    let end = Instant::now() + watch;
    let (nobody_reads, input_ended) = mpsc::channel::<()>();
    if !watch.is_zero() {
        thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            drop(nobody_reads);
        });
    }
    loop {
        report(me)?;
        let over = Instant::now() + WATCH_PAUSE >= end;
        if over || input_ended.recv_timeout(WATCH_PAUSE) != Err(RecvTimeoutError::Timeout) {
            return Ok(());
        }
    }
}

fn report(me: &Identity) -> crate::Result<()> {
    let report = observe_site(&me.topology, me.member()?);
    let mut line = serde_json::to_vec(&report).map_err(|e| format!("cannot write JSON: {e}"))?;
    line.push(b'\n');
    std::io::stdout().write_all(&line).map_err(|e| format!("cannot print the report: {e}"))
}

/// One answer, or why there is none.
enum Answer {
    Patroni(Result<Patroni, String>),
    Status(Result<EtcdStatus, String>),
    Dcs(Result<Dcs, String>, Duration),
    Behind(Result<Behind, String>),
}

/// Everything that was answered by one member so far.
#[derive(Default)]
struct Answers {
    patroni: Option<Result<Patroni, String>>,
    status: Option<Result<EtcdStatus, String>>,
    dcs: Option<(Result<Dcs, String>, Duration)>,
    behind: Option<Result<Behind, String>>,
}

fn observe_site(topology: &Topology, me: &Member) -> SiteObservation {
    let deadlines = Deadlines::of(&topology.spec);
    // Before etcd is asked: what a repository holds then was there before what etcd says.
    let repositories = if me.role == Role::Backup { stanza::facts() } else { Vec::new() };
    let site: Vec<&Member> = topology.members.iter().filter(|m| m.site == me.site).collect();
    let last = Instant::now() + deadlines.quorum.max(deadlines.local) + SLACK;
    let mut answers = ask_all(&site, deadlines, last);
    let mut of = |member: &Member| answers.remove(&member.name).unwrap_or_default();
    let late = || "no answer in time".to_owned();

    let mut report = SiteObservation {
        site: topology.site(me.site).name.clone(),
        by: me.name.clone(),
        postgres: Vec::new(),
        etcd: Vec::new(),
        proxies: Vec::new(),
        stanza: (me.role == Role::Backup).then(stanza_exists),
        backups: (me.role == Role::Backup).then(complete_backups),
        repositories,
        restoring: me.role == Role::Backup && journal::path().exists(),
        restore: (me.role == Role::Backup).then(|| journal::unfinished(topology)).flatten(),
        repair: (me.role == Role::Backup).then(|| etcd::unfinished_repair(topology)).flatten(),
        disk: mount(me.role).and_then(|mount| files::disk(mount).ok()),
    };
    for member in site {
        let name = member.name.clone();
        match member.role {
            Role::Postgres => report.postgres.push(NodeObservation {
                name,
                patroni: of(member).patroni.unwrap_or_else(|| Err(late())),
            }),
            Role::Etcd => {
                let Answers { status, dcs, .. } = of(member);
                let (dcs, took) = dcs.unwrap_or_else(|| (Err(late()), deadlines.quorum));
                report.etcd.push(EtcdObservation {
                    name,
                    status: status.unwrap_or_else(|| Err(late())),
                    dcs,
                    took_ms: (took.as_secs_f64() * 1e5).round() / 100.0,
                });
            }
            Role::Proxy => report.proxies.push(ProxyObservation {
                name,
                behind: of(member).behind.unwrap_or_else(|| Err(late())),
            }),
            Role::Backup | Role::Wan => {}
        }
    }
    report
}

/// Where the volume of a member is, where it has one.
fn mount(role: Role) -> Option<&'static str> {
    match role {
        Role::Postgres => Some(PGDATA_MOUNT),
        Role::Etcd => Some(ETCD_MOUNT),
        Role::Backup => Some(REPOSITORY_DIR),
        Role::Proxy | Role::Wan => None,
    }
}

/// Asks each member everything at once and gathers what is answered until `last`.
fn ask_all(site: &[&Member], deadlines: Deadlines, last: Instant) -> BTreeMap<String, Answers> {
    let (send, receive) = mpsc::channel();
    let ask = |name: &str, question: Box<dyn FnOnce() -> Answer + Send>| {
        let (send, name) = (send.clone(), name.to_owned());
        // A thread that cannot be started leaves its question without an answer, like a dead member.
        let _ = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            let _ = send.send((name, question()));
        });
    };
    for member in site {
        let address = member.address;
        match member.role {
            Role::Postgres => ask(
                &member.name,
                Box::new(move || {
                    let url = url(address, PATRONI_PORT, "/patroni");
                    let answer = request(&url, None, deadlines.connect, deadlines.local);
                    Answer::Patroni(answer.and_then(|body| observe::patroni(&body)))
                }),
            ),
            Role::Etcd => {
                ask(
                    &member.name,
                    Box::new(move || {
                        let url = url(address, ETCD_CLIENT_PORT, "/v3/maintenance/status");
                        let answer = request(&url, Some("{}"), deadlines.connect, deadlines.local);
                        Answer::Status(answer.and_then(|body| observe::etcd_status(&body)))
                    }),
                );
                ask(
                    &member.name,
                    Box::new(move || {
                        let url = url(address, ETCD_CLIENT_PORT, "/v3/kv/range");
                        let asked = Instant::now();
                        let question = observe::dcs_request(true);
                        let answer =
                            request(&url, Some(&question), deadlines.connect, deadlines.quorum);
                        let took = asked.elapsed();
                        Answer::Dcs(answer.and_then(|body| observe::dcs(&body)), took)
                    }),
                );
            }
            Role::Proxy => ask(
                &member.name,
                Box::new(move || {
                    let url = url(address, ProxyPort::Statistics.number(), "/;csv");
                    let answer = request(&url, None, deadlines.connect, deadlines.local);
                    let behind =
                        answer.and_then(|csv| proxy::behind(&String::from_utf8_lossy(&csv)));
                    Answer::Behind(behind)
                }),
            ),
            Role::Backup | Role::Wan => {}
        }
    }
    drop(send);

    let mut answers: BTreeMap<String, Answers> = BTreeMap::new();
    while let Ok((name, answer)) =
        receive.recv_timeout(last.saturating_duration_since(Instant::now()))
    {
        let of_member = answers.entry(name).or_default();
        match answer {
            Answer::Patroni(answer) => of_member.patroni = Some(answer),
            Answer::Status(answer) => of_member.status = Some(answer),
            Answer::Behind(answer) => of_member.behind = Some(answer),
            Answer::Dcs(answer, took) => of_member.dcs = Some((answer, took)),
        }
    }
    answers
}

fn url(address: Ipv4Addr, port: u16, path: &str) -> String {
    format!("http://{address}:{port}{path}")
}

/// One HTTP request: GET, or POST where there is a body. Any status code is an answer: etcd's
/// errors come as JSON, and so do Patroni's.
fn request(
    url: &str,
    body: Option<&str>,
    connect: Duration,
    total: Duration,
) -> Result<Vec<u8>, String> {
    let agent = http::client(connect, total);
    let answer = match body {
        None => agent.get(url).call(),
        Some(body) => agent.post(url).content_type("application/json").send(body),
    };
    let wrong = |e: ureq::Error| match e {
        ureq::Error::Timeout(ureq::Timeout::Connect) => {
            format!("no connection within {} ms", connect.as_millis())
        }
        ureq::Error::Timeout(_) => format!("no answer within {} ms", total.as_millis()),
        ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => {
            "connection refused".to_owned()
        }
        ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::HostUnreachable => {
            "host unreachable".to_owned()
        }
        e => e.to_string(),
    };
    let mut answer = answer.map_err(wrong)?;
    answer.body_mut().with_config().limit(ANSWER_MAX_BYTES).read_to_vec().map_err(wrong)
}

fn stanza_exists() -> bool {
    observe::STANZA_FILES.iter().all(|file| Path::new(file).exists())
}

/// Names of the folders that hold a whole backup.
fn complete_backups() -> Vec<String> {
    let entries = std::fs::read_dir(observe::BACKUPS_DIR).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            // `latest` is a link to one of them.
            entry.file_type().is_ok_and(|kind| kind.is_dir())
                && entry.path().join(observe::BACKUP_MANIFEST).exists()
        })
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;

    const SHORT: Duration = Duration::from_millis(200);

    fn serve(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
                if answer.is_empty() {
                    thread::park();
                }
            }
        });
        format!("http://{address}/")
    }

    #[test]
    fn an_answer_counts_whatever_its_status() {
        let url = serve("HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\n{}");
        assert_eq!(request(&url, None, SHORT, SHORT), Ok(b"{}".to_vec()));
        assert_eq!(request(&url, Some("{}"), SHORT, SHORT), Ok(b"{}".to_vec()));
    }

    #[test]
    fn a_frozen_member_is_given_up_at_the_deadline() {
        let asked = Instant::now();
        let answer = request(&serve(""), None, SHORT, SHORT);
        assert_eq!(answer, Err("no answer within 200 ms".to_owned()));
        assert!(asked.elapsed() < SHORT * 3, "took {:?}", asked.elapsed());
    }

    #[test]
    fn a_dead_member_is_named_as_such() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        drop(listener);
        assert_eq!(request(&url, None, SHORT, SHORT), Err("connection refused".to_owned()));
    }
}
