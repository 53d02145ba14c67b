//! `pgha config set`, `unset` and `edit`: checked, shown, agreed to, and told to Patroni.

use pgha_core::agent::Request;
use pgha_core::config::{Change, Config, Plan, Refused, Trial};
use pgha_core::status::{ClusterView, ContainerState, MemberView};
use pgha_core::words::list;
use serde::Serialize;

use super::{Running, applied, editor, key, text_of};
use crate::agree::agree;
use crate::cli::config::{ConfigChange, ConfigEdit, ConfigSet, ConfigUnset};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::provider::Provider;
use crate::{patroni, terminal};

/// Where files for a node are put.
const FOLDER: &str = "/tmp";

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Done {
    cluster: String,
    changes: Vec<Change>,
    /// Parameters of Postgres among them that wait for a restart.
    restart: Vec<String>,
    /// Nodes that wait for one.
    restart_on: Vec<String>,
    risks: Vec<String>,
    /// Nothing was changed.
    dry_run: bool,
}

/// Carries out `pgha config set`.
pub(super) async fn set(args: &ConfigSet, events: &Events) -> Result<()> {
    let (running, words) = Running::to_change(&args.words, "set").await?;
    let pair = |word: &String| {
        let (name, value) = word.split_once('=').ok_or_else(|| {
            Error::bad_input(format!("`{word}` is no setting with a value"))
                .hint(format!("`pgha config set {} work_mem=64MB`", running.cluster.id))
        })?;
        Ok((key(name)?, Some(value.to_owned())))
    };
    let asked = words.iter().map(pair).collect::<Result<Vec<_>>>()?;
    demand_some(asked.is_empty(), "set", "work_mem=64MB", &running)?;
    let plan = Plan::of(running.cluster.topology()?, &running.made_as, &running.config, asked);
    make(&running, plan, args.change, events).await
}

/// Carries out `pgha config unset`.
pub(super) async fn unset(args: &ConfigUnset, events: &Events) -> Result<()> {
    let (running, words) = Running::to_change(&args.words, "unset").await?;
    let asked = words.iter().map(|word| Ok((key(word)?, None))).collect::<Result<Vec<_>>>()?;
    demand_some(asked.is_empty(), "unset", "work_mem", &running)?;
    let plan = Plan::of(running.cluster.topology()?, &running.made_as, &running.config, asked);
    make(&running, plan, args.change, events).await
}

fn demand_some(none: bool, verb: &str, example: &str, running: &Running) -> Result<()> {
    if none {
        return Err(Error::bad_input("no setting is named")
            .hint(format!("`pgha config {verb} {} {example}`", running.cluster.id)));
    }
    Ok(())
}

/// Carries out `pgha config edit`.
pub(super) async fn edit(args: &ConfigEdit, events: &Events) -> Result<()> {
    let words: Vec<String> = args.cluster.iter().cloned().collect();
    let (running, rest) = Running::to_change(&words, "edit").await?;
    if let Some(name) = rest.first() {
        return Err(
            Error::missing(format!("there is no cluster `{name}`")).hint("`pgha list` shows all")
        );
    }
    let id = &running.cluster.id;
    let header = format!(
        "# The dynamic configuration of cluster {id}, as Patroni keeps it in etcd.\n\
         # Save to change it; an empty file changes nothing.\n\n"
    );
    let before = header + &text_of(&running.config)?;
    let edited = editor::edit(&before)?;
    let read = Config::from_text(edited.text())
        .map_err(|why| Error::bad_input("the edited text is not TOML").because(why));
    let planned = read.and_then(|wanted| match wanted {
        None => Ok(None),
        Some(wanted) => {
            let topology = running.cluster.topology()?;
            Ok(Some(Plan::between(topology, &running.made_as, &running.config, &wanted)))
        }
    });
    let made = match planned {
        Ok(None) => {
            events.of(id).note("the file is empty: nothing was changed");
            Ok(())
        }
        Ok(Some(plan)) => make(&running, plan, args.change, events).await,
        Err(error) => Err(error),
    };
    made.map_err(|error| match edited.keep() {
        Some(path) => error.also_hint(&format!("the edited text is kept in {}", path.display())),
        None => error,
    })
}

fn refusal(refused: &Refused) -> Error {
    Error::bad_input(refused.to_string()).hint(refused.hint())
}

