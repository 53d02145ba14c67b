//! `pgha-node backup`: runs one backup of pgBackRest on the backup host and reports it line by line, as
//! [`pgha_core::backup_run`] has it. Ends pgBackRest when its own standard input ends, as it does with
//! the one who asked; pgBackRest takes up what it had copied when it is asked again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdout, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use pgha_core::agent::Backup;
use pgha_core::backup_run::{Event, Level, Said, full_disk};
use pgha_core::backup_source::{Answer, Source};
use pgha_core::observe;
use pgha_core::render::{CONFIG_DIR, REPOSITORY_DIR, REPOSITORY2_MOUNT};
use pgha_core::repository::STANZA;
use pgha_core::repository::{Repository, Running};
use pgha_core::topology::{Member, PATRONI_PORT, Role};
use rustix::process::{Pid, Signal, kill_process};

use crate::files::{self, POSTGRES};
use crate::identity::Identity;
use crate::{Result, http, patroni};

/// How often to ask pgBackRest how far it is.
const PROGRESS_POLL: Duration = Duration::from_millis(700);

/// Runs a backup.
pub(crate) fn run(backup: &Backup) -> Result<ExitCode> {
    let (mut command, source) = backup_command()?;
    report(&Event::Said(Said { level: Level::Info, text: source }))?;
    let mut child = command
        .args(["--log-level-console=info", "--no-log-timestamp"])
        .args(backup.options())
        .arg("backup")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot run pgbackrest: {e}"))?;
    let pid = Pid::from_child(&child);
    thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = kill_process(pid, Signal::TERM);
    });
    let said = read(child.stdout.take().ok_or("pgbackrest has no output")?);
    let label = follow(&said)?;
    let status = child.wait().map_err(|e| format!("cannot wait for pgbackrest: {e}"))?;
    let code = status.code().unwrap_or_else(|| {
        use std::os::unix::process::ExitStatusExt as _;
        -status.signal().unwrap_or(1)
    });
    if code != 0 {
        for text in full_disks() {
            report(&Event::Said(Said { level: Level::Error, text }))?;
        }
    }
    report(&Event::Ended { code, label })?;
    Ok(if code == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// pgBackRest, told which nodes to make a backup from, and the same in words. Where no node can be told
/// to lead it sees for itself.
pub(crate) fn backup_command() -> Result<(Command, String)> {
    let me = Identity::from_environment()?;
    let Some(source) = source(&me) else {
        return Ok((pgbackrest(), "no leader was found before the backup".to_owned()));
    };
    let whole = format!("{CONFIG_DIR}/pgbackrest.conf");
    let whole = std::fs::read_to_string(&whole).map_err(|e| format!("cannot read {whole}: {e}"))?;
    let nodes: Vec<&str> = me.topology.of_role(Role::Postgres).map(|m| m.name.as_str()).collect();
    let config = format!("{CONFIG_DIR}/pgbackrest-backup.conf");
    files::write(&config, &source.narrow(&whole, &nodes), POSTGRES)?;
    let from = match &source.standby {
        Some(standby) => format!("copying from the standby {standby}"),
        None => format!("copying from the leader {}: no standby streams", source.leader),
    };
    Ok((pgbackrest_with(&config), from))
}

/// Asks every node's Patroni at once.
fn source(me: &Identity) -> Option<Source> {
    let nodes: Vec<&Member> = me.topology.of_role(Role::Postgres).collect();
    let ask = |node: &Member| {
        let patroni = http::get(node.address, PATRONI_PORT, "patroni")?;
        let patroni = observe::patroni(patroni.as_bytes()).ok()?;
        Some(Answer { name: node.name.clone(), patroni })
    };
    let answers: Vec<Answer> = thread::scope(|scope| {
        let asked: Vec<_> = nodes.iter().map(|node| scope.spawn(|| ask(node))).collect();
        asked.into_iter().filter_map(|asked| asked.join().ok().flatten()).collect()
    });
    let leader = Source::leader(&answers)?;
    let leader = nodes.iter().find(|node| node.name == leader.name)?;
    let followers = patroni::followers(leader).unwrap_or_default();
    Source::choose(&answers, &followers.into_keys().collect())
}

/// Which disks of the repositories are full, a line each.
pub(crate) fn full_disks() -> impl Iterator<Item = String> {
    [REPOSITORY_DIR, REPOSITORY2_MOUNT].into_iter().filter_map(|folder| {
        let disk = rustix::fs::statvfs(folder).ok()?;
        full_disk(folder, disk.f_bavail.saturating_mul(disk.f_frsize))
    })
}

/// pgBackRest with the member's configuration.
pub(crate) fn pgbackrest() -> Command {
    pgbackrest_with(&format!("{CONFIG_DIR}/pgbackrest.conf"))
}

fn pgbackrest_with(config: &str) -> Command {
    let mut command = Command::new("/usr/bin/pgbackrest");
    command.args([format!("--config={config}"), format!("--stanza={STANZA}")]);
    command
}

/// Reports until pgBackRest says no more; the name of the new backup.
fn follow(said: &Receiver<Said>) -> Result<Option<String>> {
    let (mut label, mut last) = (None, Running::default());
    loop {
        match said.recv_timeout(PROGRESS_POLL) {
            Ok(said) => {
                label = said.new_label().map(str::to_owned).or(label);
                report(&Event::Said(said))?;
            }
            Err(RecvTimeoutError::Timeout) => {
                if let Some(running) = progress().filter(|running| *running != last) {
                    report(&Event::Progress(running))?;
                    last = running;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(label),
        }
    }
}

/// Gathers messages with the lines that continue them; a message is whole once the next one begins or
/// no more comes for now.
fn read(output: ChildStdout) -> Receiver<Said> {
    let (send, said) = mpsc::channel();
    thread::spawn(move || {
        let mut pending: Option<Said> = None;
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            match (Said::parse(&line), &mut pending) {
                // Only a failure is continued by lines that are worth waiting for.
                (Some(new), _) => {
                    if let Some(whole) = pending.take() {
                        let _ = send.send(whole);
                    }
                    if new.level == Level::Info {
                        let _ = send.send(new);
                    } else {
                        pending = Some(new);
                    }
                }
                (None, Some(begun)) if line.starts_with(' ') => {
                    begun.text.push('\n');
                    begun.text.push_str(line.trim());
                }
                (None, _) => {}
            }
        }
        if let Some(whole) = pending {
            let _ = send.send(whole);
        }
    });
    said
}

fn progress() -> Option<Running> {
    let info = pgbackrest().args(["--output=json", "--log-level-console=off", "info"]).output();
    Repository::from_info(&info.ok()?.stdout).ok()?.running
}

fn report(event: &Event) -> Result<()> {
    let mut line = serde_json::to_vec(event).map_err(|e| format!("cannot write JSON: {e}"))?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line).and_then(|()| out.flush()).map_err(|e| format!("cannot report: {e}"))
}
