//! `pgha export`: files for programs beside a cluster: monitoring, and a proxy of the user's own.

use std::fs;
use std::path::Path;

use pgha_core::prometheus;
use pgha_core::render::{self, Login, ProxysqlSecrets, READ_ONLY_PORT, READ_WRITE_PORT};
use pgha_core::topology::{Member, Role};

use crate::cli::web::{Export, ExportPrometheus, ExportProxysql, ExportWhat};
use crate::cluster::{self, Among, Cluster};
use crate::docker::Engine;
use crate::error::{Error, OrFail as _, Result};
use crate::events::Events;
use crate::kept_file::{self, PLAIN, PRIVATE};
use crate::web::token::Token;
use crate::{member, project, secrets, terminal};

const RULES: &str = "rules.yml";
const TOKEN: &str = "token";

/// Carries out `pgha export`.
pub(crate) async fn run(args: &Export, events: &Events) -> Result<()> {
    match &args.what {
        ExportWhat::Prometheus(args) => self::prometheus(args, events).await,
        ExportWhat::Proxysql(args) => self::proxysql(args, events).await,
    }
}

async fn prometheus(args: &ExportPrometheus, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    let id = cluster::resolve(found, args.cluster.as_deref(), Among::All)?.id;
    let files = [
        ("prometheus.yml", prometheus::configuration(&id, args.port, TOKEN, RULES)),
        (RULES, prometheus::RULES.to_owned()),
        ("dashboard.json", prometheus::dashboard()),
    ];
    let dir = args.dir.as_path();
    if !args.force
        && let Some((name, _)) = files.iter().find(|(name, text)| differs(&dir.join(name), text))
    {
        return Err(Error::bad_input(format!("{} exists and differs", dir.join(name).display()))
            .hint("--force replaces it; -o writes to another folder"));
    }
    fs::create_dir_all(dir).or_fail(format!("cannot create {}", dir.display()))?;
    for (name, text) in &files {
        let path = dir.join(name);
        kept_file::write(&path, text.as_bytes(), PLAIN)
            .or_fail(format!("cannot write {}", path.display()))?;
    }
    let token = dir.join(TOKEN);
    Token::kept_in(&token)?;
    let names = files.iter().map(|(name, _)| *name).chain([TOKEN]);
    let paths: Vec<String> = names.map(|name| dir.join(name).display().to_string()).collect();
    events.note(format!(
        "`pgha web {id} --port {} --token-file {}` serves the metrics",
        args.port,
        token.display()
    ));
    terminal::print(&(paths.join("\n") + "\n"))
}

async fn proxysql(args: &ExportProxysql, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    let cluster = cluster::resolve(found, args.cluster.as_deref(), Among::Created)?;
    let topology = cluster.topology()?;
    let nodes: Vec<&Member> = topology.of_role(Role::Postgres).collect();
    let site = match &args.site {
        Some(name) => member::site(topology, name)?,
        None => topology.site(nodes.first().map_or(1, |node| node.site)),
    };
    let path = &args.file;
    if path.exists() && !args.force {
        return Err(Error::bad_input(format!("{} exists", path.display()))
            .hint("--force replaces it; -o writes another file"));
    }
    let secrets = proxysql_secrets(&cluster)?;
    let text = render::proxysql(topology, site.number, &secrets);
    kept_file::write(path, text.as_bytes(), PRIVATE)
        .or_fail(format!("cannot write {}", path.display()))?;
    // A member of that site whose network it shares: a proxy before a node, which is restarted more often.
    let here = |role| topology.of_role(role).find(|member| member.site == site.number);
    let beside = here(Role::Proxy).or_else(|| here(Role::Postgres)).or_else(|| here(Role::Etcd));
    if let Some(beside) = beside {
        events.note(format!(
            "`docker run -d --network container:{} -v {}:/etc/proxysql.cnf:ro proxysql/proxysql:3.0.6` runs it in {}: \
             port {READ_WRITE_PORT} for the leader, {READ_ONLY_PORT} for replicas",
            beside.name,
            std::path::absolute(path).unwrap_or_else(|_| path.clone()).display(),
            site.name,
        ));
    }
    terminal::print(&format!("{}\n", path.display()))
}

/// The users of the cluster file, or where there is none the superuser. The first asks nodes whether they are replicas, which
/// every role may.
fn proxysql_secrets(cluster: &Cluster) -> Result<ProxysqlSecrets> {
    let file = project::secrets_beside(cluster)?;
    let users = &cluster.topology()?.spec.server.users;
    let names = if users.is_empty() { vec!["postgres".to_owned()] } else { users.clone() };
    let login = |name: String| Ok(Login { password: secrets::password(&file, &name)?, name });
    let users = names.into_iter().map(login).collect::<Result<Vec<Login>>>()?;
    Ok(ProxysqlSecrets {
        monitor: users[0].clone(),
        users,
        admin_password: secrets::new_password(),
    })
}

/// There is a file with another text.
fn differs(path: &Path, text: &str) -> bool {
    path.exists() && fs::read(path).is_ok_and(|there| there != text.as_bytes())
}
