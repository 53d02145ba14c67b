//! From a spec to files on disk: instance, ports and subnets chosen, secrets made, the compose file
//! written. Nothing is overwritten that is not this cluster's, unless `--force` says so; then the old
//! files stay beside the new ones with the ending `.old`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pgha_core::estimate::Needs;
use pgha_core::lint::has_errors;
use pgha_core::render;
use pgha_core::spec::{Repo2, Spec};
use pgha_core::topology::{HostChoices, Role, Topology};

use crate::cli::OutputArgs;
use crate::cluster::Cluster;
use crate::compose_file::{self, Found};
use crate::error::{Error, OrFail, Result};
use crate::host::{Taken, UNDERLAYS};
use crate::{host, kept_file, screen, secrets};

/// A cluster whose files are on disk.
#[derive(Debug)]
pub(crate) struct Generated {
    /// The cluster.
    pub(crate) topology: Topology,
    /// Its compose file, absolute.
    pub(crate) file: PathBuf,
    /// Whether anything had to be written.
    pub(crate) written: bool,
}

/// Writes the files of a cluster, or finds that they are there.
///
/// # Errors
/// When another cluster or file is in the way, the name or instance is taken, or the disk says no.
pub(crate) fn generate(spec: Spec, output: &OutputArgs, existing: &[Cluster]) -> Result<Generated> {
    let file = std::path::absolute(&output.output).or_fail("cannot find the output folder")?;
    let found = compose_file::read(&file)
        .or_else(|e| if output.force { Ok(Found::Foreign) } else { Err(e) })?;
    let (instance, kept) = match found {
        Found::Nothing => (free_instance(&spec, output, existing)?, None),
        Found::Foreign if output.force => (free_instance(&spec, output, existing)?, None),
        Found::Foreign => {
            return Err(Error::bad_input(format!("{} is not a file of pgha's", file.display()))
                .hint("write elsewhere with `-o`, or move it away; `--force` keeps it as .old"));
        }
        Found::Cluster(cluster) => {
            let (topology, choices) = *cluster;
            let same = topology.id.name == spec.name
                && output.instance.is_none_or(|n| n == topology.id.instance);
            let in_range = output
                .subnets
                .is_none_or(|range| choices.subnets.iter().all(|net| range.contains(net)));
            if same && topology.spec == spec && in_range {
                secrets::create(&topology, &secrets::dir_of(&file))?;
                return Ok(Generated { topology, file, written: false });
            }
            if !output.force {
                return Err(in_the_way(&topology, &spec, &file));
            }
            if same {
                refuse_to_change_a_running(&topology, existing)?;
                (topology.id.instance, in_range.then_some(choices))
            } else {
                (free_instance(&spec, output, existing)?, None)
            }
        }
    };

    let topology = Topology::new(spec, instance);
    refuse_shared_repository(&topology, existing)?;
    let choices = choose(&topology, kept, existing, output)?;
    let secrets_dir = secrets::dir_of(&file);
    compose_file::set_aside(&file)?;
    compose_file::set_aside(&secrets_dir)?;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)
            .or_fail(format!("cannot make the folder {}", folder.display()))?;
    }
    secrets::create(&topology, &secrets_dir)?;
    let relative = format!("./{}", secrets_dir.file_name().unwrap_or_default().to_string_lossy());
    write_whole(&file, &render::compose(&topology, &choices, &relative))?;
    Ok(Generated { topology, file, written: true })
}

/// Takes the cluster of a compose file as it is.
pub(crate) fn open(path: &Path) -> Result<Option<(Generated, HostChoices)>> {
    let file = std::path::absolute(path).or_fail("cannot find the compose file")?;
    match compose_file::read(&file)? {
        Found::Nothing => Ok(None),
        Found::Foreign => {
            Err(Error::bad_input(format!("{} is not a file of pgha's", file.display()))
                .hint("name another with `-o`"))
        }
        Found::Cluster(cluster) => {
            let (topology, choices) = *cluster;
            secrets::create(&topology, &secrets::dir_of(&file))?;
            Ok(Some((Generated { topology, file, written: false }, choices)))
        }
    }
}

