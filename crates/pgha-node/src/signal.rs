//! Faults inside a member: processes of a program are killed, frozen, or go on.

use std::time::{Duration, Instant};

use pgha_core::fault::{Blow, Program};
use rustix::process::Signal;

use crate::processes::{self, Seen};
use crate::{Result, say};

/// How long it may take to take hold.
const DEADLINE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(5);

/// Does it, waits until it has taken hold, and says to how many processes.
pub(crate) fn run(program: Program, blow: Blow) -> Result<()> {
    let began = Instant::now();
    let mut meant = processes_of(program, blow)?;
    // What has just ended, such as the sessions of a Postgres that recovers, is started again by itself.
    while meant.is_empty() && blow != Blow::Thaw {
        if began.elapsed() > DEADLINE {
            return Err(format!("no process of {} runs here", program.as_str()));
        }
        std::thread::sleep(POLL);
        meant = processes_of(program, blow)?;
    }
    loop {
        for seen in &meant {
            seen.signal(signal(blow))?;
        }
        if blow == Blow::Kill {
            meant.retain(|seen| !seen.has_ended());
            if meant.is_empty() {
                break;
            }
        } else {
            let now = processes_of(program, blow)?;
            let count = now.len();
            // A process may have been made meanwhile.
            meant = now
                .into_iter()
                .filter(|seen| (seen.state == 'T') != (blow == Blow::Freeze))
                .collect();
            if meant.is_empty() {
                say(&count.to_string());
                return Ok(());
            }
        }
        if began.elapsed() > DEADLINE {
            return Err(format!(
                "{} of {} is not done within {} s",
                blow.as_str(),
                program.as_str(),
                DEADLINE.as_secs()
            ));
        }
        std::thread::sleep(POLL);
    }
    say("1");
    Ok(())
}

fn signal(blow: Blow) -> Signal {
    match blow {
        Blow::Kill => Signal::KILL,
        Blow::Freeze => Signal::STOP,
        Blow::Thaw => Signal::CONT,
    }
}

/// The process of a program that a member has once: of several the oldest, as others are about to become something else.
pub(crate) fn only_process_of(program: Program) -> Result<Option<Seen>> {
    let found = processes_of(program, Blow::Freeze)?;
    Ok(found.into_iter().min_by_key(|seen| seen.started))
}

/// Those that are meant; of Postgres's processes the postmaster comes first.
fn processes_of(program: Program, blow: Blow) -> Result<Vec<Seen>> {
    let mut found = processes::all()?;
    found.retain(|seen| is_of(program, seen) && seen.state != 'Z');
    match program {
        // All follow the postmaster when it is killed.
        Program::Postgres if blow == Blow::Kill => found.retain(is_postmaster),
        Program::Postgres => found.sort_by_key(|seen| !is_postmaster(seen)),
        // The youngest: the session of a client rather than one of Patroni's, which stay open.
        Program::Backend => {
            found = found.into_iter().max_by_key(|seen| seen.started).into_iter().collect();
        }
        Program::Walreceiver | Program::Patroni | Program::Etcd => {}
    }
    Ok(found)
}

/// A postmaster keeps its arguments; its children have titles.
fn is_postmaster(seen: &Seen) -> bool {
    seen.arguments.len() > 1 && seen.arguments[0].rsplit('/').next() == Some("postgres")
}

fn is_of(program: Program, seen: &Seen) -> bool {
    let title = seen.arguments.first().and_then(|first| first.strip_prefix("postgres: "));
    match program {
        Program::Postgres => is_postmaster(seen) || title.is_some(),
        Program::Walreceiver => title.is_some_and(|title| title.contains("walreceiver")),
        // `postgres: demo: postgres app 198.18.1.101(54321) idle`, or `… [local] idle`.
        Program::Backend => title.is_some_and(|title| {
            let of_a_client = title.contains('(') || title.contains("[local]");
            of_a_client && !title.contains("walsender")
        }),
        Program::Patroni => is_patroni(seen),
        Program::Etcd => {
            seen.arguments.first().is_some_and(|word| word.rsplit('/').next() == Some("etcd"))
        }
    }
}

/// Before Patroni there is `pgha-node patroni`, which becomes it.
pub(crate) fn is_patroni(seen: &Seen) -> bool {
    seen.is("patroni") && !seen.is("pgha-node")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(arguments: &[&str]) -> Seen {
        processes::seen(arguments)
    }

    #[test]
    fn a_program_is_told_by_its_arguments_or_its_title() {
        let postmaster = process(&["/usr/lib/postgresql/17/bin/postgres", "-D", "/pgdata/17"]);
        let receiver = process(&["postgres: demo: walreceiver streaming 0/3000148"]);
        let sender =
            process(&["postgres: demo: walsender replicator 198.18.2.101(41234) streaming 0/3"]);
        let client = process(&["postgres: demo: postgres app 198.18.1.1(54321) INSERT"]);
        let own = process(&["postgres: demo: postgres postgres [local] idle"]);
        let patroni = process(&[
            "/opt/patroni/bin/python3",
            "/usr/local/bin/patroni",
            "/pgha/config/patroni.conf",
        ]);
        let before = process(&["/usr/local/bin/pgha-node", "patroni"]);
        let etcd = process(&["/usr/bin/etcd", "--config-file", "/pgha/config/etcd.yaml"]);
        let starter = process(&["/usr/local/bin/pgha-node", "etcd-start"]);
        let all =
            [&postmaster, &receiver, &sender, &client, &own, &patroni, &before, &etcd, &starter];
        for (program, of) in [
            (Program::Postgres, &[&postmaster, &receiver, &sender, &client, &own][..]),
            (Program::Walreceiver, &[&receiver]),
            (Program::Backend, &[&client, &own]),
            (Program::Patroni, &[&patroni]),
            (Program::Etcd, &[&etcd]),
        ] {
            for seen in all {
                assert_eq!(is_of(program, seen), of.contains(&seen), "{program:?} {seen:?}");
            }
        }
        assert!(all.into_iter().all(|seen| is_postmaster(seen) == (*seen == postmaster)));
    }
}
