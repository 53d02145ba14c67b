//! Has a member work with a newer layout of its cluster than its container was made with.
//!
//! [`put`] keeps a layout from standard input in the container, where it outlives a restart. [`apply`] writes what of the
//! member's configuration follows from the newest layout and has it read again. What takes a new container
//! is said in the answer, and never done here.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};

use pgha_core::layout_file::{Applied, LAYOUT_FILE, LayoutFile};
use pgha_core::topology::{Member, Role, Topology};
use rustix::process::Signal;

use crate::identity::Identity;
use crate::processes::{self, Seen};
use crate::signal::is_patroni;
use crate::{Result, backup, files, postgres, proxy, say};

/// Names that the resolver knows.
const HOSTS: &str = "/etc/hosts";
/// The line after which PID 1 keeps names in [`HOSTS`]. Those that the container was made with stand before it.
const MARK: &str = "# Members of the cluster that this container was not made with, by pgha-node.";
/// Most of a layout that is read.
const LAYOUT_MAX_BYTES: u64 = 1 << 20;

/// Works with the newest layout and prints what became of it.
pub(crate) fn print_applied(me: &Identity) -> Result<()> {
    say(&serde_json::to_string(&apply(me)?).map_err(|e| e.to_string())?);
    Ok(())
}

/// Keeps the layout on standard input, where it is of this cluster and not older than what is known.
pub(crate) fn put(me: &Identity) -> Result<()> {
    let mut text = String::new();
    let stdin = std::io::stdin().lock();
    stdin
        .take(LAYOUT_MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(|e| format!("cannot read the layout: {e}"))?;
    let topology = &me.topology;
    let newer = LayoutFile::newer(&text, &me.cluster, &topology.spec, &topology.layout)
        .map_err(|reason| format!("the layout is not taken: {reason}"))?;
    if newer.is_some() {
        files::keep_for_all(LAYOUT_FILE, &text)?;
    }
    Ok(())
}

/// Works with the newest layout, as far as that takes no new container.
fn apply(me: &Identity) -> Result<Applied> {
    let mut applied = Applied {
        member: me.name(),
        generation: me.topology.layout.generation(),
        ..Applied::default()
    };
    if let Some(reason) = &me.not_taken {
        crate::log(reason);
    }
    if know_hosts(&me.topology)? {
        applied.written.push(HOSTS.to_owned());
    }
    // Also where nothing had to be written: an earlier request may have ended before this.
    let mut tell = |program, written: Vec<String>| -> Result<()> {
        if reload(program)? {
            applied.reloaded.push(program.name().to_owned());
        }
        applied.written.extend(written);
        Ok(())
    };
    match me.role() {
        Role::Postgres => {
            tell(Program::Patroni, postgres::write_patroni(me)?)?;
            tell(Program::PgBackRest, postgres::write_pgbackrest(me)?)?;
        }
        Role::Backup => tell(Program::PgBackRest, backup::write_config(me)?)?,
        Role::Proxy => {
            tell(Program::HaProxy, proxy::write_config(me)?)?;
            tell(Program::PgBouncer, Vec::new())?;
        }
        // etcd's configuration counts only before its first start; members tell each other who they are.
        Role::Etcd => {}
        Role::Wan => {
            let made = me.as_made();
            applied.restart.extend(
                me.topology.sites.iter().filter(|s| !made.sites.contains(s)).map(|site| {
                    format!(
                        "the router is not connected to {}: it has to be re-created",
                        site.network
                    )
                }),
            );
        }
    }
    Ok(applied)
}

/// Has names of members resolved that the container does not know from its start; whether anything was to be
/// done.
pub(crate) fn know_hosts(topology: &Topology) -> Result<bool> {
    let explain = |e: std::io::Error| format!("cannot write {HOSTS}: {e}");
    let text = fs::read_to_string(HOSTS).map_err(explain)?;
    let Some(wanted) = hosts(&text, topology) else { return Ok(false) };
    // It is a mount: nothing can be renamed to it.
    let mut file = OpenOptions::new().write(true).open(HOSTS).map_err(explain)?;
    file.rewind().and_then(|()| file.write_all(wanted.as_bytes())).map_err(explain)?;
    file.set_len(wanted.len() as u64).map_err(explain)?;
    Ok(true)
}

/// What such a file should be, where it is not.
fn hosts(text: &str, topology: &Topology) -> Option<String> {
    let made_with = text.split(MARK).next().unwrap_or_default();
    let known = |name: &str| {
        made_with.lines().any(|line| line.split_ascii_whitespace().skip(1).any(|word| word == name))
    };
    let unknown = topology.members.iter().filter(|member| !known(&member.name));
    let line = |m: &Member| format!("{}\t{}\n", m.address, m.name);
    let lines = unknown.map(line).collect::<Vec<_>>().concat();
    let mut wanted = made_with.to_owned();
    if !lines.is_empty() {
        if !wanted.is_empty() && !wanted.ends_with('\n') {
            wanted.push('\n');
        }
        wanted = format!("{wanted}{MARK}\n{lines}");
    }
    (wanted != text).then_some(wanted)
}

/// A program that reads its configuration again when it is told to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// Of a Postgres node.
    Patroni,
    /// The server that other members reach.
    PgBackRest,
    HaProxy,
    PgBouncer,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Patroni => "Patroni",
            Self::PgBackRest => "pgBackRest",
            Self::HaProxy => "HAProxy",
            Self::PgBouncer => "PgBouncer",
        }
    }

    fn is(self, process: &Seen) -> bool {
        match self {
            // A signal would end what comes before it.
            Self::Patroni => is_patroni(process),
            Self::PgBackRest => {
                process.is("pgbackrest")
                    && process.arguments.last().is_some_and(|word| word == "server")
            }
            Self::HaProxy => process.is("haproxy"),
            Self::PgBouncer => process.is("pgbouncer"),
        }
    }

    /// What has it read its configuration again.
    fn signal(self) -> Signal {
        if self == Self::HaProxy { Signal::USR2 } else { Signal::HUP }
    }
}

