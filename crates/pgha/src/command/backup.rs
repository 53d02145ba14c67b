//! `pgha backup`: one backup with its progress; and `check`, `verify` and `expire`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pgha_core::agent;
use pgha_core::backup_run::{Event, Level, Said, advice};
use pgha_core::render::repository_config;
use pgha_core::repository::without_requests;
use pgha_core::repository::{BackupType, Repository, Running, STATUS_MISSING_STANZA};
use pgha_core::topology::Topology;
use pgha_core::words::bytes;

use crate::cli::{Backup, BackupAction, BackupExpire, BackupMake, BackupOf};
use crate::command::{backup_schedule, backups};
use crate::error::{Error, OrFail as _, Result};
use crate::events::{Events, Work};
use crate::provider::Provider as _;
use crate::repository::{BackupHost, no_second};
use crate::terminal;
use crate::{observe, screen};

/// What is waited for once everything is copied.
const AFTER_COPYING: &str = "waiting for the last WAL";
/// How long `check` may take: pgBackRest waits a minute for the segment to be archived.
const CHECK_DEADLINE: Duration = Duration::from_secs(180);
/// How long reading, or removing from, a large repository may take.
const LONG_DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// Carries out `pgha backup` and its commands.
pub(crate) async fn run(args: &Backup, events: &Events) -> Result<()> {
    match &args.action {
        None => make(&args.make, events).await,
        Some(BackupAction::Check(of)) => check(of, events).await,
        Some(BackupAction::Verify(of)) => verify(of, events).await,
        Some(BackupAction::Expire(args)) => expire(args, events).await,
        Some(BackupAction::Schedule(args)) => backup_schedule::run(args, events).await,
        Some(BackupAction::List(args)) => backups::run(args, events).await,
    }
}

async fn make(args: &BackupMake, events: &Events) -> Result<()> {
    let host = BackupHost::find(args.cluster.as_deref(), None).await;
    let host = host.map_err(|error| match args.cluster.as_deref() {
        Some(kind @ ("full" | "diff" | "incr")) => {
            error.hint(format!("`pgha backup --type {kind}` makes a backup of that type"))
        }
        Some("restore") => error.hint("`pgha restore` restores from backups"),
        Some("delete" | "remove" | "rm") => error
            .hint("`pgha backup expire` removes what is past its time by the cluster's settings"),
        _ => error,
    })?;
    let id = host.cluster.id.to_string();
    let view = observe::view(&host.engine, &host.cluster).await?;
    if view.leader.is_none() {
        return Err(Error::missing(format!("cluster {id} has no leader to make a backup of"))
            .because(view.problems.first().map_or_else(String::new, |p| p.message.clone()))
            .hint(format!("`pgha status {id}` says more")));
    }
    if args.repo == 2 && host.cluster.topology()?.spec.backup.repo2.is_none() {
        return Err(no_second(&host.cluster.id));
    }
    let before = host.repository().await?;
    refuse_second(&before, &id)?;
    let own = before.repositories.iter().find(|own| own.key == args.repo);
    if own.is_some_and(|own| own.status.code == STATUS_MISSING_STANZA) {
        events.note(format!("repository {} lost its stanza; creating it again", args.repo));
        // In this one alone: another may be away.
        let config = format!("--config={}", repository_config(args.repo));
        let create = [config.as_str(), "--log-level-console=warn", "stanza-create"];
        host.pgbackrest(&create, CHECK_DEADLINE).await?;
    }
    let to_build_on = before.backups.iter().any(|backup| backup.repository == args.repo);
    if args.kind != Some(BackupType::Full) && !to_build_on {
        events.note("there is no full backup yet to build on: this one is a full backup");
    }

    let kind = args.kind.unwrap_or(BackupType::Incr);
    let backup =
        agent::Backup { kind, repository: args.repo, annotations: args.annotations.clone() };
    let command = agent::Request::Backup(backup).argv();
    let started = Instant::now();
    let mut watch = Watching::start(&id, events);
    let run = host.engine.exec_lines(&host.name, &command, |line| watch.take(line));
    tokio::select! {
        ran = run => ran?,
        _ = tokio::signal::ctrl_c() => {
            return Err(Error::failed("interrupted: there is no new backup")
                .hint("what it has copied is kept, and the next one of its type goes on from there"));
        }
    }
    let label = watch.end(host.cluster.topology()?)?;
    let after = host.repository().await?;
    let backup = after.backup(&label).ok_or_else(|| {
        Error::failed(format!("the backup {label} was made and is not listed"))
            .hint(format!("`pgha backups {id}` lists what there is"))
    })?;
    let took = started.elapsed();
    events.of(&id).note(screen::backups::made(backup, &id, took));
    if args.json {
        return terminal::print_json(backup);
    }
    terminal::print(&screen::backups::table(&[backup]))
}

