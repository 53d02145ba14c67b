//! Databases that do not belong together: of nodes, of the cluster and of its repositories.

use super::{ClusterView, ContainerState, Known, Problem, Severity};
use crate::backup_run::advice;
use crate::identity::{Contents, NotStarted, RepositoryFact};
use crate::observe::Patroni;
use crate::restore::source::Place;
use crate::topology::{Member, Role, Topology};

/// Code of the problem that no node has data and a repository has.
pub const DATABASE_IN_REPOSITORY: &str = "database_in_repository";
/// Code of the problem that no database is made, since a repository is another cluster's.
pub const FOREIGN_REPOSITORY: &str = "foreign_repository";
/// Code of the problem that no database is made, since a repository is away.
const REPOSITORY_AWAY: &str = "repository_away";
/// Code of the problem that there is a database by etcd, and no node has data.
pub const DATA_LOST: &str = "data_lost";

/// Code of the problem that what the cluster file asks for in a new database failed.
pub const SET_UP_FAILED: &str = "set_up_failed";
/// What is to be done about that first.
pub const SET_UP_HINT: &str =
    "correct what the cluster file asks for, or the file that init_sql names";

/// Everything that is wrong about that.
pub(super) fn problems(known: &Known<'_>, view: &ClusterView) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    problems.extend(set_up_failed(known));
    problems.extend(no_database(known));
    problems.extend(data_lost(known));
    problems.extend(other_data(known));
    problems.extend(repositories(known, view));
    problems
}

/// Whether it is said why nodes without data have nobody to follow: then that nobody leads is no news.
pub(super) fn explains_no_leader(known: &Known<'_>) -> bool {
    set_up_failed(known).is_some()
        || repository_in_the_way(known).is_some()
        || lost_database(known).is_some()
}

/// The first node whose new database could not be set up. Another one may have tried, too.
fn set_up_failed(known: &Known<'_>) -> Option<Problem> {
    let failed = |node: &&Member| {
        let why = known.patroni(&node.name).and_then(|patroni| patroni.not_started.as_ref());
        matches!(why, Some(NotStarted::SetUp { .. }))
    };
    let node = known.topology.of_role(Role::Postgres).find(failed)?;
    let why = known.patroni(&node.name).and_then(why_not_started).unwrap_or_default();
    let id = &known.topology.id;
    Some(Problem::new(
        Severity::Error,
        SET_UP_FAILED,
        Some(&node.name),
        format!("{}: {why}", node.name),
        format!(
            "{SET_UP_HINT}; then `pgha down {id} --volumes`, and `pgha up -f FILE` makes the database anew"
        ),
    ))
}

/// The repository for which nodes without data make no database.
fn repository_in_the_way<'a>(known: &Known<'a>) -> Option<&'a RepositoryFact> {
    let answers = known.nodes.values().filter_map(|node| node.patroni.as_ref().ok());
    answers.filter_map(|patroni| patroni.not_started.as_ref()).find_map(|why| match why {
        NotStarted::Repository(fact) => Some(fact),
        _ => None,
    })
}

fn no_database(known: &Known<'_>) -> Option<Problem> {
    let id = &known.topology.id;
    let fact = repository_in_the_way(known)?;
    let (code, hint) = match &fact.contents {
        Contents::Database { backups: 0, .. } => (
            DATABASE_IN_REPOSITORY,
            format!(
                "it has no backup to restore: if nothing of it is needed, empty repository {}, and the \
                 cluster makes a new database",
                fact.repository
            ),
        ),
        Contents::Database { .. } => (
            DATABASE_IN_REPOSITORY,
            format!(
                "`pgha restore {id} --latest` restores it; a new database needs an empty repository"
            ),
        ),
        Contents::Unreadable { .. } if fact.is_foreign() => (
            FOREIGN_REPOSITORY,
            format!(
                "it is another cluster's, or encrypted with another key: {}; or give this cluster another \
                 folder or bucket, or the key that belongs to this one",
                from_it(known.topology, fact.repository)
            ),
        ),
        Contents::Unreadable { reason } => (REPOSITORY_AWAY, advice(reason, known.topology)),
        Contents::Empty => return None,
    };
    let message = match fact.contents {
        Contents::Unreadable { .. } => {
            format!("no node has data, and no database is made, since it may hold one: {fact}")
        }
        _ => format!("no node has data, and no new database is made beside an old one: {fact}"),
    };
    Some(Problem::new(Severity::Error, code, None, message, hint))
}

