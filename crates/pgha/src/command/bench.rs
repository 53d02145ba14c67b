//! `pgha bench`: pgbench from each site against the leader, and what the WAN adds.
//!
//! It has a database of its own, which no table of a user's is in, and which is removed however the command ends.

use std::time::Duration;

use pgha_core::bench::{self, DATABASE, Figures, FromSite, MARK, Run, compared};
use pgha_core::connect::{Access, Target, USER};
use pgha_core::status::{ClusterView, ContainerState};
use pgha_core::topology::ClusterId;
use serde::Serialize;

use crate::cli;
use crate::cluster::{self, Among, Cluster};
use crate::connection::Connection;
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::{Events, Work};
use crate::provider::{Provider as _, psql};
use crate::{member, observe, screen, terminal};

/// How long a statement about the database may take: its commit waits for standbys.
const DEADLINE: Duration = Duration::from_secs(120);
/// Fills the tables.
const FILL: &str = r#"exec pgbench -i -q -s "$1" "$2" 2>&1"#;
/// Runs pgbench, and prints its report and the length of each transaction.
const RUN: &str = r#"set -eu
umask 077
folder=$(mktemp -d /tmp/pgha-bench.XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
pgbench -n --log "$@" > report 2> said || { tail -n 5 said >&2; exit 1; }
sed 's/^/# /' report
cat pgbench_log.* | cut -d ' ' -f 3"#;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Done {
    cluster: String,
    leader: String,
    leader_site: String,
    scale: u32,
    arguments: Vec<String>,
    sites: Vec<FromSite>,
    /// Sites without a run, and why.
    skipped: Vec<Skipped>,
}

/// A site without a run.
#[derive(Debug, Serialize)]
struct Skipped {
    site: String,
    why: String,
}

/// A site that pgbench runs in.
#[derive(Debug)]
struct Place {
    site: String,
    node: String,
}

/// Carries out `pgha bench`.
pub(crate) async fn run(args: &cli::Bench, events: &Events) -> Result<()> {
    let arguments = bench::arguments(&args.arguments).map_err(|own| {
        Error::bad_input(own.to_string()).hint("`pgha bench --help` lists what pgha has for it")
    })?;
    let engine = Engine::connect().await?;
    let found = cluster::find(&engine).await?;
    let cluster = cluster::resolve(found, args.cluster.as_deref(), Among::Created)?;
    let (id, events) = (&cluster.id, &events.of(&cluster.id));
    let view = observe::view(&engine, &cluster).await?;
    let leader = view.leader.clone().ok_or_else(|| {
        Error::missing(format!("cluster {id} has no leader to run against"))
            .hint(format!("`pgha status {id}` says why"))
    })?;
    let (from, skipped) = sites(&cluster, &view, &args.from)?;
    for Skipped { site, why } in &skipped {
        events.note(format!("not from {site}: {why}"));
    }
    let site_of = |node: &str| view.member(node).and_then(|member| member.site.clone());
    let leader_site = site_of(&leader).unwrap_or_default();
    let connection = Connection::of(&engine, &cluster).await?;
    let bench = Bench { engine: &engine, id, leader: &leader, connection };
    let work = events.begin(format!("bench {id}"));
    bench.make_database().await?;
    let ended = tokio::select! {
        ended = bench.carry_out(&from, args.scale, &arguments, &work) => ended,
        () = crate::interrupt::interrupted() => Err(Error::failed("interrupted").hint("nothing is left in the cluster")),
    };
    work.at("removing the database", DATABASE);
    let removed = bench.remove_database().await;
    drop(work);
    // A database that is left is worse than a run that is not.
    removed?;
    let sites = compared(ended?, &leader_site);
    let (cluster, scale) = (id.to_string(), args.scale);
    let done = Done { cluster, leader, leader_site, scale, arguments, sites, skipped };
    if args.json {
        return terminal::print_json(&done);
    }
    terminal::print(&screen::bench::draw(&done.sites))
}

/// The sites that are meant, each with a node that runs, one other than the leader where there is one.
fn sites(
    cluster: &Cluster,
    view: &ClusterView,
    asked: &[String],
) -> Result<(Vec<Place>, Vec<Skipped>)> {
    let topology = cluster.topology()?;
    let asked: Vec<&str> = asked
        .iter()
        .map(|word| Ok(member::site(topology, word)?.name.as_str()))
        .collect::<Result<_>>()?;
    let (mut from, mut skipped) = (Vec::new(), Vec::new());
    for site in &topology.sites {
        if !asked.is_empty() && !asked.contains(&site.name.as_str()) {
            continue;
        }
        let nodes = || view.nodes().filter(|node| node.site.as_ref() == Some(&site.name));
        let runs = nodes().filter(|node| node.container_state == ContainerState::Running);
        let node = runs.min_by_key(|node| view.leader.as_ref() == Some(&node.name));
        if let Some(node) = node {
            from.push(Place { site: site.name.clone(), node: node.name.clone() });
            continue;
        }
        let why = if nodes().next().is_none() {
            "it has no Postgres node, and so no pgbench"
        } else {
            "no node of it runs"
        };
        skipped.push(Skipped { site: site.name.clone(), why: why.to_owned() });
    }
    if from.is_empty() {
        let why = skipped.iter().map(|s| format!("{}: {}", s.site, s.why)).collect::<Vec<_>>();
        return Err(Error::missing("there is no site to run pgbench in")
            .because(why.join("\n"))
            .hint("`--from` with a site that has a node, or without it every such site"));
    }
    Ok((from, skipped))
}

