//! Which compose file is a cluster's, and how Compose is told of it.
//!
//! The labels say where the file was when the containers were made. What lies there now is used only if it
//! holds that very cluster. The name of the project is the labels' own; of a new cluster it is the folder's,
//! as Compose would take it, so that Compose alone finds the cluster too.

use std::path::{Path, PathBuf};

use pgha_core::ownership::{Identity, Secrets};
use pgha_core::topology::ClusterId;

use crate::cluster::Cluster;
use crate::compose_file::{self, Found};
use crate::error::{Error, Result};
use crate::generated::{self, Generated};
use crate::secrets;

/// A compose file and the name of its project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Project {
    /// What Compose is told with `-p`.
    pub(crate) name: String,
    /// What it is told with `-f`.
    pub(crate) file: PathBuf,
}

impl Project {
    /// Of files that are about to be brought up; `before` is what the engine has of that cluster.
    pub(crate) fn of_files(generated: &Generated, before: Option<&Cluster>) -> Self {
        let name = before.and_then(|cluster| cluster.project.clone());
        let file = generated.file.clone();
        Self { name: name.unwrap_or_else(|| project_name(&file, &generated.topology.id)), file }
    }

    /// Of a cluster that has containers.
    ///
    /// # Errors
    /// When its compose file is gone, is another's, or has another specification.
    pub(crate) fn of_cluster(cluster: &Cluster) -> Result<(Self, Generated)> {
        let gone = |what: String| {
            Error::missing(what).hint(format!(
                "put it back, with its secrets; where they were moved, `pgha down {}` and then `pgha up` \
                 there: data are kept",
                cluster.id
            ))
        };
        let Some(file) = cluster.compose.as_ref().map(|compose| &compose.file) else {
            return Err(gone(format!("the compose file of cluster {} is not known", cluster.id)));
        };
        let shown = file.display();
        let found = compose_file::read(file)?;
        match &found {
            Found::Nothing => {
                return Err(gone(format!(
                    "the compose file of cluster {} is gone ({shown})",
                    cluster.id
                )));
            }
            Found::Foreign => {
                return Err(gone(format!(
                    "{shown} is no longer the compose file of cluster {}",
                    cluster.id
                ))
                .because("it is not a file of pgha's"));
            }
            Found::Cluster(there) if there.topology.id != cluster.id => {
                return Err(gone(format!(
                    "{shown} is no longer the compose file of cluster {}",
                    cluster.id
                ))
                .because(format!("it is that of cluster {}", there.topology.id)));
            }
            Found::Cluster(_) => {}
        }
        let generated =
            generated::open(file, Some(std::slice::from_ref(cluster)))?.ok_or_else(|| {
                gone(format!("the compose file of cluster {} is gone ({shown})", cluster.id))
            })?;
        Ok((Self::of_files(&generated, Some(cluster)), generated))
    }
}

/// The compose file whose secrets are a cluster's, for reading them: it may be gone itself.
///
/// # Errors
/// When what lies there is another's.
pub(crate) fn secrets_beside(cluster: &Cluster) -> Result<PathBuf> {
    let file = cluster.compose.as_ref().map(|compose| compose.file.clone()).ok_or_else(|| {
        Error::failed(format!("cluster {} was not made with Compose", cluster.id))
            .because("its containers do not say where their compose file is")
    })?;
    let known = cluster.known();
    let own = match secrets::whose(&secrets::dir_of(&file)) {
        Secrets::Of(owner) => known.has(&owner),
        // Of an earlier pgha: the file beside them says whose they are.
        Secrets::Unmarked => match compose_file::read(&file) {
            Ok(Found::Cluster(there)) => known.has(&there.identity()),
            Ok(Found::Nothing) | Err(_) => true,
            Ok(Found::Foreign) => false,
        },
        Secrets::None => true,
    };
    if own {
        return Ok(file);
    }
    Err(Error::missing(format!("the secrets of cluster {} are gone", cluster.id))
        .because(format!("those beside {} are another cluster's", file.display()))
        .hint("put its own compose file and secrets back"))
}

/// Whether what containers have mounted from beside their compose file is still this cluster's.
pub(crate) fn still_there(file: &Path, identity: &Identity) -> bool {
    matches!(compose_file::read(file), Ok(Found::Cluster(there)) if there.identity() == *identity)
}

/// The name that Compose gives to a project by its folder; where nothing is left of the folder's name,
/// which Compose refuses, the cluster's own.
pub(crate) fn project_name(file: &Path, id: &ClusterId) -> String {
    folder_name(file).unwrap_or_else(|| id.to_string())
}

