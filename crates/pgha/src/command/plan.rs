//! `pgha plan`: placement and survival, before anything runs.
//!
//! stdout gets the plan (tables, JSON or the picture), stderr what there is to say about it. The
//! host is not changed, but for the file that `--svg` names, and asked for its free disk alone.

use std::io::ErrorKind;
use std::path::Path;

use pgha_core::lint;
use pgha_core::plan::Plan as Document;
use pgha_core::spec::Spec;
use pgha_core::svg::topology_svg;
use pgha_core::topology::Topology;

use crate::cli::{Plan, Variant};
use crate::command::{spec_args, variants};
use crate::docker::Engine;
use crate::error::{Error, OrFail, Result};
use crate::events::Events;
use crate::screen;
use crate::terminal;

/// Carries out `pgha plan`.
pub(crate) async fn run(args: &Plan, events: &Events) -> Result<()> {
    let spec = spec_args::spec(&args.spec)?;
    let svg_to_stdout = args.svg.as_deref() == Some(Path::new("-"));
    if svg_to_stdout && args.json {
        return Err(Error::bad_input("--json and --svg - both want stdout")
            .hint("name a file for the picture: --svg topology.svg"));
    }

    if !args.compare.is_empty() {
        return compare(&spec, &args.compare, events);
    }

    // A cluster can be planned without an engine, and then nothing is known of its disk.
    let disk = match Engine::connect().await {
        Ok(engine) => engine.disk().await,
        Err(_) => None,
    };
    let document = Document::of(&spec, disk);
    if args.json {
        let json = serde_json::to_string_pretty(&document).or_fail("cannot write the plan")?;
        terminal::print(&format!("{json}\n"))?;
    } else {
        events.findings(&document.findings);
    }
    refuse_errors(&document)?;

    let topology = Topology::new(spec, 1);
    if svg_to_stdout {
        return terminal::print(&topology_svg(&topology));
    }
    if let Some(path) = &args.svg {
        write_svg(path, &topology)?;
        events.note(format!("wrote {}", path.display()));
    }
    if !args.json {
        terminal::print(&screen::plan::tables(&topology, &document, args.all))?;
    }
    Ok(())
}

/// Prints what differs between variants of the cluster.
fn compare(spec: &Spec, values: &[Variant], events: &Events) -> Result<()> {
    let mut all = Vec::new();
    for (name, spec) in variants::of(spec, values)? {
        let plan = Document::of(&spec, None);
        if lint::has_errors(&plan.findings) {
            events.findings(&plan.findings);
            return refuse_errors(&plan);
        }
        all.push((name, Topology::new(spec, 1), plan));
    }
    terminal::print(&screen::compare::tables(&all))
}

/// Fails where there can be no such cluster.
fn refuse_errors(document: &Document) -> Result<()> {
    let errors = document.findings.iter().filter(|f| f.severity == lint::Severity::Error).count();
    match errors {
        0 => Ok(()),
        1 => Err(Error::bad_input("invalid cluster configuration (see above)")),
        more => Err(Error::bad_input(format!(
            "invalid cluster configuration (see the {more} errors above)"
        ))),
    }
}

/// Writes the picture; what is there already is overwritten only where it is a picture, too.
fn write_svg(path: &Path, topology: &Topology) -> Result<()> {
    match std::fs::read(path) {
        Ok(there) if !there.is_empty() && !there.starts_with(b"<svg") => {
            return Err(Error::bad_input(format!("{} is there and no SVG", path.display()))
                .hint("name another file for the picture"));
        }
        Err(e) if e.kind() != ErrorKind::NotFound => {
            return Err(Error::bad_input(format!("cannot write {}", path.display())).because(e));
        }
        Ok(_) | Err(_) => {}
    }
    std::fs::write(path, topology_svg(topology))
        .map_err(|e| Error::bad_input(format!("cannot write {}", path.display())).because(e))
}
