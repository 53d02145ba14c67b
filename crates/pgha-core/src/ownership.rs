//! Whose files are these: what may be done with a compose file and the secrets beside it, given what the
//! engine has.
//!
//! A cluster is known by its [`Identity`], which is in its compose file, in the labels of everything the
//! engine has of it, and in the folder of its secrets. A path decides nothing. Clusters that an earlier
//! pgha made have no unique number; of them alone the name and the instance must do.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::spec::Spec;
use crate::topology::ClusterId;

/// Label with the unique number of a cluster.
pub const LABEL_UID: &str = "pgha.uid";
/// Label of a cluster that was made for a drill: the folder of its files, which the drill removes together with it.
pub const LABEL_DRILL: &str = "pgha.drill";
/// File in the folder of secrets that says whose they are.
pub const MARK: &str = "cluster";

/// What tells a cluster from every other one, also from an earlier one of the same name and instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Name and instance.
    pub id: ClusterId,
    /// Drawn at random when its files were made; `None` where an earlier pgha made them.
    pub uid: Option<String>,
}

impl Identity {
    /// The text of [`MARK`], without a line feed.
    pub fn mark(&self) -> String {
        let uid = self.uid.as_deref().unwrap_or_default();
        format!("{} {uid}", self.id).trim_end().to_owned()
    }

    /// Reads such a text.
    pub fn parse_mark(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (name, instance) = words.next()?.rsplit_once('-')?;
        let id = ClusterId { name: name.to_owned(), instance: instance.parse().ok()? };
        let uid = words.next().map(str::to_owned);
        words.next().is_none().then_some(Self { id, uid })
    }
}

/// A cluster that the engine has, whether it runs or only its data is left.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Name and instance.
    pub id: ClusterId,
    /// The unique number of each thing it has; more than one where files of two clusters were mixed.
    pub uids: BTreeSet<Option<String>>,
    /// What it is, where its labels say so.
    pub spec: Option<Spec>,
    /// Words for how it is, such as `running`.
    pub state: String,
}

impl Known {
    /// Whether something of it is of this identity.
    pub fn has(&self, identity: &Identity) -> bool {
        self.id == identity.id && self.uids.contains(&identity.uid)
    }

    /// Whether all of it is of this identity.
    pub fn is(&self, identity: &Identity) -> bool {
        self.has(identity) && self.uids.len() == 1
    }
}

/// What lies in a folder of secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secrets {
    /// Nothing.
    None,
    /// Something that does not say whose it is.
    Unmarked,
    /// The secrets of this cluster.
    Of(Identity),
}

/// Why files may not be used or moved away.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// They are those of a cluster that exists.
    #[error("the files here are those of cluster {id}, which is on this engine ({state})")]
    Exists {
        /// The cluster.
        id: ClusterId,
        /// How it is.
        state: String,
    },
    /// Secrets that an earlier pgha made may be those of a cluster that it made.
    #[error("the secrets here may be those of cluster {id}, which is on this engine ({state})")]
    MayExist {
        /// The first such cluster.
        id: ClusterId,
        /// How it is.
        state: String,
    },
    /// There are secrets, and nobody says whether their cluster exists.
    #[error("there are secrets here, and the engine cannot be asked whether they are in use")]
    SecretsUnknown,
    /// Secrets are missing, and nobody says whether their cluster exists.
    #[error(
        "secrets of cluster {id} are missing, and the engine cannot be asked whether it exists: {}",
        names.join(", ")
    )]
    LossUnknown {
        /// The cluster.
        id: ClusterId,
        /// The missing files.
        names: Vec<String>,
    },
    /// The secrets beside a compose file are another cluster's.
    #[error("the secrets beside the compose file of cluster {id} are those of another, {of}")]
    OthersSecrets {
        /// The cluster of the compose file.
        id: ClusterId,
        /// The cluster of the secrets.
        of: ClusterId,
    },
    /// The engine has a cluster of that name and instance that has other files.
    #[error("cluster {id} on this engine ({state}) was not made from this compose file")]
    OtherFiles {
        /// The cluster.
        id: ClusterId,
        /// How it is.
        state: String,
    },
    /// The cluster was made from another specification than the file has now.
    #[error("cluster {id} exists with another specification than its compose file has")]
    OtherSpec {
        /// The cluster.
        id: ClusterId,
    },
    /// Another cluster has the instance number of the file.
    #[error("instance {} is now cluster {id}", id.instance)]
    InstanceTaken {
        /// That other cluster.
        id: ClusterId,
    },
    /// A cluster exists and its secrets do not.
    #[error("secrets of cluster {id} are missing: {}", names.join(", "))]
    SecretsLost {
        /// The cluster.
        id: ClusterId,
        /// The missing files.
        names: Vec<String>,
    },
}