/// The command that makes a cluster of a repository, whatever else is in it.
fn from_it(topology: &Topology, repository: u32) -> String {
    let repo2 = topology.spec.backup.repo2.as_ref().filter(|_| repository == 2);
    let place = repo2.and_then(|repo2| Place::of(repo2, Some(&topology.id.to_string())));
    let place = place.map_or("REPOSITORY".to_owned(), |place| place.to_string());
    format!("`pgha restore --latest --from '{place}' --key FILE --into NAME` makes a cluster of it")
}

/// The database by etcd, where nobody leads and every node says that it has no data.
fn lost_database<'a>(known: &Known<'a>) -> Option<&'a String> {
    let dcs = known.dcs.filter(|dcs| dcs.leader.is_none())?;
    let database = dcs.system_id.as_ref()?;
    let has_no_data = |name: &str| {
        known.container_state(name) == ContainerState::Running
            && known.patroni(name).is_some_and(|p| p.role == "uninitialized")
    };
    known.topology.of_role(Role::Postgres).all(|node| has_no_data(&node.name)).then_some(database)
}

fn data_lost(known: &Known<'_>) -> Option<Problem> {
    let database = lost_database(known)?;
    let id = &known.topology.id;
    let held = known.repositories().iter().find(|fact| match &fact.contents {
        Contents::Database { system_id, backups, .. } => {
            *backups > 0 && system_id.to_string() == *database
        }
        _ => false,
    });
    let hint = match held {
        Some(fact) => format!("`pgha restore {id} --latest` restores it: {fact}"),
        None => format!(
            "no repository is known to have a backup of it; `pgha down {id} --volumes` and `pgha up` \
             make a new one"
        ),
    };
    Some(Problem::new(
        Severity::Error,
        DATA_LOST,
        None,
        format!("no node has data of the cluster's database {database}"),
        hint,
    ))
}

/// Nodes with data of another database.
fn other_data(known: &Known<'_>) -> Vec<Problem> {
    let others = known.topology.of_role(Role::Postgres).filter_map(|node| {
        match known.patroni(&node.name)?.not_started.as_ref()? {
            NotStarted::OtherDatabase { .. } => Some(node),
            _ => None,
        }
    });
    others
        .map(|node| {
            let why = known.patroni(&node.name).and_then(why_not_started).unwrap_or_default();
            Problem::new(
                Severity::Error,
                "node_of_another_database",
                Some(&node.name),
                format!("{} is not started: {why}", node.name),
                format!(
                    "if its data are not needed, `docker rm -f {} && docker volume rm {}`, then `pgha up` \
                     clones it from the leader",
                    node.name,
                    node.volume()
                ),
            )
        })
        .collect()
}

/// Why a node is not started, in words.
pub(super) fn why_not_started(patroni: &Patroni) -> Option<String> {
    patroni.not_started.as_ref().map(ToString::to_string)
}

