//! `pgha prove`: every row of the survival table, done and compared.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pgha_core::drill::{Case, Prediction, Proof, Proved, cases};
use pgha_core::page::{self, Conditions};
use pgha_wan::units::format_duration;

use crate::cli::Prove;
use crate::cluster::{self, Among};
use crate::command::drill::folder::conditions;
use crate::docker::Engine;
use crate::drill::{Course, Healthy, Pace};
use crate::error::{Error, Exit, OrFail as _, Result};
use crate::events::Events;
use crate::{screen, terminal};

/// What a row takes beside its steps: placing the leader and cloning what was lost, about.
const AROUND: Duration = Duration::from_secs(15);

/// Carries out `pgha prove`.
pub(crate) async fn run(args: &Prove, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let name = args.cluster.as_deref();
    let cluster = cluster::resolve(cluster::find(&engine).await?, name, Among::Created)?;
    let events = &events.of(&cluster.id);
    let topology = cluster.topology()?;
    let any = pgha_core::drill::by_name("leader-killed").expect("it is in the catalogue");
    let healthy =
        Course { engine: &engine, id: &cluster.id, drill: &any, events, pace: Pace::Alone }
            .healthy()
            .await?;
    let (durability, timers) = (healthy.durability(), healthy.settings.timers());
    let all = cases(topology, durability, args.extent.most());
    let mut proof = begun(args.report_dir.as_deref(), &healthy, args.seed)?;
    let left: Vec<&Case> = all.iter().filter(|case| !proof.has(case)).collect();
    let took = left.iter().map(|case| case.drill(durability, timers).estimate(timers) + AROUND);
    events.note(format!(
        "{} rows of the survival table, {} of them to do: about {}",
        all.len(),
        left.len(),
        format_duration(Duration::from_secs(took.sum::<Duration>().as_secs().div_ceil(60) * 60))
    ));
    if args.dry_run {
        return terminal::print(&screen::drill::cases(&all));
    }
    let (count, conditions) = (left.len(), conditions(topology));
    for (case, number) in left.into_iter().zip(1_u64..) {
        let drill = case.drill(durability, timers);
        let title = format!("{number} of {count}: {}", case.name());
        let course =
            Course { engine: &engine, id: &cluster.id, drill: &drill, events, pace: Pace::Alone };
        let done = async {
            course.place_leader(&case.lost, case.leader).await?;
            Box::pin(course.run(case.expected, proof.seed.wrapping_add(number), &title)).await
        };
        let (run, failed) = match Box::pin(done).await {
            Ok(run) => (Some(run.report), None),
            Err(error) => (None, Some(error)),
        };
        let why = failed.as_ref().map(Error::reason);
        proof.put(Proved { case: case.clone(), run, why });
        keep(args.report_dir.as_deref(), &proof, &conditions)?;
        // Only that nobody there may lead is about this row alone.
        if let Some(error) = failed.filter(|error| error.exit_code() != Exit::Missing as u8) {
            return Err(error.also_hint("`pgha prove` again with the same --report goes on"));
        }
    }
    if args.json {
        terminal::print_json(&proof)?;
    } else {
        terminal::print(&screen::drill::proof(&proof))?;
    }
    if proof.passed() {
        return Ok(());
    }
    let refuted = proof.count(Prediction::Refuted);
    Err(Error::violated(format!(
        "{refuted} rows are refuted, {} were not reached",
        proof.count(Prediction::NotReached)
    ))
    .hint("docs/drills.md explains the verdict"))
}

/// What is there of an earlier run of the same, else nothing.
fn begun(folder: Option<&Path>, healthy: &Healthy, seed: Option<u64>) -> Result<Proof> {
    let topology = healthy.cluster.topology()?;
    let timers = healthy.settings.timers();
    let fresh = Proof {
        cluster: topology.id.to_string(),
        spec: topology.spec.to_toml(),
        layout: topology.layout.to_string(),
        durability: healthy.durability(),
        timers: format!("{}/{}/{}", timers.ttl_s, timers.loop_wait_s, timers.retry_timeout_s),
        seed: seed.unwrap_or_else(rand::random),
        rows: Vec::new(),
    };
    let Some(folder) = folder else { return Ok(fresh) };
    let path = folder.join(PROOF);
    let Ok(text) = fs::read_to_string(&path) else { return Ok(fresh) };
    let shown = path.display();
    let there: Proof = serde_json::from_str(&text).or_fail(format!("{shown} cannot be read"))?;
    let of = |proof: &Proof| {
        let Proof { cluster, spec, layout, durability, timers, .. } = proof.clone();
        (cluster, spec, layout, durability, timers)
    };
    if of(&there) == of(&fresh) {
        return Ok(there);
    }
    Err(Error::bad_input(format!("{shown} is of another cluster, or of other settings or members"))
        .because(format!("{} with {}, timers {}", there.cluster, there.durability, there.timers))
        .hint("give another folder to --report"))
}

/// Name of the file that it can be gone on with.
const PROOF: &str = "proof.json";

fn keep(folder: Option<&Path>, proof: &Proof, conditions: &Conditions) -> Result<()> {
    let Some(folder) = folder else { return Ok(()) };
    let cannot = || format!("cannot write into {}", folder.display());
    fs::create_dir_all(folder).or_fail(cannot())?;
    let json = serde_json::to_string_pretty(proof).expect("plain data is JSON");
    let text = anstream::adapter::strip_str(&screen::drill::proof(proof)).to_string();
    let html = page::proof(proof, conditions);
    let files =
        [(PROOF, json), ("junit.xml", proof.junit()), ("proof.txt", text), ("proof.html", html)];
    for (name, text) in files {
        crate::kept_file::write(&folder.join(name), text.as_bytes(), crate::kept_file::PLAIN)
            .or_fail(cannot())?;
    }
    Ok(())
}
