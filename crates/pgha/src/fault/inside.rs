//! What a fault does inside members, and what takes it back there.

use std::time::Duration;

use pgha_core::agent::Request;
use pgha_core::fault::{Blow, CANCEL_COMMITS, Offset, Program, SWITCH_SEGMENT};
use pgha_core::status::ContainerState;
use tokio::time::{Instant, sleep};

use super::POLL;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::provider::{Provider, psql};

/// What a member may take for what it does to itself: twice what it gives itself.
const AGENT_DEADLINE: Duration = Duration::from_secs(10);
/// How long no commit may wait for a standby where one is to be cancelled.
const COMMIT_DEADLINE: Duration = Duration::from_secs(5);
/// What one statement may take.
const SQL_DEADLINE: Duration = Duration::from_secs(10);

/// Has processes of a member signalled; it answers once that has taken hold.
pub(super) async fn signal(
    provider: &impl Provider,
    member: &str,
    program: Program,
    blow: Blow,
) -> Result<()> {
    let argv = Request::Signal { program, blow }.argv();
    let ran = provider.exec(member, &argv, AGENT_DEADLINE).await;
    let failed =
        || Error::failed(format!("cannot {} {} in {member}", blow.as_str(), program.as_str()));
    // A container ends with its program, and this command in it: it breaks off, or is killed before it has said anything.
    let takes_all = blow == Blow::Kill && matches!(program, Program::Patroni | Program::Etcd);
    match ran {
        Ok(ran) if ran.code == 0 => Ok(()),
        Ok(ran) if takes_all && ran.stderr.trim().is_empty() => Ok(()),
        Ok(ran) => {
            Err(failed().because(ran.stderr.trim().trim_start_matches("pgha-node: failed: ")))
        }
        Err(_) if takes_all => Ok(()),
        Err(error) => Err(failed().because(error.cause())),
    }
}

/// Has something done in a member; `what` says it in an error.
pub(super) async fn ask(
    provider: &impl Provider,
    member: &str,
    request: &Request,
    what: &str,
) -> Result<()> {
    let failed = || Error::failed(format!("cannot {what} in {member}"));
    let ran = provider.exec(member, &request.argv(), AGENT_DEADLINE).await;
    let ran = ran.map_err(|error| failed().because(error.cause()))?;
    if ran.code == 0 {
        return Ok(());
    }
    Err(failed().because(ran.stderr.trim().trim_start_matches("pgha-node: failed: ")))
}

/// By how much the clock of a program in a member is off now; `None` where it is the machine's.
pub(super) async fn clock(
    provider: &impl Provider,
    member: &str,
    program: Program,
) -> Result<Option<Offset>> {
    let failed = || Error::failed(format!("cannot read the clock of {}", program.as_str()));
    let ran = provider.exec(member, &Request::ClockState(program).argv(), AGENT_DEADLINE).await;
    let ran = ran.map_err(|error| failed().because(error.cause()))?;
    if ran.code != 0 {
        return Err(failed().because(ran.stderr.trim().trim_start_matches("pgha-node: failed: ")));
    }
    match ran.stdout.trim() {
        "" => Ok(None),
        offset => offset.parse().map(Some).map_err(|bad: String| failed().because(bad)),
    }
}

/// Has the archive command of a node fail, and gives a leader something to archive.
pub(super) async fn break_archive(provider: &impl Provider, node: &str) -> Result<()> {
    let request = Request::Archive { broken: true };
    ask(provider, node, &request, "break the archive command").await?;
    let ran = provider.exec(node, &psql(SWITCH_SEGMENT), SQL_DEADLINE).await?;
    if ran.code == 0 {
        return Ok(());
    }
    Err(Error::failed(format!("cannot switch the WAL segment of {node}"))
        .because(ran.stderr.trim()))
}

/// Has it take back what only its start would take back as well.
pub(super) async fn mend(
    provider: &impl Provider,
    cluster: &Cluster,
    member: &str,
    request: &Request,
) -> Result<()> {
    match cluster.container(member).map(|container| container.state) {
        Some(ContainerState::Running) => {
            ask(provider, member, request, "take the fault back").await
        }
        // Nothing can be run in there, and it would go on as it is.
        Some(ContainerState::Paused) => Err(Error::missing(format!("{member} is paused"))
            .hint(format!("`pgha heal {}` resumes what pgha has paused", cluster.id))),
        _ => Ok(()),
    }
}

/// Cancels the commits of a node that wait for a standby, as soon as one does.
pub(super) async fn cancel_commits(provider: &impl Provider, node: &str) -> Result<()> {
    let began = Instant::now();
    loop {
        let ran = provider.exec(node, &psql(CANCEL_COMMITS), SQL_DEADLINE).await?;
        if ran.code != 0 {
            return Err(Error::failed(format!("cannot cancel commits on {node}"))
                .because(ran.stderr.trim()));
        }
        if ran.stdout.trim() != "0" {
            return Ok(());
        }
        if began.elapsed() > COMMIT_DEADLINE {
            let s = COMMIT_DEADLINE.as_secs();
            return Err(Error::missing(format!(
                "nothing to cancel: no commit on {node} waits for a standby"
            ))
            .because(format!("looked for {s} s"))
            .hint("they wait on the leader of a synchronous cluster, while its standbys are frozen or cut off"));
        }
        sleep(POLL).await;
    }
}