/// The folder's name as Compose takes it.
pub(crate) fn folder_name(file: &Path) -> Option<String> {
    let folder = file.parent()?.file_name()?.to_string_lossy().to_lowercase();
    let kept: String = folder
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ['-', '_'].contains(c))
        .collect();
    let name = kept.trim_start_matches(['-', '_']);
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::made_from;
    use crate::generated::tests::Place;

    #[test]
    fn a_project_is_called_after_its_folder_or_else_after_the_cluster() {
        let id = ClusterId { name: "demo".to_owned(), instance: 1 };
        for (folder, name) in [
            ("/srv/demo", "demo"),
            ("/srv/My Shop (2)", "myshop2"),
            ("/srv/_x-y_", "x-y_"),
            ("/srv/データ", "demo-1"),
            ("/srv/---", "demo-1"),
            ("/", "demo-1"),
        ] {
            assert_eq!(project_name(&Path::new(folder).join("docker-compose.yaml"), &id), name);
        }
    }

    #[test]
    fn the_project_is_the_one_that_the_labels_name_wherever_the_files_are() {
        let place = Place::with("demo", 1, Some("x"));
        let mut cluster = made_from(&place);
        let project = |cluster: &Cluster| Project::of_cluster(cluster).map(|(project, _)| project);
        assert_eq!(project(&cluster).expect("its own").name, "demo1");
        cluster.project = Some("foreign".to_owned());
        assert_eq!(project(&cluster).expect("its own").name, "foreign");
        let moved = Place::with("demo", 1, Some("x")).generated();
        assert_eq!(Project::of_files(&moved, Some(&cluster)).name, "foreign");
    }

    /// Every state of what lies at the path in the label: what Compose may be told, and whose secrets
    /// are read.
    #[test]
    fn a_file_is_used_only_if_it_holds_that_very_cluster() {
        /// Its name, how it comes to be, why the file is refused, and whether the secrets may be read.
        type State<'a> = (&'a str, &'a dyn Fn(&Place), Option<&'a str>, bool);
        let states: [State; 8] = [
            ("as it was", &|_| (), None, true),
            (
                "file gone",
                &|p| std::fs::remove_file(&p.file).expect("a file"),
                Some("is gone"),
                true,
            ),
            ("folder gone", &Place::remove, Some("is gone"), true),
            (
                "foreign",
                &|p| std::fs::write(&p.file, "services: {}\n").expect("a folder"),
                Some("not a file of pgha's"),
                true,
            ),
            (
                "another cluster's",
                &|p| p.replace("other", 2, Some("y"), 2),
                Some("cluster other-2"),
                false,
            ),
            (
                "an earlier one of its name",
                &|p| p.replace("demo", 1, Some("y"), 2),
                Some("not made from"),
                false,
            ),
            ("another specification", &|p| p.rewrite(3), Some("another specification"), true),
            ("secrets lost", &Place::lose_key, Some("missing: repository-key"), true),
        ];
        for (state, make, refusal, secrets) in states {
            let place = Place::with("demo", 1, Some("x"));
            let cluster = made_from(&place);
            make(&place);
            let before = place.content();
            match (Project::of_cluster(&cluster), refusal) {
                (Ok((project, _)), None) => assert_eq!(project.file, place.file),
                (Err(error), Some(part)) => {
                    assert!(error.to_string().contains(part), "{state}: {error}");
                    assert!(error.advice().is_some(), "{state}: {error}");
                }
                (other, _) => panic!("{state}: {other:?}"),
            }
            assert_eq!(secrets_beside(&cluster).is_ok(), secrets, "{state}");
            assert_eq!(place.content(), before, "{state}: something was written");
        }
    }

    #[test]
    fn files_of_an_earlier_pgha_are_known_by_name_and_specification() {
        let place = Place::with("demo", 1, None);
        std::fs::remove_file(secrets::dir_of(&place.file).join("cluster")).expect("a mark");
        let cluster = made_from(&place);
        assert!(Project::of_cluster(&cluster).is_ok());
        assert!(secrets_beside(&cluster).is_ok());
        place.replace("other", 2, None, 2);
        std::fs::remove_file(secrets::dir_of(&place.file).join("cluster")).expect("a mark");
        assert!(Project::of_cluster(&cluster).is_err());
        assert!(secrets_beside(&cluster).is_err());
    }
}