impl Refusal {
    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            Self::Exists { id, .. } => format!(
                "write elsewhere with `-o`; `pgha down {id} --volumes` removes that cluster and its data"
            ),
            Self::MayExist { .. } => {
                "write elsewhere with `-o`, or move the folder of secrets away by hand where they are not"
                    .to_owned()
            }
            Self::SecretsUnknown => "start the engine, or write elsewhere with `-o`".to_owned(),
            Self::LossUnknown { .. } => "start the engine, or put the secrets back".to_owned(),
            Self::OthersSecrets { id, .. } => {
                format!("put the secrets of {id} back beside its compose file")
            }
            Self::OtherFiles { id, .. } => format!(
                "`pgha list` shows its compose file; `pgha down {id} --volumes` removes it and its data"
            ),
            Self::OtherSpec { id } => format!(
                "put the specification back as it was; or `pgha down {id} --volumes`, which removes \
                 the data, and `pgha up`"
            ),
            Self::InstanceTaken { .. } => {
                "write the file anew with another `--instance` and `--force`".to_owned()
            }
            Self::SecretsLost { id, .. } => format!(
                "put them back: data and backups cannot be used without them; `pgha down {id} --volumes` \
                 gives all of it up"
            ),
        }
    }
}

/// Whether the compose file of `file`, if it is a cluster's, and the secrets beside it may be moved away
/// for new ones. `existing` is `None` where the engine cannot be asked.
///
/// # Errors
/// When they are, or may be, those of a cluster that exists.
pub fn may_move_away(
    file: Option<&Identity>,
    secrets: &Secrets,
    existing: Option<&[Known]>,
) -> Result<(), Refusal> {
    let Some(existing) = existing else {
        return if *secrets == Secrets::None { Ok(()) } else { Err(Refusal::SecretsUnknown) };
    };
    let marked = match secrets {
        Secrets::Of(identity) => Some(identity),
        Secrets::None | Secrets::Unmarked => None,
    };
    for owner in file.into_iter().chain(marked) {
        if let Some(known) = existing.iter().find(|known| known.has(owner)) {
            return Err(Refusal::Exists { id: known.id.clone(), state: known.state.clone() });
        }
    }
    let unmarked = existing.iter().find(|known| known.uids.contains(&None));
    match (secrets, unmarked) {
        (Secrets::Unmarked, Some(known)) => {
            Err(Refusal::MayExist { id: known.id.clone(), state: known.state.clone() })
        }
        _ => Ok(()),
    }
}