/// pgBackRest would refuse too, later and in its own words.
fn refuse_second(repository: &Repository, id: &str) -> Result<()> {
    let Some(running) = repository.running else { return Ok(()) };
    let at = running.percent().map(|p| format!(", {p} % done")).unwrap_or_default();
    Err(Error::failed(format!("a backup of cluster {id} is being made already{at}"))
        .hint(format!("`pgha backups {id}` shows how far it is; wait until it is done")))
}

/// What is known of the backup that is being made.
#[derive(Debug)]
struct Watching {
    work: Option<Work>,
    phase: &'static str,
    errors: Vec<String>,
    ended: Option<(i32, Option<String>)>,
}

impl Watching {
    fn start(id: &str, events: &Events) -> Self {
        let work = events.of(id).begin(format!("backup of {id}"));
        work.at("starting", "");
        Self { work: Some(work), phase: "starting", errors: Vec::new(), ended: None }
    }

    fn take(&mut self, line: &[u8]) {
        let Ok(event) = serde_json::from_slice::<Event>(line) else { return };
        let Some(work) = &self.work else { return };
        match event {
            // Once everything is copied, how much there was is no news.
            Event::Progress(running) if self.phase != AFTER_COPYING => {
                work.at("copying", &detail(running));
            }
            Event::Progress(_) => {}
            Event::Said(Said { level: Level::Error, text }) => self.errors.push(text),
            // It was said before it began.
            Event::Said(Said { level: Level::Warn, text })
                if text.starts_with("no prior backup") => {}
            Event::Said(Said { level: Level::Warn, text }) => {
                work.say(&format!("warning: {text}"));
            }
            Event::Said(said) => {
                if let Some(removed) =
                    said.text.strip_prefix("repo").filter(|t| t.contains("expire"))
                {
                    work.say(&format!("removed: repository {removed}"));
                }
                if said.text.starts_with("copying from ") {
                    work.say(&said.text);
                }
                if let Some(phase) = said.phase().filter(|phase| *phase != self.phase) {
                    work.at(phase, "");
                    self.phase = phase;
                }
            }
            Event::Ended { code, label } => self.ended = Some((code, label)),
        }
    }

    /// Name of the new backup.
    fn end(mut self, topology: &Topology) -> Result<String> {
        let id = &topology.id;
        drop(self.work.take());
        let said = without_requests(&self.errors.join("\n"));
        match self.ended {
            Some((0, Some(label))) => Ok(label),
            Some(_) => Err(Error::failed(format!("the backup of cluster {id} failed"))
                .hint(advice(&said, topology))
                .because(said)),
            None => Err(Error::failed(format!("the backup of cluster {id} broke off"))
                .because("the backup host stopped, or lacks what this pgha asks of it")
                .hint(format!("`pgha status {id}`; what was copied is kept for the next backup"))),
        }
    }
}

fn detail(running: Running) -> String {
    match (running.percent(), running.done_bytes, running.total_bytes) {
        (Some(percent), Some(done), Some(total)) => {
            format!("{percent} %  {} of {}", bytes(done), bytes(total))
        }
        _ => String::new(),
    }
}

async fn check(of: &BackupOf, events: &Events) -> Result<()> {
    let host = BackupHost::find(of.cluster.as_deref(), Some("check")).await?;
    let id = &host.cluster.id;
    let work = events.of(id).begin(format!("cluster {id}"));
    work.at("waiting until a segment of WAL is archived", "");
    host.pgbackrest(&["--log-level-console=warn", "check"], CHECK_DEADLINE).await?;
    work.done(&format!("a new segment of WAL of cluster {id} reached every repository"));
    Ok(())
}

