//! From the command line to a [`Spec`]: a file, flags, or a file with flags over it.

use pgha_core::lint;
use pgha_core::spec::Spec;

use crate::cli::SpecArgs;
use crate::cluster_file;
use crate::error::{Error, Result};
use crate::events::Events;

/// Reads the file, if one is named, and lays the flags over it.
pub(crate) fn spec(args: &SpecArgs) -> Result<Spec> {
    let mut spec = match &args.file {
        None => Spec::default(),
        Some(path) => cluster_file::read(path)?.0,
    };
    let set = |slot: &mut u32, given: Option<u32>| *slot = given.unwrap_or(*slot);
    set(&mut spec.data_centers, args.data_centers);
    set(&mut spec.nodes, args.nodes);
    set(&mut spec.must_suffice, args.must_suffice);
    set(&mut spec.postgres, args.postgres);
    spec.etcd = args.etcd.or(spec.etcd);
    spec.name = args.name.clone().unwrap_or(spec.name);
    spec.background |= args.background;
    spec.durability = args.durability.unwrap_or(spec.durability);
    spec.timers = args.timers.unwrap_or(spec.timers);
    spec.placement = args.placement.unwrap_or(spec.placement);
    spec.backup_transport = args.backup_transport.unwrap_or(spec.backup_transport);
    spec.backup.repo2 = args.repo2.clone().or(spec.backup.repo2);
    spec.wan.preset = args.wan_preset.or(spec.wan.preset);
    spec.wan.from_start |= args.wan_from_start;
    Ok(spec)
}

/// As [`spec`]; what the lint finds is told, and errors refuse it.
pub(crate) fn checked(args: &SpecArgs, events: &Events) -> Result<Spec> {
    let spec = spec(args)?;
    let findings = lint::check(&spec);
    events.findings(&findings);
    if lint::has_errors(&findings) {
        return Err(Error::bad_input("there can be no such cluster"));
    }
    Ok(spec)
}
