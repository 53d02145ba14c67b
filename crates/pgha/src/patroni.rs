//! What Patroni is asked to do, by `patronictl` in a node: it has the credentials of the REST API there.

use std::time::Duration;

use pgha_core::render::{NAMESPACE, SCOPE};
use pgha_core::status::{ClusterView, ContainerState, MemberView};

use crate::error::{Error, Result};
use crate::provider::{Provider, psql};

/// How long Patroni may take to hand over, to restart Postgres, or for a setting to reach every node.
const DEADLINE: Duration = Duration::from_secs(300);
/// How long etcd or Postgres may take to say how something is set.
const CONFIG_DEADLINE: Duration = Duration::from_secs(20);
/// How long a checkpoint may take.
const CHECKPOINT_DEADLINE: Duration = Duration::from_secs(600);
/// How long a node may take to copy the data.
const CLONE_DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// Has the leader write out its buffers, so that there is less to write when it shuts down.
///
/// # Errors
/// When it does not.
pub(crate) async fn checkpoint(provider: &impl Provider, leader: &str) -> Result<()> {
    let ran = provider.exec(leader, &psql("checkpoint"), CHECKPOINT_DEADLINE).await?;
    if ran.code == 0 {
        return Ok(());
    }
    Err(Error::failed(format!("no checkpoint on {leader}")).because(ran.stderr.trim()))
}

/// Has Patroni hand over from the leader to a node; it returns once that leads.
///
/// # Errors
/// When Patroni refuses, or it does not end in time.
pub(crate) async fn hand_over(provider: &impl Provider, from: &str, to: &str) -> Result<()> {
    let words = ["switchover", SCOPE, "--force", "--leader", from, "--candidate", to];
    let what = format!("{from} does not hand over to {to}");
    ctl(provider, from, &words, &what, DEADLINE).await.map(drop)
}

/// Has Patroni promote a node of a cluster without a leader, whatever it lacks; it returns once that leads.
///
/// # Errors
/// When Patroni refuses, or it does not end in time.
pub(crate) async fn fail_over(provider: &impl Provider, to: &str) -> Result<()> {
    let words = ["failover", SCOPE, "--force", "--candidate", to];
    ctl(provider, to, &words, &format!("{to} is not promoted"), DEADLINE).await.map(drop)
}

/// Has Patroni restart Postgres on a node; it returns once that runs.
///
/// # Errors
/// When Patroni refuses, or Postgres does not start in time.
pub(crate) async fn restart(provider: &impl Provider, node: &str) -> Result<()> {
    let words = ["restart", SCOPE, node, "--force"];
    ctl(provider, node, &words, &format!("{node} is not restarted"), DEADLINE).await.map(drop)
}

/// Has every Patroni read its configuration again.
///
/// # Errors
/// When one refuses.
pub(crate) async fn reload(provider: &impl Provider, node: &str) -> Result<()> {
    let what = "Patroni is not reloaded";
    ctl(provider, node, &["reload", SCOPE, "--force"], what, DEADLINE).await.map(drop)
}

/// Switches automatic failover off or on; it returns once every node knows.
///
/// # Errors
/// When Patroni refuses, or a node does not know in time.
pub(crate) async fn pause(provider: &impl Provider, node: &str, paused: bool) -> Result<()> {
    let verb = if paused { "pause" } else { "resume" };
    let what = format!("no {verb} of Patroni");
    ctl(provider, node, &[verb, SCOPE, "--wait"], &what, DEADLINE).await.map(drop)
}

/// Has Patroni remove a node's data and copy it anew; it returns once that is done.
///
/// # Errors
/// When Patroni refuses.
pub(crate) async fn reinit(provider: &impl Provider, node: &str) -> Result<()> {
    let words = ["reinit", SCOPE, node, "--force", "--wait"];
    let what = format!("{node} is not cloned anew");
    ctl(provider, node, &words, &what, CLONE_DEADLINE).await.map(drop)
}

/// Every timeline but the present one, as JSON.
///
/// # Errors
/// When Patroni does not know, or does not answer in time.
pub(crate) async fn history(provider: &impl Provider, node: &str) -> Result<String> {
    ctl(provider, node, &["history", SCOPE, "-f", "json"], "no history", DEADLINE).await
}