fn in_the_way(there: &Topology, asked: &Spec, file: &Path) -> Error {
    let what = if there.spec == *asked {
        format!(
            "{} has cluster {} with another instance number or in other subnets",
            file.display(),
            there.id
        )
    } else if there.id.name == asked.name {
        format!("{} has cluster {} with another specification", file.display(), there.id)
    } else {
        format!("{} belongs to cluster {}", file.display(), there.id)
    };
    Error::bad_input(what)
        .hint("write elsewhere with `-o`; `--force` writes a new one and keeps the old as .old")
}

/// Two clusters would lock each other out of one folder: the WAL of each is refused as another database's.
fn refuse_shared_repository(topology: &Topology, existing: &[Cluster]) -> Result<()> {
    let folder = |topology: &Topology| match &topology.spec.backup.repo2 {
        Some(Repo2::Posix { path: Some(path) }) => {
            Some(fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from(path)))
        }
        _ => None,
    };
    let Some(own) = folder(topology) else { return Ok(()) };
    let other = existing.iter().find(|other| {
        other.id != topology.id && other.topology.as_ref().and_then(folder).as_ref() == Some(&own)
    });
    other.map_or(Ok(()), |other| {
        Err(Error::bad_input(format!(
            "{} is the second repository of cluster {}",
            own.display(),
            other.id
        ))
        .because("a repository is for one database")
        .hint("give this cluster a folder of its own"))
    })
}

/// Members are counted when their volumes are made: another specification needs a new cluster.
fn refuse_to_change_a_running(topology: &Topology, existing: &[Cluster]) -> Result<()> {
    if existing.iter().any(|c| c.id == topology.id) {
        return Err(Error::bad_input(format!(
            "cluster {} exists with another specification",
            topology.id
        ))
        .hint(format!(
            "`pgha down {} --volumes` first, or give `--instance` another number",
            topology.id
        )));
    }
    Ok(())
}

/// The instance number asked for, or the lowest that is free on this engine.
fn free_instance(spec: &Spec, output: &OutputArgs, existing: &[Cluster]) -> Result<u32> {
    let taken: BTreeSet<u32> = existing.iter().map(|c| c.id.instance).collect();
    let lowest =
        (1..u32::MAX).find(|n| !taken.contains(n)).expect("there are more numbers than clusters");
    if let Some(wanted) = output.instance {
        return match existing.iter().find(|c| c.id.instance == wanted) {
            None => Ok(wanted),
            Some(other) => Err(Error::bad_input(format!(
                "instance {wanted} is cluster {}",
                other.id
            ))
            .because(
                "etcd members, networks and the backup host are named after the instance alone",
            )
            .hint(format!("`--instance {lowest}` is free"))),
        };
    }
    match existing.iter().find(|c| c.id.name == spec.name) {
        None => Ok(lowest),
        Some(other) => Err(Error::bad_input(format!("there is a cluster {} already ({})", other.id, other.state()))
            .hint(format!(
                "`--instance {lowest}` makes a second one of that name; `pgha down {} --volumes` removes the first",
                other.id
            ))),
    }
}

/// Ports and subnets: those kept from an earlier file where they fit, else free ones.
fn choose(
    topology: &Topology,
    kept: Option<HostChoices>,
    existing: &[Cluster],
    output: &OutputArgs,
) -> Result<HostChoices> {
    let range = output.subnets.unwrap_or_else(|| UNDERLAYS.parse().expect("a constant"));
    let taken = Taken::by(existing);
    if let Some(kept) = kept {
        let fits = kept.subnets.len() == topology.sites.len()
            && topology.of_role(Role::Postgres).all(|m| kept.ports.contains_key(&m.name))
            && kept.ports.values().all(|port| host::port_is_free(*port));
        if fits {
            return Ok(kept);
        }
    }
    let needs = Needs::of(topology);
    let lacking = needs.lacking(&host::capacity(&needs, &taken, range));
    screen::tell(&screen::plan::findings(&lacking))?;
    if has_errors(&lacking) && !output.force {
        return Err(Error::failed("this host is too small for the cluster, by estimate"));
    }
    host::choose(topology, &taken, range)
}

/// Writes a file so that a reader sees all of it or nothing.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<()> {
    kept_file::write(path, text.as_bytes(), kept_file::PLAIN)
        .or_fail(format!("cannot write {}", path.display()))
}
