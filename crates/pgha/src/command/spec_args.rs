//! From the command line to a [`Spec`]: a file, flags, or a file with flags over it.

use pgha_core::lint;
use pgha_core::spec::Spec;

use crate::cli::{OutputArgs, ShapeArgs, SpecArgs};
use crate::cluster_file;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::sizes;

/// As [`shape`], with the name that was given.
pub(crate) fn spec(args: &SpecArgs) -> Result<Spec> {
    let mut spec = shape(&args.shape)?;
    spec.name = name(args).map_or(spec.name, str::to_owned);
    Ok(spec)
}

/// Reads the file, if one is named, and lays the flags over it.
pub(crate) fn shape(args: &ShapeArgs) -> Result<Spec> {
    let mut spec = match &args.file {
        None => Spec::default(),
        Some(path) => cluster_file::read(path)?.0,
    };
    let set = |slot: &mut u32, given: Option<u32>| *slot = given.unwrap_or(*slot);
    sizes::set(&mut spec, args.data_centers, args.nodes.as_ref(), args.etcd.as_ref())?;
    set(&mut spec.must_suffice, args.must_suffice);
    set(&mut spec.postgres, args.postgres);
    spec.background |= args.background;
    spec.durability = args.durability.unwrap_or(spec.durability);
    spec.acknowledge = args.acknowledge.unwrap_or(spec.acknowledge);
    spec.timers = args.timers.unwrap_or(spec.timers);
    spec.placement = args.placement.unwrap_or(spec.placement);
    spec.backup_transport = args.backup_transport.unwrap_or(spec.backup_transport);
    spec.backup.repo2 = args.repo2.clone().or(spec.backup.repo2);
    spec.proxy = args.proxy.unwrap_or(spec.proxy);
    spec.wan.preset = args.wan_preset.or(spec.wan.preset);
    spec.wan.from_start |= args.wan_from_start;
    Ok(spec)
}

/// The name that was given, either way.
pub(crate) fn name(args: &SpecArgs) -> Option<&str> {
    args.cluster.as_ref().map(|cluster| cluster.name.as_str()).or(args.name.as_deref())
}

/// Where the files go, with the instance number of a name such as `demo-2`.
///
/// # Errors
/// When another number was asked for beside it.
pub(crate) fn output(args: &SpecArgs, output: &OutputArgs) -> Result<OutputArgs> {
    let named = args.cluster.as_ref().and_then(|cluster| cluster.instance);
    match (named, output.instance) {
        (Some(named), Some(other)) if named != other => Err(Error::bad_input(format!(
            "the instance number is {named} by the name and {other} by --instance"
        ))
        .hint("leave one of them out")),
        (named, other) => Ok(OutputArgs { instance: named.or(other), ..output.clone() }),
    }
}

/// Whether nothing is asked of the cluster but who it is.
pub(crate) fn only_names(args: &SpecArgs) -> bool {
    args.shape == ShapeArgs::default()
}

/// As [`spec`]; what the lint finds is told, and errors refuse it.
pub(crate) fn checked(args: &SpecArgs, events: &Events) -> Result<Spec> {
    let spec = spec(args)?;
    demand_possible(&spec, events)?;
    Ok(spec)
}

/// Tells what the lint finds.
///
/// # Errors
/// When there can be no such cluster.
pub(crate) fn demand_possible(spec: &Spec, events: &Events) -> Result<()> {
    let findings = lint::check(spec);
    events.findings(&findings);
    if lint::has_errors(&findings) {
        return Err(Error::bad_input("invalid cluster configuration"));
    }
    Ok(())
}