/// Repositories that are not this cluster's, have lost its stanza, or cannot be read. The first one
/// without a stanza is told of by its own files.
fn repositories(known: &Known<'_>, view: &ClusterView) -> Vec<Problem> {
    if view.leader.is_none() {
        return Vec::new();
    }
    let (id, host) = (&known.topology.id, &known.topology.backup_host().name);
    let about = |fact: &RepositoryFact| {
        let number = fact.repository;
        let (code, message, hint) = match &fact.contents {
            Contents::Database { system_id, .. } => {
                let own = view.system_id.as_ref().filter(|own| **own != system_id.to_string())?;
                (
                    "repository_of_another_database",
                    format!("{fact}, the cluster has {own}: no WAL and no backup of it goes there"),
                    format!(
                        "`pgha restore {id} --latest --repo {number}` puts the former in place of the \
                         latter; to keep the latter: `pgha exec {host} -- pgbackrest --config={} \
                         --stanza=pgha_db stanza-upgrade`",
                        crate::render::repository_config(number)
                    ),
                )
            }
            Contents::Unreadable { reason } => (
                "repository_unreadable",
                format!("{fact}: no WAL and no backup goes there"),
                if fact.is_foreign() {
                    "it is another cluster's, or encrypted with another key: empty it, if nothing of it \
                     is needed, and the stanza is made there"
                        .to_owned()
                } else {
                    advice(reason, known.topology)
                },
            ),
            Contents::Empty if number > 1 => (
                "no_stanza",
                format!("{fact}: no WAL and no backup goes there"),
                format!(
                    "`pgha logs {host}` shows what it waits for; `pgha backup {id} --repo {number}` makes it"
                ),
            ),
            Contents::Empty => return None,
        };
        Some(Problem::new(Severity::Warning, code, Some(host), message, hint))
    };
    known.repositories().iter().filter_map(about).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Dcs, NOT_STARTED};
    use crate::ready::{awaiting, hopeless};
    use crate::status::tests::Lab;

    /// The cluster's own, in the lab.
    const OWN: u64 = 7515;

    fn database(repository: u32, system_id: u64, backups: usize) -> RepositoryFact {
        let last_backup = (backups > 0).then(|| "20261124-160125F".to_owned());
        let version = "17".to_owned();
        let contents = Contents::Database { system_id, version, backups, last_backup };
        RepositoryFact { repository, contents }
    }

    fn unreadable(reason: &str) -> RepositoryFact {
        RepositoryFact {
            repository: 2,
            contents: Contents::Unreadable { reason: reason.to_owned() },
        }
    }

    /// No node has data; each is not started for this reason, or waits for somebody to clone from.
    fn without_data(system_id: Option<u64>, why: Option<&NotStarted>) -> Lab {
        let mut lab = Lab::healthy();
        for member in lab.etcd() {
            let system_id = system_id.map(|id| id.to_string());
            member.dcs = Ok(Dcs { revision: 9, system_id, ..Dcs::default() });
        }
        for node in lab.reports().flat_map(|report| &mut report.postgres) {
            node.patroni = Ok(Patroni {
                state: if why.is_some() { NOT_STARTED } else { "stopped" }.to_owned(),
                role: "uninitialized".to_owned(),
                not_started: why.cloned(),
                ..Patroni::default()
            });
        }
        lab
    }

    fn with(mut lab: Lab, facts: &[RepositoryFact]) -> Lab {
        let outside = lab.reports().find(|report| report.stanza.is_some());
        outside.expect("the external site").repositories = facts.to_vec();
        lab
    }

    fn codes(view: &ClusterView) -> Vec<&str> {
        view.problems.iter().map(|problem| problem.code.as_str()).collect()
    }

    #[test]
    fn nodes_without_data_beside_a_repository_with_backups_are_one_problem_with_the_way_out() {
        let held = NotStarted::Repository(database(1, OWN, 2));
        let view = without_data(None, Some(&held)).view();
        assert_eq!(codes(&view), [DATABASE_IN_REPOSITORY]);
        let said = hopeless(&view).expect("no waiting helps");
        assert!(said.message.contains("2 backups, the last one 20261124-160125F"), "{said:?}");
        assert!(said.hint.contains("`pgha restore demo-1 --latest`"), "{said:?}");
        assert!(awaiting(&view)[0].phrase.contains("holds the database 7515"));
    }

    #[test]
    fn a_set_up_that_failed_is_said_in_the_words_of_postgres_and_ends_the_wait() {
        let said = "psql:init.sql:2: ERROR:  relation \"x\" does not exist".to_owned();
        let failed = NotStarted::SetUp { about: "init_sql (schema.sql)".to_owned(), said };
        let mut lab = without_data(None, Some(&failed));
        // By then the next node may find what the first one has archived.
        let held = NotStarted::Repository(database(1, OWN, 0));
        if let Some(Ok(last)) = lab
            .reports()
            .flat_map(|report| &mut report.postgres)
            .map(|node| &mut node.patroni)
            .last()
        {
            last.not_started = Some(held);
        }
        let view = lab.view();
        let problem = hopeless(&view).expect("no waiting helps");
        assert_eq!(problem.code, SET_UP_FAILED);
        assert!(
            problem.message.contains("init_sql (schema.sql): psql:init.sql:2: ERROR:"),
            "{problem:?}"
        );
        assert!(problem.hint.contains("`pgha down demo-1 --volumes`"), "{problem:?}");
        assert!(!codes(&view).contains(&"no_leader"), "{:?}", codes(&view));
    }

    #[test]
    fn a_repository_without_a_backup_is_not_said_to_be_restorable() {
        let held = NotStarted::Repository(database(1, OWN, 0));
        let view = without_data(None, Some(&held)).view();
        assert!(!view.problems[0].hint.contains("pgha restore"), "{:?}", view.problems);
    }

    #[test]
    fn another_clusters_folder_ends_the_wait_and_a_service_that_is_away_does_not() {
        let start =
            |reason| without_data(None, Some(&NotStarted::Repository(unreadable(reason)))).view();
        let foreign = start("[CryptoError] unable to flush");
        assert_eq!(hopeless(&foreign).map(|p| p.code.as_str()), Some(FOREIGN_REPOSITORY));
        let hint = &foreign.problems[0].hint;
        assert!(hint.contains("pgha restore --latest --from '"), "{hint}");
        let away = start("[HostConnectError] unable to connect");
        assert_eq!((codes(&away), hopeless(&away)), (vec![REPOSITORY_AWAY], None));
    }

    #[test]
    fn data_that_every_node_has_lost_are_restored_where_a_repository_has_them() {
        let lost = |facts: &[RepositoryFact]| {
            let view = with(without_data(Some(OWN), None), facts).view();
            hopeless(&view).map(|p| (p.code.clone(), p.hint.contains("pgha restore demo-1")))
        };
        assert_eq!(lost(&[database(1, OWN, 1)]), Some((DATA_LOST.to_owned(), true)));
        assert_eq!(codes(&without_data(Some(OWN), None).view()), [DATA_LOST], "one cause");
        for facts in [&[][..], &[database(1, 1, 1)], &[database(1, OWN, 0)]] {
            assert_eq!(lost(facts), Some((DATA_LOST.to_owned(), false)), "{facts:?}");
        }
    }

    #[test]
    fn a_cluster_that_is_just_being_made_has_lost_nothing() {
        assert_eq!(codes(&without_data(None, None).view()).first(), Some(&"not_initialized"));
    }

    #[test]
    fn each_repository_is_judged_by_itself() {
        let problems = |facts: &[RepositoryFact]| {
            let view = with(Lab::healthy(), facts).view();
            assert_eq!(hopeless(&view), None);
            codes(&view).join(" ")
        };
        let empty = RepositoryFact { repository: 2, contents: Contents::Empty };
        assert_eq!(problems(&[database(1, OWN, 1), database(2, OWN, 0)]), "");
        assert_eq!(problems(&[database(1, OWN, 1), empty]), "no_stanza");
        assert_eq!(
            problems(&[database(1, 1, 1), unreadable("[CryptoError] x")]),
            "repository_of_another_database repository_unreadable"
        );
    }

    #[test]
    fn a_node_with_data_of_another_database_is_named_with_its_volume() {
        let mut lab = Lab::healthy();
        let node = lab.reports().flat_map(|report| &mut report.postgres).last().expect("a node");
        node.patroni = Ok(Patroni {
            state: NOT_STARTED.to_owned(),
            role: "uninitialized".to_owned(),
            not_started: Some(NotStarted::OtherDatabase { own: 1, cluster: OWN }),
            ..Patroni::default()
        });
        let name = node.name.clone();
        let view = lab.view();
        assert_eq!(codes(&view), ["node_of_another_database"]);
        assert_eq!(view.problems[0].about.as_ref(), Some(&name));
        assert!(view.problems[0].hint.contains("docker volume rm"), "{:?}", view.problems);
    }
}
