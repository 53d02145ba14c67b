//! `pgha config`: the dynamic configuration of Patroni, shown, changed, compared and exported.

mod applied;
mod change;
mod editor;

use pgha_core::config::{Change, Config, Key};
use pgha_core::disk::DiskUse;
use pgha_core::status::ClusterView;
use serde::Serialize;

use crate::agree::agree;
use crate::cli::config::{ConfigDiff, ConfigExport, ConfigShow, ConfigVerb};
use crate::cluster::{self, Among, Cluster, Meant};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::screen::table;
use crate::{cli, observe, patroni, terminal};

/// A cluster, how it is, and the configuration that it runs with.
struct Running {
    engine: Engine,
    cluster: Cluster,
    view: ClusterView,
    config: Config,
    made_as: Config,
}

/// Carries out `pgha config`.
pub(crate) async fn run(args: &cli::config::Config, events: &Events) -> Result<()> {
    match &args.verb {
        ConfigVerb::Show(args) => show(args).await,
        ConfigVerb::Set(args) => change::set(args, events).await,
        ConfigVerb::Unset(args) => change::unset(args, events).await,
        ConfigVerb::Edit(args) => change::edit(args, events).await,
        ConfigVerb::Diff(args) => diff(args, events).await,
        ConfigVerb::Export(args) => export(args, events).await,
    }
}

impl Running {
    async fn of(engine: Engine, cluster: Cluster) -> Result<Self> {
        let view = observe::view(&engine, &cluster).await?;
        let text = patroni::config(&engine, &view).await?;
        let config = Config::parse(&text).ok_or_else(|| {
            Error::missing(format!("Patroni of cluster {} has no configuration yet", cluster.id))
                .hint(format!("`pgha status {}` says how far it is", cluster.id))
        })?;
        let topology = cluster.topology()?;
        let disk = view.disk.unwrap_or_else(|| DiskUse::of(topology, None));
        let made_as = Config::made_with(topology, disk.wal_keep_mib);
        Ok(Self { engine, cluster, view, config, made_as })
    }

    /// For what changes nothing.
    async fn named(name: Option<&str>) -> Result<Self> {
        let engine = Engine::connect().await?;
        let cluster = cluster::resolve(cluster::find(&engine).await?, name, Among::Created)?;
        Self::of(engine, cluster).await
    }

    /// For what changes something: the cluster that the first word names, else the one that is meant, after a question
    /// where nothing says so. With it the other words.
    async fn to_change<'a>(words: &'a [String], verb: &str) -> Result<(Self, &'a [String])> {
        let engine = Engine::connect().await?;
        let clusters = cluster::find(&engine).await?;
        let named = |word: &&String| {
            clusters.iter().any(|c| c.id.name == **word || c.id.to_string() == **word)
        };
        let name = words.first().filter(named);
        let rest = if name.is_some() { &words[1..] } else { words };
        let Meant { cluster, guessed } =
            cluster::meant(clusters, name.map(String::as_str), Among::Created)?;
        if guessed {
            let id = &cluster.id;
            let question = format!("config {verb}: cluster {id}, the only one on this engine?");
            agree(false, &question, &format!("name it: `pgha config {verb} {id} …`"))?;
        }
        Ok((Self::of(engine, cluster).await?, rest))
    }
}

/// The setting that a word names.
fn key(word: &str) -> Result<Key> {
    word.parse().map_err(|bad: pgha_core::config::BadKey| {
        Error::bad_input(format!("{word:?} is not the name of a setting"))
            .because(bad)
            .hint("`pgha config show` lists the settings; slots={…} sets all slots")
    })
}

async fn show(args: &ConfigShow) -> Result<()> {
    let running = Running::named(args.cluster.as_deref()).await?;
    let config = running.config.masked();
    if args.json {
        return terminal::print_json(config.as_json());
    }
    terminal::print(&text_of(&config)?)
}

fn text_of(config: &Config) -> Result<String> {
    config.to_text().map_err(|why| {
        Error::failed("the configuration cannot be shown as text")
            .because(why)
            .hint("`pgha config show --json` shows it")
    })
}

/// What `diff --json` prints.
#[derive(Debug, Serialize)]
struct Difference {
    cluster: String,
    /// `before` is what the cluster was made as, `after` what runs.
    differences: Vec<Change>,
}

async fn diff(args: &ConfigDiff, events: &Events) -> Result<()> {
    let running = Running::named(args.cluster.as_deref()).await?;
    let (id, differences) = (&running.cluster.id, running.config.differences(&running.made_as));
    let differ = !differences.is_empty();
    if args.json {
        let cluster = id.to_string();
        terminal::print_json(&Difference { cluster, differences })?;
    } else if differ {
        let row = |change: &Change| {
            let [made_as, runs] = change.values();
            vec![change.setting.clone(), runs, made_as]
        };
        let header = ["SETTING", "RUNS", "MADE AS"];
        let table = table::wrapped(&header, &[], differences.iter().map(row));
        terminal::print(&format!("{table}\n"))?;
    } else {
        events.of(id).note(format!("cluster {id} runs with the settings that it was made with"));
    }
    if differ && args.exit_code {
        return Err(Error::failed(format!(
            "cluster {id} runs with other settings than it was made with"
        ))
        .hint(format!("`pgha config export {id}` prints the cluster file of what runs")));
    }
    Ok(())
}

async fn export(args: &ConfigExport, events: &Events) -> Result<()> {
    let running = Running::named(args.cluster.as_deref()).await?;
    let id = &running.cluster.id;
    let export = running.config.export(running.cluster.topology()?, &running.made_as);
    let events = events.of(id);
    for left_out in export.left_out {
        events.note(format!("not in the file: {left_out}"));
    }
    if let Some(path) = &export.spec.server.init_sql {
        events.note(format!("{path} is wanted beside the file"));
    }
    let header = format!("# What cluster {id} runs with: `pgha config export {id}`.\n");
    terminal::print(&(header + &export.spec.to_toml()))
}