/// A benchmark of a cluster.
#[derive(Debug)]
struct Bench<'a> {
    engine: &'a Engine,
    id: &'a ClusterId,
    leader: &'a str,
    connection: Connection,
}

impl Bench<'_> {
    async fn sql(&self, statement: &str, what: &str) -> Result<String> {
        let ran = self.engine.exec(self.leader, &psql(statement), DEADLINE).await?;
        if ran.code == 0 {
            return Ok(ran.stdout.trim().to_owned());
        }
        Err(Error::failed(what).because(ran.stderr.trim()))
    }

    /// Makes the database, after one that a killed command has left is removed.
    async fn make_database(&self) -> Result<()> {
        let look = format!(
            "select coalesce(shobj_description(oid, 'pg_database'), ''), \
             (select count(*) from pg_stat_activity where datid = d.oid) \
             from pg_database d where datname = '{DATABASE}'"
        );
        let there = self.sql(&look, "the databases cannot be listed").await?;
        if let Some((comment, sessions)) = there.rsplit_once('|') {
            let psql = format!("`pgha psql {} -- -c 'drop database {DATABASE}'`", self.id);
            if !comment.starts_with(MARK) {
                return Err(Error::bad_input(format!(
                    "cluster {} has a database {DATABASE} that `pgha bench` did not make",
                    self.id
                ))
                .because(format!("its comment is {comment:?}"))
                .hint(format!("rename it, or where nobody wants it: {psql}")));
            }
            if sessions != "0" {
                return Err(Error::failed("another `pgha bench` is at work on this cluster")
                    .because(format!("{sessions} sessions on {DATABASE}"))
                    .hint("again, once it has ended"));
            }
            self.remove_database().await?;
        }
        let what = format!("the database {DATABASE} is not made");
        self.sql(&format!("create database {DATABASE}"), &what).await?;
        let mark = format!("comment on database {DATABASE} is '{MARK} {}'", std::process::id());
        self.sql(&mark, &what).await.map(drop)
    }

    /// Also while pgbench is at it, which ends then.
    async fn remove_database(&self) -> Result<()> {
        let what = format!("the database {DATABASE} is not removed");
        let statement = format!("drop database if exists {DATABASE} with (force)");
        self.sql(&statement, &what).await.map(drop).map_err(|error| {
            error
                .hint("`pgha bench` again removes it at its beginning, and so does `drop database`")
        })
    }

    async fn carry_out(
        &self,
        from: &[Place],
        scale: u32,
        arguments: &[String],
        work: &Work,
    ) -> Result<Vec<(String, String, Figures)>> {
        work.at("filling the tables", &format!("scale {scale}"));
        self.fill(scale).await?;
        let mut runs = Vec::new();
        for Place { site, node } in from {
            work.at(&format!("pgbench from {site}"), node);
            let figures = self.run_from(site, node, arguments).await?;
            work.say(&format!("{site}: {:.0} tps, p50 {:.2} ms", figures.tps, figures.p50_ms));
            runs.push((site.clone(), node.clone(), figures));
        }
        Ok(runs)
    }

    async fn fill(&self, scale: u32) -> Result<()> {
        let scale = scale.to_string();
        let argv = ["sh", "-c", FILL, "sh", &scale, DATABASE];
        let mut said = Vec::new();
        let filled = self.engine.exec_step(self.leader, &argv, |line| said.push(line.to_owned()));
        filled.await.map_err(|error| {
            let last = said.last().cloned().unwrap_or_else(|| error.cause().to_owned());
            Error::failed("pgbench does not fill its tables").because(last)
        })
    }

    async fn run_from(&self, site: &str, node: &str, arguments: &[String]) -> Result<Figures> {
        let passfile = self.connection.passfile_in(self.engine, node).await?;
        let connection = self.connection.clone().in_site(Some(site))?;
        let addresses = connection.inside(Access::ReadWrite);
        let (access, addresses) = (Access::ReadWrite, &addresses[..]);
        let target = Target { access, addresses, user: USER, database: DATABASE, password: None };
        let target = format!("{} passfile={passfile}", target.keywords());
        let argv: Vec<&str> = ["sh", "-c", RUN, "sh"]
            .into_iter()
            .chain(arguments.iter().map(String::as_str))
            .chain([target.as_str()])
            .collect();
        let mut run = Run::default();
        let ran = self.engine.exec_step(node, &argv, |line| run.take(line)).await;
        ran.map_err(|error| {
            Error::failed(format!("pgbench fails in {node}")).because(error.cause())
        })?;
        run.figures().ok_or_else(|| Error::failed(format!("no transaction of {node} succeeded")))
    }
}