/// Makes a change, once Postgres takes it and somebody agrees to what is at stake.
async fn make(
    running: &Running,
    plan: Result<Plan, Refused>,
    how: ConfigChange,
    events: &Events,
) -> Result<()> {
    let plan = plan.map_err(|refused| refusal(&refused))?;
    let Running { engine, cluster, view, .. } = running;
    let (id, events) = (&cluster.id, &events.of(&cluster.id));
    if let Some(trial) = &plan.trial {
        let work = events.begin("settings of Postgres");
        work.at("trying them", "");
        rehearse(engine, a_node(view)?, trial).await?;
        work.done("Postgres takes the settings");
    }
    let restart = match plan.parameters.as_slice() {
        [] => Vec::new(),
        parameters => {
            let known = patroni::waiting_for_restart(engine, a_node(view)?, parameters).await;
            // A Postgres that does not run is no reason not to mend its settings.
            known.unwrap_or_else(|error| {
                events.note(error.reason());
                Vec::new()
            })
        }
    };
    for change in &plan.changes {
        let restart = restart.contains(&change.setting.to_ascii_lowercase());
        let restart = if restart { " (needs a restart)" } else { "" };
        events.note(format!("{change}{restart}"));
    }
    let mut restart_on = Vec::new();
    if plan.changes.is_empty() {
        events.note("nothing is changed: the settings are so already");
    } else if !how.dry_run {
        if let risks @ [_, ..] = plan.risks.as_slice() {
            let question = format!("{}. Change it in cluster {id}?", risks.join("; "));
            agree(how.yes, &question, "--yes confirms beforehand, --dry-run only prints")?;
        }
        let (work, changed_s) = (events.begin(format!("config {id}")), applied::now_s());
        work.at("changing the configuration", "");
        tell_patroni(engine, a_node(view)?, &plan).await?;
        restart_on = applied::until_on_every_node(engine, view, changed_s, &work).await?;
        work.done("the change is in force on every node that runs");
        // A value that runs already needs none.
        if !restart.is_empty() && !restart_on.is_empty() {
            let on = list(&restart_on);
            events.note(format!(
                "{} on {on}: `pgha restart {id} --rolling --pending`",
                waits(&restart)
            ));
        }
    } else if !plan.risks.is_empty() {
        events.note(format!("at stake: {}", plan.risks.join("; ")));
    }
    if how.json {
        let (cluster, dry_run) = (id.to_string(), how.dry_run);
        let Plan { changes, risks, .. } = plan;
        terminal::print_json(&Done { cluster, changes, restart, restart_on, risks, dry_run })?;
    }
    Ok(())
}

fn waits(parameters: &[String]) -> String {
    let verb = if parameters.len() == 1 { "waits" } else { "wait" };
    format!("{} {verb} for a restart (pending restart)", parameters.join(", "))
}

/// A node that runs: one that streams, else one whose Patroni answers, else any.
fn a_node(view: &ClusterView) -> Result<&str> {
    let runs = |node: &&MemberView| node.container_state == ContainerState::Running;
    let rank =
        |node: &&MemberView| (node.state.as_deref() != Some("streaming"), node.role.is_none());
    let node = view.nodes().filter(runs).min_by_key(rank);
    node.map_or_else(|| patroni::answering(view), |node| Ok(node.name.as_str()))
}

/// A name that no other command has.
fn file_name(what: &str) -> String {
    let now = jiff::Timestamp::now().as_nanosecond();
    format!("pgha-{what}-{}-{now}.json", std::process::id())
}

/// Has Postgres start with the settings, in a database of its own.
async fn rehearse(engine: &Engine, node: &str, trial: &Trial) -> Result<()> {
    let name = file_name("trial");
    let text = serde_json::to_string(trial).expect("plain data is JSON");
    engine.put_file(node, FOLDER, &name, &text).await?;
    let request = Request::RehearseFile { path: format!("{FOLDER}/{name}") };
    engine.exec_step(node, &request.argv(), |_| {}).await.map_err(|error| {
        Error::bad_input("Postgres does not start with these settings")
            .because(error.cause())
            .hint("nothing was changed; correct the value")
    })
}

async fn tell_patroni(engine: &Engine, node: &str, plan: &Plan) -> Result<()> {
    let name = file_name("patch");
    let path = format!("{FOLDER}/{name}");
    engine.put_file(node, FOLDER, &name, &plan.patch.to_string()).await?;
    let told = patroni::apply(engine, node, &path).await;
    let removed = patroni::remove(engine, node, &path).await;
    told.and(removed)
}
