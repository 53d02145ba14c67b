//! `pgha add`, `remove` and `scale`: a plan first, then its steps, one member after the other, and what came of them.

use std::time::{Duration, Instant};

use pgha_core::layout_change::Step as LayoutStep;
use pgha_core::names::meant_as_whole;
use pgha_core::scale::{Asked, Journal, Plan, Sizes, Step};
use pgha_core::steps::{StepDone, StepJournal as _};
use pgha_core::topology::{Role, Topology};
use pgha_core::words::either;
use pgha_wan::units::whole_ms;
use serde::Serialize;

use crate::agree::agree;
use crate::bring_up;
use crate::cli::{Add, AddWhat, ChangeArgs, Each, Remove, Scale};
use crate::cluster::{self, Among, Cluster, Meant};
use crate::command::members::unknown_to;
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::load::probe::{Probe, Probed};
use crate::scale::Scaling;
use crate::waiting::{self, Waiter};
use crate::{interrupt, member, screen, terminal};

/// What `--json` prints once it is done.
#[derive(Debug, Serialize)]
struct Done {
    cluster: String,
    asked: String,
    /// Generation of the layout now.
    generation: u32,
    /// Who leads now.
    leader: Option<String>,
    steps: Vec<StepDone<Step>>,
    /// Times without writes; null where no leader was moved.
    #[serde(flatten)]
    probed: Probed,
    took_ms: u64,
}

/// Carries out `pgha add`.
pub(crate) async fn add(args: &Add, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let clusters = cluster::find(&engine).await?;
    match &args.what {
        AddWhat::Node(add) | AddWhat::Etcd(add) => {
            let (meant, rest) = split(clusters.clone(), &add.words)?;
            let topology = meant.cluster.topology()?;
            let [site] = rest else {
                if let [name, _] = rest {
                    // Two words are a cluster and a site.
                    cluster::resolve(clusters, Some(name), Among::Created)?;
                }
                return Err(Error::bad_input("the site of the new member is missing")
                    .because(format!("there are {}", sites(topology)))
                    .hint(format!(
                        "`pgha add node {} {}`",
                        meant.cluster.id,
                        first_site(topology)
                    )));
            };
            let site = member::site(topology, site)?.number;
            let etcd = matches!(args.what, AddWhat::Etcd(_));
            let role = if etcd { Role::Etcd } else { Role::Postgres };
            let asked = Asked::Add { role, site, count: add.count };
            Box::pin(change(&engine, meant, Some(asked), add.how, events)).await
        }
        AddWhat::DataCenter(add) => {
            let meant = cluster::meant(clusters, add.cluster.as_deref(), Among::Created)?;
            let asked = Asked::AddDataCenter { nodes: add.nodes, etcd: add.etcd };
            Box::pin(change(&engine, meant, Some(asked), add.how, events)).await
        }
    }
}

/// Carries out `pgha remove`.
pub(crate) async fn remove(args: &Remove, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let (meant, words) = split(cluster::find(&engine).await?, &args.words)?;
    let id = &meant.cluster.id;
    if words.is_empty() {
        return Err(Error::bad_input("the members to remove are missing")
            .because(format!("`pgha down {id}` removes the cluster as a whole"))
            .hint(format!("`pgha status {id} --all` lists members")));
    }
    let topology = meant.cluster.topology()?;
    let all = topology.containers();
    let names: Vec<&str> = all.iter().map(String::as_str).collect();
    let (mut members, mut numbers) = (Vec::new(), Vec::new());
    for word in words {
        let site = topology.sites.iter().find(|site| site.name.eq_ignore_ascii_case(word));
        match site {
            Some(site) => numbers.push(site.number),
            // One that a change which goes on has removed already is named by it.
            None if meant_as_whole(&names, word).is_empty() => match meant.cluster.change()? {
                Some(journal) if removes(&journal, word) => members.push(word.clone()),
                _ => return Err(unknown_to(id, word)),
            },
            None => members.push(member::pick(&names, word)?.to_owned()),
        }
    }
    let asked = Asked::Remove { members, sites: numbers };
    Box::pin(change(&engine, meant, Some(asked), args.how, events)).await
}

