//! The report folder of a drill: what came of it, and all that it takes to judge it again.

use std::fs;
use std::path::{Path, PathBuf};

use pgha_core::drill::{Drill, Report, text_of};
use pgha_core::page::{self, Conditions, Record};
use pgha_core::topology::{Role, Topology};

use super::check;
use crate::drill::Run;
use crate::error::{OrFail as _, Result};
use crate::screen;

/// What a drill is measured under.
pub(in crate::command) fn conditions(topology: &Topology) -> Conditions {
    let spec = &topology.spec;
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let loads = read("/proc/loadavg");
    let load: Vec<&str> = loads.split(' ').take(3).collect();
    let facts = [
        ("pgha", env!("CARGO_PKG_VERSION").to_owned()),
        ("PostgreSQL", spec.postgres.to_string()),
        ("kernel", read("/proc/sys/kernel/osrelease")),
        ("load average before", load.join(" ")),
        ("members", members(topology)),
        ("begun", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
    ];
    let facts = facts.into_iter().filter(|(_, value)| !value.is_empty());
    Conditions {
        facts: facts.map(|(name, value)| (name.to_owned(), value)).collect(),
        cluster_toml: spec.to_toml(),
    }
}

/// What the members are where the cluster file no longer says it.
fn members(topology: &Topology) -> String {
    if topology.layout.generation() == 1 {
        return String::new();
    }
    let each = topology.sites.iter().map(|site| {
        let count = |role| topology.of_role(role).filter(|m| m.site == site.number).count();
        format!("{}: {} Postgres, {} etcd", site.name, count(Role::Postgres), count(Role::Etcd))
    });
    format!("generation {}; {}", topology.layout.generation(), each.collect::<Vec<_>>().join("; "))
}

/// A new folder for a drill: its name and the time.
pub(super) fn new(dir: &Path, drill: &str) -> Result<PathBuf> {
    let begun = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S");
    let folder = dir.join(format!("{drill}-{begun}"));
    fs::create_dir_all(&folder).or_fail(format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// What clients did in one run, what happened meanwhile and what members logged, a line each.
pub(super) fn keep_run(folder: &Path, number: usize, run: &Run) -> Result<()> {
    let mut history = Vec::new();
    run.history.write_to(&mut history).or_fail("the history cannot be written down")?;
    let path = check::history_path(folder, number);
    fs::write(&path, history).or_fail(format!("cannot write {}", path.display()))?;
    let happened = screen::events::json(&run.record.events);
    write(&folder.join(format!("run-{number}.events.jsonl")), &happened)?;
    write(&folder.join(format!("run-{number}.log")), &screen::events::log(&run.logs))
}

/// What came of all runs; `given` is the drill as it was named.
pub(super) fn keep(
    folder: &Path,
    report: &Report,
    records: &[Record],
    (drill, given): (&Drill, &str),
    conditions: &Conditions,
) -> Result<()> {
    let json = serde_json::to_string_pretty(report).expect("plain data is JSON");
    write(&folder.join("report.json"), &json)?;
    write(
        &folder.join("report.txt"),
        &anstream::adapter::strip_str(&screen::drill::report(report)).to_string(),
    )?;
    write(&folder.join("cluster.toml"), &conditions.cluster_toml)?;
    let text = match text_of(&drill.name) {
        Some(text) => text.to_owned(),
        None => fs::read_to_string(given).or_fail(format!("cannot read {given}"))?,
    };
    write(&folder.join("drill.toml"), &text)?;
    write(&folder.join("report.html"), &page::drill(report, records, conditions))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).or_fail(format!("cannot write {}", path.display()))
}
