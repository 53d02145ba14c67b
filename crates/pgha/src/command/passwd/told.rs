//! What is done inside members for a new password. It gets there in files that are for one user alone and are removed: in no
//! argument list, no environment and no log.

use std::time::Duration;

use futures_util::future::join_all;
use pgha_core::agent::Request;
use pgha_core::passwd::{Account, NewSecret, Plan, fingerprint_query, script};
use pgha_core::render::CONFIG_DIR;
use pgha_core::set_up::said;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::events::Work;
use crate::patroni;
use crate::provider::{Provider, psql};

/// How long a role may take to be altered: the commit waits for standbys.
const ALTER_DEADLINE: Duration = Duration::from_secs(60);
/// How long a node may take to write its files, or to answer.
const NODE_DEADLINE: Duration = Duration::from_secs(20);
/// How long until every node has it: Patroni may be in the middle of a round, and a replica behind.
const KNOWN_DEADLINE: Duration = Duration::from_secs(90);
/// Logs in as the replication user, with a password file of Patroni's.
const LOG_IN: &str = r#"set -eu
IFS=: read -r host port rest < "$1"
exec psql -XAtqw -d "host=$host port=$port user=replicator dbname=postgres connect_timeout=3 passfile=$1" \
    -c 'select 1'"#;
/// What psql ends with where a statement fails.
const SCRIPT_FAILED: i64 = 3;
/// Time between two looks.
const POLL: Duration = Duration::from_millis(300);

/// Alters a role on the leader, which gets no more than the verifier; what Postgres refuses that with.
///
/// # Errors
/// When it is not known whether it was done.
pub(super) async fn alter(
    provider: &impl Provider,
    leader: &str,
    role: &str,
    password: &str,
) -> Result<Option<String>> {
    let verifier = postgres_protocol::password::scram_sha_256(password.as_bytes());
    let name = "alter-role.sql";
    let path = format!("{CONFIG_DIR}/{name}");
    provider.put_file(leader, CONFIG_DIR, name, &script(role, &verifier)).await?;
    let argv = ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-f", &path];
    let ran = provider.exec(leader, &argv, ALTER_DEADLINE).await;
    let removed = patroni::remove(provider, leader, &path).await;
    let ran = ran?;
    removed?;
    match ran.code {
        0 => Ok(None),
        SCRIPT_FAILED => Ok(Some(said(&ran.stderr))),
        _ => {
            Err(Error::failed(format!("it is not known whether {leader} altered the role {role}"))
                .because(said(&ran.stderr)))
        }
    }
}

/// Has every node work with it, all at once.
pub(super) async fn tell(
    provider: &impl Provider,
    nodes: &[String],
    secret: &str,
    password: &str,
) -> Result<()> {
    let new = NewSecret { secret: secret.to_owned(), text: password.to_owned() };
    let text = serde_json::to_string(&new).expect("plain data is JSON");
    let each = nodes.iter().map(|node| tell_one(provider, node, &text));
    let failed: Vec<Error> = join_all(each).await.into_iter().filter_map(Result::err).collect();
    let Some(first) = failed.first() else { return Ok(()) };
    let why: Vec<String> = failed.iter().map(Error::reason).collect();
    Err(Error::failed(format!("{} of {} nodes did not take it", failed.len(), nodes.len()))
        .because(why.join("\n"))
        .hint(first.advice().unwrap_or("a container that is started again has it, too")))
}

async fn tell_one(provider: &impl Provider, node: &str, text: &str) -> Result<()> {
    let name = "new-secret.json";
    provider.put_file(node, CONFIG_DIR, name, text).await?;
    let request = Request::SecretFile { path: format!("{CONFIG_DIR}/{name}") };
    let ran = provider.exec(node, &request.argv(), NODE_DEADLINE).await?;
    if ran.code == 0 {
        return Ok(());
    }
    let why = ran.stderr.trim().trim_start_matches("pgha-node: failed: ").to_owned();
    Err(Error::failed(node).because(why))
}

/// Waits until the role is the same on every node, replicas log in as it, and every Patroni takes the password of its API.
pub(super) async fn until_all_have_it(
    provider: &impl Provider,
    account: &Account,
    plan: &Plan,
    work: &Work,
) -> Result<()> {
    let began = Instant::now();
    loop {
        let behind = behind(provider, account, plan).await;
        let Some((first, _)) = behind.first() else { return Ok(()) };
        work.at("waiting until every node has it", first);
        if began.elapsed() > KNOWN_DEADLINE {
            let why: Vec<String> =
                behind.iter().map(|(node, why)| format!("{node}: {why}")).collect();
            return Err(Error::deadline(format!(
                "not every node has the new password of {account} after {} s",
                KNOWN_DEADLINE.as_secs()
            ))
            .because(why.join("\n")));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Nodes that do not have it yet, and why not.
async fn behind(provider: &impl Provider, account: &Account, plan: &Plan) -> Vec<(String, String)> {
    let Some((leader, role)) = plan.alter_on.as_ref().zip(account.role()) else {
        // With the new password it asks every other one.
        let Some(node) = plan.told.first() else { return Vec::new() };
        let refused = patroni::reload(provider, node).await.err();
        return refused.map(|error| (node.clone(), error.reason())).into_iter().collect();
    };
    let known = match fingerprint(provider, leader, role).await {
        Ok(known) => known,
        Err(error) => return vec![(leader.clone(), error.reason())],
    };
    let known = &known;
    let each = plan.replicated_to.iter().filter(|node| *node != leader).map(async |node| {
        let why = match fingerprint(provider, node, role).await {
            Ok(here) if here == *known => None,
            Ok(_) => Some("it has not replayed the change".to_owned()),
            Err(error) => Some(error.reason()),
        };
        let why = match why {
            None if *account == Account::Own("replicator") => {
                logs_in(provider, node).await.err().map(|error| error.reason())
            }
            why => why,
        };
        why.map(|why| (node.clone(), why))
    });
    join_all(each).await.into_iter().flatten().collect()
}

async fn fingerprint(provider: &impl Provider, node: &str, role: &str) -> Result<String> {
    let ran = provider.exec(node, &psql(&fingerprint_query(role)), NODE_DEADLINE).await?;
    match ran.stdout.trim() {
        "" => Err(Error::failed("Postgres does not say").because(ran.stderr.trim())),
        known => Ok(known.to_owned()),
    }
}

/// By the file that its WAL receiver logs in with, to the server that this is for.
async fn logs_in(provider: &impl Provider, node: &str) -> Result<()> {
    let argv = ["sh", "-c", LOG_IN, "sh", &format!("{CONFIG_DIR}/pgpass")];
    let ran = provider.exec(node, &argv, NODE_DEADLINE).await?;
    if ran.code == 0 {
        return Ok(());
    }
    Err(Error::failed("its WAL receiver has the old password").because(ran.stderr.trim()))
}