/// Whether a cluster may be made or worked on with a compose file and the secrets beside it, of which
/// `missing` are not there. Where it may, and some are missing, they may be made.
///
/// # Errors
/// When the engine's cluster of that name is another one, or would be after that.
pub fn may_use(
    file: &Identity,
    spec: &Spec,
    secrets: &Secrets,
    missing: &[String],
    existing: Option<&[Known]>,
) -> Result<(), Refusal> {
    let (id, names) = (file.id.clone(), missing.to_vec());
    let known = existing.unwrap_or_default().iter().find(|known| known.id == id);
    if let Some(known) = known.filter(|known| !known.is(file)) {
        return Err(Refusal::OtherFiles { id, state: known.state.clone() });
    }
    if known.and_then(|known| known.spec.as_ref()).is_some_and(|made_from| made_from != spec) {
        return Err(Refusal::OtherSpec { id });
    }
    match secrets {
        Secrets::Of(owner) if owner != file => {
            return Err(Refusal::OthersSecrets { id, of: owner.id.clone() });
        }
        _ => {}
    }
    match (existing, known) {
        (None, _) if !names.is_empty() => Err(Refusal::LossUnknown { id, names }),
        (_, Some(_)) if !names.is_empty() => Err(Refusal::SecretsLost { id, names }),
        (Some(existing), None) => match existing.iter().find(|k| k.id.instance == id.instance) {
            Some(other) => Err(Refusal::InstanceTaken { id: other.id.clone() }),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str, instance: u32, uid: Option<&str>) -> Identity {
        let id = ClusterId { name: name.to_owned(), instance };
        Identity { id, uid: uid.map(str::to_owned) }
    }

    fn known(identity: &Identity) -> Known {
        Known {
            id: identity.id.clone(),
            uids: BTreeSet::from([identity.uid.clone()]),
            spec: Some(Spec { name: identity.id.name.clone(), ..Spec::default() }),
            state: "running".to_owned(),
        }
    }

    /// Two names, two instances, two unique numbers and none.
    fn identities() -> Vec<Identity> {
        let mut all = Vec::new();
        for name in ["demo", "other"] {
            for instance in [1, 2] {
                for uid in [None, Some("x"), Some("y")] {
                    all.push(identity(name, instance, uid));
                }
            }
        }
        all
    }

    fn secrets() -> Vec<Secrets> {
        let marked = identities().into_iter().map(Secrets::Of);
        [Secrets::None, Secrets::Unmarked].into_iter().chain(marked).collect()
    }

    /// Whether these secrets can be those of a cluster.
    fn can_be_of(secrets: &Secrets, known: &Known) -> bool {
        match secrets {
            Secrets::None => false,
            Secrets::Unmarked => known.uids.contains(&None),
            Secrets::Of(identity) => known.has(identity),
        }
    }

    #[test]
    fn a_mark_is_read_back_and_nothing_else_is_one() {
        for identity in identities() {
            assert_eq!(Identity::parse_mark(&identity.mark()), Some(identity));
        }
        for text in ["", "demo", "demo-x y", "demo-1 x y", "-"] {
            assert_eq!(Identity::parse_mark(text), None, "{text:?}");
        }
    }

    #[test]
    fn secrets_that_can_be_those_of_an_existing_cluster_are_never_moved_away() {
        for exists in identities() {
            let existing = [known(&exists)];
            for secrets in secrets() {
                for file in identities().into_iter().map(Some).chain([None]) {
                    let moved = may_move_away(file.as_ref(), &secrets, Some(&existing)).is_ok();
                    let file_is_its = file.as_ref() == Some(&exists);
                    let free = !can_be_of(&secrets, &existing[0]) && !file_is_its;
                    assert_eq!(moved, free, "{file:?} {secrets:?} {exists:?}");
                }
            }
        }
    }

    #[test]
    fn without_an_engine_nothing_is_moved_away_and_no_missing_secret_is_made() {
        for secrets in secrets() {
            let moved = may_move_away(None, &secrets, None);
            assert_eq!(moved.is_ok(), secrets == Secrets::None, "{secrets:?}");
        }
        let (demo, spec) = (identity("demo", 1, Some("x")), Spec::default());
        let missing = ["postgres".to_owned()];
        assert_eq!(may_use(&demo, &spec, &Secrets::Of(demo.clone()), &[], None), Ok(()));
        let lost = may_use(&demo, &spec, &Secrets::None, &missing, None);
        assert!(matches!(lost, Err(Refusal::LossUnknown { .. })), "{lost:?}");
    }

    #[test]
    fn a_compose_file_is_used_for_that_very_cluster_alone() {
        for exists in identities() {
            let existing = [known(&exists)];
            for file in identities() {
                let spec = Spec { name: file.id.name.clone(), ..Spec::default() };
                let verdict =
                    may_use(&file, &spec, &Secrets::Of(file.clone()), &[], Some(&existing));
                match verdict {
                    Ok(()) => assert!(
                        file == exists || file.id.instance != exists.id.instance,
                        "{file:?} {exists:?}"
                    ),
                    Err(Refusal::OtherFiles { .. }) => {
                        assert!(file.id == exists.id && file != exists);
                    }
                    Err(Refusal::InstanceTaken { .. }) => assert_ne!(file.id.name, exists.id.name),
                    Err(other) => panic!("{other:?}: {file:?} {exists:?}"),
                }
            }
        }
    }

    #[test]
    fn another_specification_other_secrets_and_lost_ones_are_refused() {
        let demo = identity("demo", 1, Some("x"));
        let existing = [known(&demo)];
        let (same, of) = (Spec::default(), Secrets::Of(demo.clone()));
        let other = Spec { nodes: 3, ..Spec::default() };
        let missing = ["repository-key".to_owned()];
        let verdict = |spec, secrets, missing: &[String]| {
            may_use(&demo, spec, secrets, missing, Some(&existing)).map_err(|e| {
                assert!(!e.hint().is_empty());
                e.to_string()
            })
        };
        assert_eq!(verdict(&same, &of, &[]), Ok(()));
        assert_eq!(verdict(&same, &Secrets::Unmarked, &[]), Ok(()));
        insta::assert_snapshot!(
            [
                verdict(&other, &of, &[]),
                verdict(&same, &Secrets::Of(identity("other", 2, Some("y"))), &[]),
                verdict(&same, &of, &missing),
                verdict(&same, &Secrets::None, &missing),
            ]
            .map(|refused| refused.expect_err("refused"))
            .join("\n"),
            @r"
        cluster demo-1 exists with another specification than its compose file has
        the secrets beside the compose file of cluster demo-1 are those of another, other-2
        secrets of cluster demo-1 are missing: repository-key
        secrets of cluster demo-1 are missing: repository-key
        "
        );
    }

    #[test]
    fn what_is_left_of_two_clusters_is_nobodys_to_work_on_and_the_secrets_of_both_stay() {
        let (x, y) = (identity("demo", 1, Some("x")), identity("demo", 1, Some("y")));
        let mut both = known(&x);
        both.uids.insert(y.uid.clone());
        let existing = [both];
        for one in [x, y] {
            let of = Secrets::Of(one.clone());
            assert!(may_use(&one, &Spec::default(), &of, &[], Some(&existing)).is_err());
            assert!(may_move_away(None, &of, Some(&existing)).is_err());
        }
    }
}