/// Has a program that PID 1 started read its configuration again; whether there is one.
pub(crate) fn reload(program: Program) -> Result<bool> {
    let all = processes::all()?;
    let mut told = false;
    for process in all.iter().filter(|process| process.parent == 1 && program.is(process)) {
        process
            .signal(program.signal())
            .map_err(|e| format!("cannot have {} reload: {e}", program.name()))?;
        told = true;
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgha_core::layout::{Change, Layout};
    use pgha_core::spec::Spec;

    #[test]
    fn names_that_the_container_was_not_made_with_are_added_once_and_taken_back() {
        let spec = Spec::default();
        let first = Topology::new(spec.clone(), 1);
        let line = |m: &Member| format!("{}\t{}\n", m.address, m.name);
        let made = first.members.iter().map(line).collect::<Vec<_>>().concat();
        let made = format!("127.0.0.1\tlocalhost\n{made}172.18.0.3\tpgha-demo1-DC1-1\n");
        assert_eq!(hosts(&made, &first), None);
        let layout = Layout::of(&spec).changed(&[Change::AddMember(Role::Postgres, 1)]);
        let second = Topology::with(spec.clone(), 1, layout.expect("a node"));
        let added = hosts(&made, &second).expect("one more");
        assert_eq!(added, format!("{made}{MARK}\n198.18.1.103\tpgha-demo3-DC1-1\n"));
        assert_eq!(hosts(&added, &second), None);
        let layout = second.layout.changed(&[Change::RemoveMember(7)]);
        let third = Topology::with(spec, 1, layout.expect("it is gone"));
        assert_eq!(hosts(&added, &third), Some(made));
        assert!(hosts("", &first).expect("all").starts_with(MARK));
    }

    #[test]
    fn only_what_takes_the_signal_for_a_request_is_told() {
        let is = |program: Program, arguments: &[&str]| program.is(&processes::seen(arguments));
        let patroni = ["/usr/bin/python3", "/usr/bin/patroni", "/pgha/config/patroni.conf"];
        assert!(is(Program::Patroni, &patroni));
        assert!(!is(Program::Patroni, &["/usr/local/bin/pgha-node", "patroni"]));
        let config = "--config=/pgha/config/pgbackrest.conf";
        assert!(is(Program::PgBackRest, &["/usr/bin/pgbackrest", config, "server"]));
        for other in [&["pgbackrest", config, "archive-push"][..], &["etcd"], &[""]] {
            assert!(!is(Program::PgBackRest, other) && !is(Program::Patroni, other), "{other:?}");
        }
    }
}
