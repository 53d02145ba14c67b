//! From a spec to files on disk: instance, ports and subnets chosen, secrets made, the compose file
//! written. Nothing is overwritten that is not this cluster's, unless `--force` says so; then the old
//! files stay beside the new ones with the ending `.old`, or `.old.1` and so on where there are such.
//! Files and secrets of a cluster that the engine has stay where they are in any case
//! ([`pgha_core::ownership`]).

#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pgha_core::estimate::Needs;
use pgha_core::lint::has_errors;
use pgha_core::ownership::{self, Identity, Known, Refusal};
use pgha_core::render;
use pgha_core::spec::{Repo2, Spec};
use pgha_core::status::NetworkFact;
use pgha_core::topology::{HostChoices, Topology};

use crate::cli::OutputArgs;
use crate::cluster::Cluster;
use crate::compose_file::{self, Found, There};
use crate::error::{Error, OrFail, Result};
use crate::events::Events;
use crate::host::{Taken, UNDERLAYS};
use crate::{host, kept_file, secrets};

/// A cluster whose files are on disk.
#[derive(Debug)]
pub(crate) struct Generated {
    /// The cluster.
    pub(crate) topology: Topology,
    /// What was chosen for it.
    pub(crate) choices: HostChoices,
    /// Its compose file, absolute.
    pub(crate) file: PathBuf,
    /// Whether anything had to be written.
    pub(crate) written: bool,
}

impl Generated {
    /// Which cluster it is.
    pub(crate) fn identity(&self) -> Identity {
        Identity { id: self.topology.id.clone(), uid: self.choices.uid.clone() }
    }

    /// Networks that an earlier `up` has left and that are not as the file wants them: with another subnet,
    /// or a second one of a name, which the engine allows.
    pub(crate) fn misfits<'a>(&self, networks: &'a [NetworkFact]) -> Vec<&'a NetworkFact> {
        let wanted: BTreeMap<&str, String> = self
            .topology
            .sites
            .iter()
            .zip(&self.choices.subnets)
            .map(|(site, subnet)| (site.network.as_str(), subnet.to_string()))
            .collect();
        let mut seen = BTreeSet::new();
        let fits = |network: &&NetworkFact| {
            network.subnet.as_ref() == wanted.get(network.name.as_str())
                && network.subnet.is_some()
                && seen.insert(network.name.clone())
        };
        let (_, misfits): (Vec<_>, Vec<_>) = networks.iter().partition(fits);
        misfits
    }
}

/// Writes the files of a cluster, or finds that they are there. `existing` is what the engine has; `None`
/// where it cannot be asked.
///
/// # Errors
/// When another cluster or file is in the way, the name or instance is taken, or the disk says no.
pub(crate) fn generate(
    spec: Spec,
    output: &OutputArgs,
    existing: Option<&[Cluster]>,
    events: &Events,
) -> Result<Generated> {
    let file = std::path::absolute(&output.output).or_fail("cannot find the output folder")?;
    refuse_path(&file)?;
    let found = compose_file::read(&file)
        .or_else(|e| if output.force { Ok(Found::Foreign) } else { Err(e) })?;
    let clusters = existing.unwrap_or_default();
    let (instance, kept, owner) = match found {
        Found::Nothing => (free_instance(&spec, output, clusters)?, None, None),
        Found::Foreign if output.force => (free_instance(&spec, output, clusters)?, None, None),
        Found::Foreign => {
            return Err(Error::bad_input(format!("{} is not a file of pgha's", file.display()))
                .hint("write elsewhere with `-o`, or move it away; `--force` keeps it as .old"));
        }
        Found::Cluster(there) => {
            let same = there.topology.id.name == spec.name
                && output.instance.is_none_or(|n| n == there.topology.id.instance);
            let in_range = output
                .subnets
                .is_none_or(|range| there.choices.subnets.iter().all(|net| range.contains(net)));
            // Of a cluster that is nowhere yet, --force chooses anew what was taken meanwhile.
            let exists = clusters.iter().any(|cluster| cluster.id == there.topology.id);
            let anew = output.force && existing.is_some() && !exists;
            if same && there.topology.spec == spec && in_range && !anew {
                return take(*there, file, existing);
            }
            if !output.force {
                return Err(in_the_way(&there.topology, &spec, &file));
            }
            let owner = Some(there.identity());
            if same {
                refuse_to_change_a_running(&there.topology, clusters)?;
                (there.topology.id.instance, in_range.then_some(there.choices), owner)
            } else {
                (free_instance(&spec, output, clusters)?, None, owner)
            }
        }
    };
    let secrets_dir = secrets::dir_of(&file);
    let known = existing.map(known);
    ownership::may_move_away(owner.as_ref(), &secrets::whose(&secrets_dir), known.as_deref())
        .map_err(|refusal| refused(&refusal).because(file.display()))?;

    let topology = Topology::new(spec, instance);
    refuse_shared_repository(&topology, clusters)?;
    let choices = HostChoices {
        uid: Some(secrets::new_uid()),
        drill: output.drill.clone(),
        ..choose(&topology, kept, clusters, output, events)?
    };
    let made = Generated { topology, choices, file, written: true };
    set_aside([&made.file, &secrets_dir])?;
    if let Some(folder) = made.file.parent() {
        fs::create_dir_all(folder)
            .or_fail(format!("cannot make the folder {}", folder.display()))?;
    }
    secrets::create(&made.topology, false, &secrets_dir, &made.identity())?;
    let relative = format!("./{}", secrets_dir.file_name().unwrap_or_default().to_string_lossy());
    write_whole(&made.file, &render::compose(&made.topology, &made.choices, &relative))?;
    Ok(made)
}