fn removes(journal: &Journal, word: &str) -> bool {
    matches!(&journal.asked, Asked::Remove { members, .. } if members.iter().any(|m| m == word))
}

/// Carries out `pgha scale`.
pub(crate) async fn scale(args: &Scale, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let clusters = cluster::find(&engine).await?;
    let meant = cluster::meant(clusters, args.cluster.as_deref(), Among::Created)?;
    let numbers =
        |each: &Option<Each>| each.as_ref().map(|each| each.0.clone()).unwrap_or_default();
    let sizes = Sizes { nodes: numbers(&args.nodes), etcd: numbers(&args.etcd) };
    let asked = (!args.resume).then_some(Asked::Scale(sizes));
    Box::pin(change(&engine, meant, asked, args.how, events)).await
}

/// The cluster that is named first, else that of the first member, else the one that is meant; and the other words.
fn split(clusters: Vec<Cluster>, words: &[String]) -> Result<(Meant, &[String])> {
    let named =
        |word: &String| clusters.iter().any(|c| c.id.name == *word || c.id.to_string() == *word);
    match words {
        [first, rest @ ..] if named(first) => {
            Ok((cluster::meant(clusters, Some(first), Among::Created)?, rest))
        }
        [first, ..] => {
            let all: Vec<&str> =
                clusters.iter().flat_map(|c| &c.containers).map(|c| c.name.as_str()).collect();
            if meant_as_whole(&all, first).len() == 1 {
                let (cluster, _) = member::find_in(clusters, first)?;
                return Ok((Meant { cluster, guessed: false }, words));
            }
            Ok((cluster::meant(clusters, None, Among::Created)?, words))
        }
        [] => Ok((cluster::meant(clusters, None, Among::Created)?, words)),
    }
}

fn sites(topology: &Topology) -> String {
    let names: Vec<&str> = topology.sites.iter().map(|site| site.name.as_str()).collect();
    names.join(", ")
}

fn first_site(topology: &Topology) -> &str {
    topology.sites.first().map_or("DC1", |site| &site.name)
}

/// Plans, shows, asks, and carries out; or goes on with the change that was interrupted.
async fn change(
    engine: &Engine,
    meant: Meant,
    asked: Option<Asked>,
    how: ChangeArgs,
    events: &Events,
) -> Result<()> {
    let Meant { cluster, guessed } = meant;
    let id = &cluster.id;
    let timeout = Duration::from_secs(how.wait.timeout);
    let scaling = Scaling::new(engine, &cluster, timeout, events)?;
    if how.dry_run {
        let plan = match (cluster.change()?, &asked) {
            (Some(journal), _) => goes_on(&scaling, &journal, asked.as_ref()).await?,
            (None, Some(asked)) => scaling.plan(asked, how.force).await?.1,
            (None, None) => return Err(nothing_goes_on(&cluster)),
        };
        return if how.json {
            terminal::print_json(&plan)
        } else {
            terminal::print(&screen::scale::plan(&plan))
        };
    }
    let lock = scaling.lock().await?;
    // Another command may have ended it meanwhile.
    let mut journal = match (scaling.cluster().await?.change()?, asked) {
        (Some(journal), asked) => {
            let plan = goes_on(&scaling, &journal, asked.as_ref()).await?;
            scaling.events.note(screen::scale::plan(&plan));
            scaling.events.note(format!("going on: {}", journal.told()));
            journal
        }
        (None, None) => return Err(nothing_goes_on(&cluster)),
        (None, Some(asked)) => {
            let (journal, plan) = scaling.plan(&asked, how.force).await?;
            scaling.events.note(screen::scale::plan(&plan));
            if let Some(question) = question(&plan, guessed) {
                agree(how.yes, &question, "--yes confirms beforehand, --dry-run only prints")?;
            }
            journal
        }
    };
    let began = Instant::now();
    let moves = journal.steps.iter().any(|step| {
        matches!(step.what, LayoutStep::MoveLeader { .. } | LayoutStep::RaiseLimits { .. })
    });
    let probe = if moves { Some(Probe::begin(engine, &cluster).await?) } else { None };
    let ended = tokio::select! {
        ended = scaling.go_on(&mut journal, &lock) => ended,
        () = interrupt::interrupted() => Err(stopped_at(&journal, &id.to_string())),
    };
    let whole = match ended {
        Ok(()) => whole(&scaling, timeout).await,
        Err(error) => Err(error),
    };
    let probed = match probe {
        Some(probe) => probe.end().await,
        None => Probed::default(),
    };
    let leader = whole?;
    report(id.to_string(), journal, leader, probed, whole_ms(began.elapsed()), how)
}