async fn verify(of: &BackupOf, events: &Events) -> Result<()> {
    let host = BackupHost::find(of.cluster.as_deref(), Some("verify")).await?;
    let id = host.cluster.id.to_string();
    let mut bad = Vec::new();
    for repo in host.cluster.topology()?.spec.backup.repositories() {
        let work = events.of(&id).begin(format!("cluster {id}"));
        work.at(&format!("reading every file of repository {repo}"), "");
        let repo_option = format!("--repo={repo}");
        let options = ["--log-level-console=off", "--output=text", "--verbose", &repo_option];
        let report = host.pgbackrest(&[&options[..], &["verify"]].concat(), LONG_DEADLINE).await?;
        drop(work);
        if !is_sound(&report) {
            bad.push(format!("repository {repo}"));
        }
        terminal::print(&format!("repository {repo}: {}\n", report.trim()))?;
    }
    if bad.is_empty() {
        return Ok(());
    }
    Err(Error::failed(format!("{} of cluster {id} is not sound", bad.join(" and ")))
        .because("missing and damaged files are listed above")
        .hint(format!("`pgha backup {id} --type full` makes a backup that needs none of it")))
}

/// pgBackRest ends with 0 whatever it finds.
fn is_sound(report: &str) -> bool {
    let states: Vec<&str> =
        report.lines().filter_map(|line| line.trim().strip_prefix("status: ")).collect();
    states.first() == Some(&"ok")
}

async fn expire(args: &BackupExpire, events: &Events) -> Result<()> {
    let host = BackupHost::find(args.of.cluster.as_deref(), Some("expire")).await?;
    let id = &host.cluster.id;
    let before = host.repository().await?;
    let work = events.of(id).begin(format!("cluster {id}"));
    work.at("looking for what is past its time", "");
    let dry: &[&str] = if args.dry_run { &["--dry-run"] } else { &[] };
    let said = host
        .pgbackrest(&[dry, &["--log-level-console=info", "expire"]].concat(), LONG_DEADLINE)
        .await?;
    let after = host.repository().await?;
    let labels =
        |r: &Repository| r.backups.iter().map(|b| b.label.clone()).collect::<BTreeSet<_>>();
    let gone = labels(&before).difference(&labels(&after)).count();
    work.done(&if args.dry_run {
        format!("nothing of cluster {id} was removed")
    } else {
        format!("{gone} backups of cluster {id} were removed, {} are kept", after.backups.len())
    });
    let lines = said.lines().filter_map(Said::parse).map(|said| said.text);
    let removed =
        |text: &String| text.starts_with("repo") && !text.contains(" no archive to remove");
    let what: Vec<String> = lines.filter(removed).map(|text| text + "\n").collect();
    terminal::print(&what.concat()).or_fail("cannot say what was removed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::tests::Kept;
    use pgha_core::spec::Spec;

    #[test]
    fn a_repository_is_sound_only_where_its_own_status_is() {
        let sound = "stanza: pgha_db\nstatus: ok\n  archiveId: 17-1, total WAL checked: 9\n";
        let bad = "stanza: pgha_db\nstatus: error\n  backup: x, status: ok\n";
        assert!(is_sound(sound));
        for other in [bad, "", "stanza: pgha_db\n"] {
            assert!(!is_sound(other), "{other}");
        }
    }

    #[test]
    fn a_second_backup_at_once_is_refused_with_how_far_the_first_is() {
        let mut repository = Repository::from_info(b"[]").expect("a listing");
        assert!(refuse_second(&repository, "demo-1").is_ok());
        repository.running = Some(Running { total_bytes: Some(200), done_bytes: Some(50) });
        let error = refuse_second(&repository, "demo-1").expect_err("one is made").to_string();
        assert!(error.contains("25 % done") && error.contains("hint:"), "{error}");
    }

    #[test]
    fn a_backup_that_breaks_off_is_no_success() {
        let end = |lines: &[&str]| {
            let mut watching = Watching::start("demo-1", &Kept::stream().0);
            for line in lines {
                watching.take(line.as_bytes());
            }
            watching.end(&Topology::new(Spec::default(), 1)).map_err(|e| e.to_string())
        };
        assert_eq!(end(&[r#"{"ended":{"code":0,"label":"L"}}"#]).as_deref(), Ok("L"));
        for lines in [
            &[][..],
            &["oops"],
            &[r#"{"ended":{"code":0,"label":null}}"#],
            &[r#"{"ended":{"code":-15,"label":"L"}}"#],
        ] {
            assert!(end(lines).is_err(), "{lines:?}");
        }
        let full = r#"{"said":{"level":"error","text":"[039]: x: [28] No space left on device"}}"#;
        let error = end(&[full, r#"{"ended":{"code":39,"label":null}}"#]).expect_err("a full disk");
        assert!(error.contains("No space left") && error.contains("is full"), "{error}");
    }
}