/// Takes the cluster of a compose file as it is; `existing` as for [`generate`].
///
/// # Errors
/// When the file is not pgha's, or the engine's cluster of that name is another one.
pub(crate) fn open(path: &Path, existing: Option<&[Cluster]>) -> Result<Option<Generated>> {
    let file = std::path::absolute(path).or_fail("cannot find the compose file")?;
    match compose_file::read(&file)? {
        Found::Nothing => Ok(None),
        Found::Foreign => {
            Err(Error::bad_input(format!("{} is not a file of pgha's", file.display()))
                .hint("name another with `-o`"))
        }
        Found::Cluster(there) => {
            let id = &there.topology.id;
            // One that exists has its path already, whatever that is.
            if !existing.is_some_and(|clusters| clusters.iter().any(|cluster| cluster.id == *id)) {
                refuse_path(&file)?;
            }
            take(*there, file, existing).map(Some)
        }
    }
}

/// The cluster of a compose file, whose secrets are made where there are none and it does not exist.
fn take(there: There, file: PathBuf, existing: Option<&[Cluster]>) -> Result<Generated> {
    let (dir, identity, known) = (secrets::dir_of(&file), there.identity(), existing.map(known));
    let shared = there.shared_certificate;
    let missing = secrets::missing(&there.topology, shared, &dir)?;
    let spec = &there.topology.spec;
    ownership::may_use(&identity, spec, &secrets::whose(&dir), &missing, known.as_deref())
        .map_err(|refusal| refused(&refusal).because(file.display()))?;
    refuse_older(&there.topology, existing.unwrap_or_default(), &file)?;
    secrets::create(&there.topology, shared, &dir, &identity)?;
    let There { topology, choices, .. } = there;
    Ok(Generated { topology, choices, file, written: false })
}

/// The newest layout is the cluster's: a file with an older one would take members away.
fn refuse_older(there: &Topology, existing: &[Cluster], file: &Path) -> Result<()> {
    let of = |topology: &Topology| topology.layout.generation();
    let known = existing.iter().filter(|cluster| cluster.id == there.id);
    let newest = known.filter_map(|cluster| cluster.topology.as_ref()).map(of).max();
    match newest.filter(|newest| *newest > of(there)) {
        None => Ok(()),
        Some(newest) => Err(Error::bad_input(format!(
            "{} has the members of cluster {} as they were in generation {}, and it is in generation {newest}",
            file.display(),
            there.id,
            of(there),
        ))
        .hint("put the newest compose file of the cluster back")),
    }
}

/// A path that Compose would read as something else.
fn refuse_path(file: &Path) -> Result<()> {
    let shown = file.to_string_lossy();
    let why = [
        (
            ',',
            "the labels of Compose name files with commas between them: the cluster would not be found again",
        ),
        (':', "Compose mounts a secret as `source:target`: no member would find its secrets"),
    ];
    match why.into_iter().find(|(character, _)| shown.contains(*character)) {
        None => Ok(()),
        Some((character, why)) => {
            let what = format!("the compose file's path has a `{character}`: {shown}");
            Err(Error::bad_input(what)
                .because(why)
                .hint("name another with `-o`; nothing was made"))
        }
    }
}

fn known(clusters: &[Cluster]) -> Vec<Known> {
    clusters.iter().map(Cluster::known).collect()
}

fn refused(refusal: &Refusal) -> Error {
    use Refusal::{LossUnknown, SecretsLost, SecretsUnknown};
    let error = match refusal {
        SecretsUnknown | LossUnknown { .. } | SecretsLost { .. } => {
            Error::missing(refusal.to_string())
        }
        _ => Error::bad_input(refusal.to_string()),
    };
    error.hint(refusal.hint())
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

/// The lowest instance number that no cluster has.
pub(crate) fn lowest_free(existing: &[Cluster]) -> u32 {
    let taken: BTreeSet<u32> = existing.iter().map(|c| c.id.instance).collect();
    (1..u32::MAX).find(|n| !taken.contains(n)).expect("there are more numbers than clusters")
}

/// The instance number asked for, or the lowest that is free on this engine.
fn free_instance(spec: &Spec, output: &OutputArgs, existing: &[Cluster]) -> Result<u32> {
    let lowest = lowest_free(existing);
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
    events: &Events,
) -> Result<HostChoices> {
    let range = output.subnets.unwrap_or_else(|| UNDERLAYS.parse().expect("a constant"));
    let taken = Taken::by(existing);
    if let Some(kept) = kept {
        let networks = host::Networks::of_this_host();
        let fits = kept.subnets.len() == topology.sites.len()
            && topology.published().iter().all(|port| kept.ports.contains_key(&port.key()))
            && kept.ports.values().all(|port| host::port_is_free(*port))
            && !kept.subnets.iter().any(|subnet| networks.take(*subnet));
        if fits {
            return Ok(kept);
        }
    }
    let needs = Needs::of(topology);
    let lacking = needs.lacking(&host::capacity(&needs, &taken, range));
    events.findings(&lacking);
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

/// Moves these files and folders out of the way, to the same names with `.old`, and all with the same number
/// after it where one of those is taken.
fn set_aside(paths: [&Path; 2]) -> Result<()> {
    let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
    let old = |path: &Path, number: u32| {
        let mut old = path.as_os_str().to_owned();
        old.push(".old");
        if number > 0 {
            old.push(format!(".{number}"));
        }
        PathBuf::from(old)
    };
    let free = |number: &u32| paths.iter().all(|path| !is_there(&old(path, *number)));
    let number = (0..u32::MAX).find(free).expect("there are more numbers than files");
    for path in paths.into_iter().filter(|path| is_there(path)) {
        let old = old(path, number);
        fs::rename(path, &old).or_fail(format!(
            "cannot move {} to {}",
            path.display(),
            old.display()
        ))?;
    }
    Ok(())
}
