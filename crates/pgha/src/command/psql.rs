//! `pgha psql`: a session on the leader, or with `--read-only` on a replica.
//!
//! Becomes the host's psql, else that of a member. Everything psql is told goes through libpq's
//! environment variables, so that arguments such as `-d other` add to it instead of replacing it.
//! The password is in none of them: psql reads it from a file.

use std::process::Command;

use pgha_core::connect::{self, Access, Address, CONNECT_TIMEOUT_S, DATABASE, USER};
use pgha_core::status::{ContainerState, Severity};
use pgha_core::topology::{Member, Role};

use crate::cli::Psql;
use crate::cluster::{Cluster, ClusterState};
use crate::connection::{self, Connection};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::{handover, member};

/// Variables of the caller that would turn the session elsewhere or keep it from the password file.
const UNSET: [&str; 9] = [
    "PGHOSTADDR",
    "PGPASSWORD",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGSSLMODE",
    "PGSSLNEGOTIATION",
    "PGCHANNELBINDING",
    "PGREQUIREAUTH",
    "PGLOADBALANCEHOSTS",
];

/// Carries out `pgha psql`.
pub(crate) async fn run(args: &Psql) -> Result<()> {
    let engine = Engine::connect().await?;
    let cluster = connection::cluster(&engine, args.cluster.as_deref()).await?;
    let asleep = match cluster.state() {
        ClusterState::Stopped => Some(("stopped", "starts")),
        ClusterState::Paused => Some(("paused (`docker pause`)", "resumes")),
        _ => None,
    };
    if let Some((how, wakes)) = asleep {
        let id = &cluster.id;
        return Err(Error::missing(format!("cluster {id} is {how}"))
            .hint(format!("`pgha start {id}` {wakes} it")));
    }
    let connection = Connection::of(&engine, &cluster).await?;
    if let Some(restore) = connection.restore().filter(|p| p.severity == Severity::Error) {
        // Its data may be those before the restore, those of the target, or of a node that is still copied.
        let mut nodes = cluster.topology()?.of_role(Role::Postgres);
        let node = nodes.next().map_or("NODE", |node| node.name.as_str());
        return Err(Error::failed(format!("a restore of cluster {} is in progress", cluster.id))
            .because(&restore.message)
            .hint(format!(
                "{}; `pgha exec {node} -- psql -U postgres` looks at that node as it is",
                restore.hint
            )));
    }
    let access = if args.read_only { Access::ReadOnly } else { Access::ReadWrite };
    let (connection, whatever) = chosen(args, &cluster, connection)?;
    let session =
        if whatever && !args.read_only { "any" } else { access.session().unwrap_or("any") };
    let mut command = match handover::which("psql") {
        Some(psql) => on_host(Command::new(psql), &cluster, &connection, (access, session))?,
        None => in_member(&engine, &cluster, &connection, (access, session)).await?,
    };
    handover::to(command.args(&args.arguments))
}

/// The ways to the nodes that are meant, and whether their role matters no more.
fn chosen(args: &Psql, cluster: &Cluster, connection: Connection) -> Result<(Connection, bool)> {
    let topology = cluster.topology()?;
    if let Some(wanted) = &args.node {
        let nodes: Vec<&str> = topology.of_role(Role::Postgres).map(|m| m.name.as_str()).collect();
        let node = member::pick(&nodes, wanted)?;
        return Ok((connection.only(|member| member.name == node), true));
    }
    let Some(wanted) = &args.site else { return Ok((connection, false)) };
    let site = member::site(topology, wanted)?;
    if topology.of_role(Role::Postgres).all(|node| node.site != site.number) {
        return Err(Error::bad_input(format!("{} has no Postgres node", site.name))
            .hint("another site, or no `--site`"));
    }
    Ok((connection.only(|member| member.site == site.number), true))
}

/// The host's psql. Only nodes that answer are named, since psql stops at one that does not.
fn on_host(
    mut psql: Command,
    cluster: &Cluster,
    connection: &Connection,
    (access, session): (Access, &str),
) -> Result<Command> {
    let answering = connection.answering(access);
    if answering.is_empty() {
        return Err(Error::missing(format!("no such node of cluster {} answers", cluster.id))
            .because("none of their ports on this host leads to a running Postgres")
            .hint(format!("`pgha status {}` says why", cluster.id)));
    }
    // Without it psql would ask for a password that nobody knows by heart.
    let passfile = connection.fresh_passfile().map_err(|e| {
        e.hint("the secrets are beside the compose file, readable by the user who generated it")
    })?;
    for name in UNSET {
        psql.env_remove(name);
    }
    psql.envs(environment(session, &answering)).env("PGPASSFILE", passfile);
    Ok(psql)
}

/// The psql of a member, the leader where it is known.
async fn in_member(
    engine: &Engine,
    cluster: &Cluster,
    connection: &Connection,
    (access, session): (Access, &str),
) -> Result<Command> {
    let topology = cluster.topology()?;
    let running = |member: &&Member| {
        cluster.container(&member.name).is_some_and(|c| c.state == ContainerState::Running)
    };
    let nodes: Vec<&Member> = topology.of_role(Role::Postgres).filter(running).collect();
    let node =
        nodes.iter().find(|m| Some(m.name.as_str()) == connection.leader()).or(nodes.first());
    let node = node.ok_or_else(|| {
        Error::missing(format!("no node of cluster {} runs", cluster.id))
            .hint(format!("`pgha status {}` says why", cluster.id))
    })?;

    let passfile = connection.passfile_in(engine, &node.name).await?;
    let mut docker = handover::docker_exec();
    docker.args(["--user", "postgres"]);
    for (name, value) in environment(session, &connection.inside(access)) {
        handover::env(&mut docker, name, value);
    }
    handover::env(&mut docker, "PGPASSFILE", passfile);
    docker.args([node.name.as_str(), "psql"]);
    Ok(docker)
}

/// The variables of libpq that say where to connect to.
fn environment(session: &str, addresses: &[Address]) -> [(&'static str, String); 6] {
    [
        ("PGHOST", connect::hosts(addresses)),
        ("PGPORT", connect::ports(addresses)),
        ("PGUSER", USER.to_owned()),
        ("PGDATABASE", DATABASE.to_owned()),
        ("PGCONNECT_TIMEOUT", CONNECT_TIMEOUT_S.to_string()),
        ("PGTARGETSESSIONATTRS", session.to_owned()),
    ]
}