/// The plan of a change that was interrupted, where it is the one that was asked for.
async fn goes_on(scaling: &Scaling, journal: &Journal, asked: Option<&Asked>) -> Result<Plan> {
    if asked.is_some_and(|asked| *asked != journal.asked) {
        let id = scaling.cluster().await?.id;
        return Err(Error::failed(format!("cluster {id} has another change in progress"))
            .because(journal.told())
            .hint(journal.ways_on(&id.to_string())));
    }
    scaling.plan_of(journal).await
}

fn nothing_goes_on(cluster: &Cluster) -> Error {
    Error::bad_input(format!("cluster {} has no change of members in progress", cluster.id))
        .hint("there is nothing to resume")
}

/// What is asked before anything is done; nothing where something is added to a cluster that was named, and no loss is survived
/// less well than before.
fn question(plan: &Plan, guessed: bool) -> Option<String> {
    let id = &plan.cluster;
    let less = match plan.survived_less().as_slice() {
        [] => String::new(),
        some => format!(" The loss of {} is survived less well afterwards.", either(some)),
    };
    if !plan.removed.is_empty() {
        let gone = plan.removed.join(", ");
        let question = "with data? This cannot be undone.";
        return Some(format!("Remove {gone} of cluster {id}, {question}{less}"));
    }
    if !less.is_empty() {
        return Some(format!("{} of cluster {id}?{less}", plan.asked));
    }
    guessed.then(|| format!("{} of cluster {id}, the only one on this engine?", plan.asked))
}

fn stopped_at(journal: &Journal, id: &str) -> Error {
    Error::failed(format!("interrupted: {}, in cluster {id}", journal.told()))
        .hint(journal.ways_on(id))
}

/// Waits until every member is well; who leads.
async fn whole(scaling: &Scaling, timeout: Duration) -> Result<Option<String>> {
    let id = scaling.cluster().await?.id;
    let ready =
        waiting::until_ready(&scaling.provider, &id, timeout, Waiter::User, &scaling.events).await;
    match ready {
        Ok(ready) => Ok(ready.view.leader),
        Err(given_up) => {
            bring_up::show_guilty(&scaling.provider, &given_up, &scaling.events).await;
            let hint = format!("every step is done; `pgha status {id}` shows the progress");
            Err(given_up.error.also_hint(&hint))
        }
    }
}

fn report(
    cluster: String,
    journal: Journal,
    leader: Option<String>,
    probed: Probed,
    took_ms: u64,
    how: ChangeArgs,
) -> Result<()> {
    let done = Done {
        cluster,
        asked: journal.asked.to_string(),
        generation: journal.published,
        leader,
        steps: journal.progress.done,
        probed,
        took_ms,
    };
    if how.json {
        terminal::print_json(&done)?;
    } else {
        let seconds = Duration::from_millis(took_ms).as_secs_f64();
        let leads = done.leader.as_deref().unwrap_or("nobody");
        let writes = done.probed.no_writes_ms.map(|ms| {
            let away = Duration::from_millis(ms).as_secs_f64();
            format!("; no writes for {away:.2} s, {}", done.probed.lost())
        });
        terminal::print(&format!(
            "{}: {} done in {seconds:.1} s; {leads} leads{}\n",
            done.cluster,
            done.asked,
            writes.unwrap_or_default()
        ))?;
    }
    done.probed.judge(&done.cluster)
}