/// Patroni's dynamic configuration, as etcd has it now: JSON, and nothing where there is none yet.
///
/// # Errors
/// When no etcd member is in touch with a quorum, or it does not answer in time.
pub(crate) async fn config(provider: &impl Provider, view: &ClusterView) -> Result<String> {
    let id = format!("{}-{}", view.cluster, view.instance);
    let member = view.etcd.iter().find(|etcd| etcd.healthy).ok_or_else(|| {
        Error::missing(format!(
            "etcd of cluster {id} has no quorum, and the configuration is in etcd"
        ))
        .hint(format!("`pgha status {id}` says how each member is"))
    })?;
    let key = format!("/{NAMESPACE}/{SCOPE}/config");
    let argv = ["etcdctl", "get", "--print-value-only", &key];
    let ran = provider.exec(&member.name, &argv, CONFIG_DEADLINE).await?;
    if ran.code == 0 {
        return Ok(ran.stdout);
    }
    Err(Error::failed(format!("{} does not say the configuration", member.name))
        .because(ran.stderr.trim()))
}

/// Has Patroni patch its dynamic configuration with a file of a node; null removes a key.
///
/// # Errors
/// When Patroni refuses, or etcd does not take it in time.
pub(crate) async fn apply(provider: &impl Provider, node: &str, path: &str) -> Result<()> {
    let words = ["edit-config", SCOPE, "--force", "--quiet", "--apply", path];
    ctl(provider, node, &words, "the configuration is not changed", DEADLINE).await.map(drop)
}

/// Removes a file of a node.
///
/// # Errors
/// When it is still there.
pub(crate) async fn remove(provider: &impl Provider, node: &str, path: &str) -> Result<()> {
    let ran = provider.exec(node, &["rm", "-f", path], CONFIG_DEADLINE).await?;
    if ran.code == 0 {
        return Ok(());
    }
    Err(Error::failed(format!("cannot remove {path} in {node}")).because(ran.stderr.trim()))
}

/// Those of the parameters of Postgres that a change of reaches only with a restart, in lower case.
///
/// # Errors
/// When Postgres of that node does not say.
pub(crate) async fn waiting_for_restart(
    provider: &impl Provider,
    node: &str,
    parameters: &[String],
) -> Result<Vec<String>> {
    let quoted = parameters.iter().map(|name| format!("lower('{}')", name.replace('\'', "''")));
    let statement = format!(
        "select lower(name) from pg_settings where context = 'postmaster' and lower(name) in ({}) order by 1",
        quoted.collect::<Vec<_>>().join(", ")
    );
    let ran = provider.exec(node, &psql(&statement), CONFIG_DEADLINE).await?;
    if ran.code == 0 {
        return Ok(ran.stdout.lines().map(str::to_owned).collect());
    }
    Err(Error::failed(format!("{node} does not say which settings need a restart"))
        .because(ran.stderr.trim()))
}

/// A node whose Patroni answers.
///
/// # Errors
/// When there is none.
pub(crate) fn answering(view: &ClusterView) -> Result<&str> {
    let answers =
        |node: &&MemberView| node.container_state == ContainerState::Running && node.role.is_some();
    let node = view.nodes().find(answers).map(|node| node.name.as_str());
    let id = format!("{}-{}", view.cluster, view.instance);
    node.ok_or_else(|| {
        Error::missing(format!("no Patroni of cluster {id} answers"))
            .hint(format!("`pgha status {id}` says how each node is"))
    })
}

/// Runs `patronictl` in a node.
async fn ctl(
    provider: &impl Provider,
    node: &str,
    words: &[&str],
    what: &str,
    deadline: Duration,
) -> Result<String> {
    let argv = [&["patronictl", "-c", "/pgha/config/patroni.conf"], words].concat();
    let ran = provider.exec(node, &argv, deadline).await?;
    if ran.code == 0 && !refused(&ran.stdout) {
        return Ok(ran.stdout);
    }
    let said = format!("{}{}", ran.stdout, ran.stderr);
    Err(Error::failed(what).because(said.trim()))
}

/// Whether Patroni has refused: `patronictl` says so, and ends with 0 all the same.
fn refused(said: &str) -> bool {
    let refuses = |line: &str| line.starts_with("Failed: ") || line.contains(" failed, details: ");
    said.lines().any(refuses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_patronictl_ends_well_with_may_be_a_refusal() {
        for (said, is) in [
            ("Success: restart on member pgha-demo1-DC1-1\n", false),
            (
                "Failed: restart for member pgha-demo1-DC1-1, status code=503, (restart failed)\n",
                true,
            ),
            (
                "+ Cluster\nSwitchover failed, details: 412, candidate name does not match with sync_standby\n",
                true,
            ),
            ("2026-11-28 11:10:00 Successfully switched over to \"pgha-demo1-DC2-1\"\n", false),
        ] {
            assert_eq!(refused(said), is, "{said}");
        }
    }
}
