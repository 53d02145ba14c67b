//! A new password for an account of a cluster: which accounts there are, which texts may be one, what Postgres is told,
//! and which nodes have to have it before the old one may be forgotten.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::set_up::{UNLOGGED, identifier, user_secret};
use crate::spec::Spec;
use crate::status::{ClusterView, ContainerState, MemberView, RESTORE_UNFINISHED};
use crate::words::list;

/// Roles of Postgres that every cluster has; each has its password in the secret of its own name.
const OWN_ROLES: [&str; 3] = ["postgres", "replicator", "rewinder"];
/// The secret with the password of Patroni's REST API.
const REST_API: &str = "patroni";
/// Fewest characters of a password.
const LEN_MIN: usize = 8;
/// Most bytes of a password: more than that Postgres does not take from a client.
const LEN_MAX: usize = 512;

/// Whose password it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// A role of Postgres that every cluster has.
    Own(&'static str),
    /// A role of the cluster file.
    User(String),
    /// Patroni's REST API, for calls that change something.
    RestApi,
}

impl Account {
    /// The role of that name; `None` where pgha knows of no such role.
    pub fn role_named(spec: &Spec, name: &str) -> Option<Self> {
        let own = OWN_ROLES.into_iter().find(|own| *own == name).map(Self::Own);
        own.or_else(|| spec.server.users.iter().find(|user| *user == name).cloned().map(Self::User))
    }

    /// The roles that there are, for a hint.
    pub fn roles(spec: &Spec) -> Vec<&str> {
        OWN_ROLES.into_iter().chain(spec.server.users.iter().map(String::as_str)).collect()
    }

    /// The secret that has it.
    pub fn secret(&self) -> String {
        match self {
            Self::Own(role) => (*role).to_owned(),
            Self::User(user) => user_secret(user),
            Self::RestApi => REST_API.to_owned(),
        }
    }

    /// The role of Postgres; `None` for Patroni's REST API.
    pub fn role(&self) -> Option<&str> {
        match self {
            Self::Own(role) => Some(role),
            Self::User(user) => Some(user),
            Self::RestApi => None,
        }
    }

    /// Members log in with it, so each of them has to be told.
    pub fn is_for_members(&self) -> bool {
        !matches!(self, Self::User(_))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.role().unwrap_or("Patroni's REST API"))
    }
}

/// Why a text is no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// There is none.
    #[error("the password is empty")]
    Empty,
    /// More than one line, or something that nobody can type.
    #[error("the password has a line feed or another control character")]
    Control,
    /// Files of secrets are read without the white space at their end.
    #[error("the password begins or ends with white space")]
    Space,
    /// It would not be taken.
    #[error("the password has more than {LEN_MAX} bytes")]
    Long,
    /// It would be guessed.
    #[error("the password has fewer than {LEN_MIN} characters")]
    Short,
}

/// A password as it was typed or piped: one line, without its end.
///
/// # Errors
/// When it would not be the same everywhere it is used.
pub fn password(given: &str) -> Result<&str, BadPassword> {
    let line = given.strip_suffix('\n').unwrap_or(given);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line {
        "" => Err(BadPassword::Empty),
        _ if line.len() > LEN_MAX => Err(BadPassword::Long),
        _ if line.contains(char::is_control) => Err(BadPassword::Control),
        _ if line.trim() != line => Err(BadPassword::Space),
        _ if line.chars().count() < LEN_MIN => Err(BadPassword::Short),
        _ => Ok(line),
    }
}

/// What psql reads on the leader. `verifier` is what Postgres keeps of a password (SCRAM), so that the password itself never
/// gets to the server; no log has even that.
///
/// # Panics
/// When the verifier has a quote: none has.
pub fn script(role: &str, verifier: &str) -> String {
    assert!(!verifier.contains(['\'', '\\']), "a verifier is base64, digits and a few signs");
    format!("{UNLOGGED}alter role {} password '{verifier}';\n", identifier(role))
}

/// A query for what a node knows a role by: the same text on two nodes for the same password, of which it tells nothing.
pub fn fingerprint_query(role: &str) -> String {
    format!(
        "select encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex') from pg_authid where rolname = '{}'",
        role.replace('\'', "''")
    )
}

/// A secret for a member whose container was started with an earlier text of it: a file that is replaced on the host
/// stays what it was in a running container.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSecret {
    /// Its name.
    pub secret: String,
    /// Its text.
    pub text: String,
}

impl fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NewSecret {{ secret: {:?}, .. }}", self.secret)
    }
}

/// Who has to do with a new password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The leader, where the role is altered; none for Patroni's REST API.
    pub alter_on: Option<String>,
    /// Nodes whose Postgres runs, which get it by replication.
    pub replicated_to: Vec<String>,
    /// Nodes that run and are told, so that their Patroni logs in with it.
    pub told: Vec<String>,
    /// Nodes that do not run, and find it when they start.
    pub at_their_start: Vec<String>,
}

/// Why there can be no new password now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing can be altered.
    #[error("the cluster has no leader, and only that can change a role")]
    NoLeader,
    /// Patroni's members cannot be listed.
    #[error("etcd has no quorum, and has the list of Patroni's members")]
    NoQuorum,
    /// They would go on with the old one.
    #[error("{} cannot be told: frozen (docker pause)", list(.0))]
    Frozen(Vec<String>),
    /// What is restored may know another password.
    #[error("a restore is in progress")]
    Restoring,
}

impl Plan {
    /// Who is told, in this cluster.
    ///
    /// # Errors
    /// When somebody would be left with a password that no longer works.
    pub fn of(view: &ClusterView, account: &Account) -> Result<Self, Refused> {
        if view.problems.iter().any(|problem| problem.code == RESTORE_UNFINISHED) {
            return Err(Refused::Restoring);
        }
        let named = |fits: &dyn Fn(&&MemberView) -> bool| -> Vec<String> {
            view.nodes().filter(fits).map(|node| node.name.clone()).collect()
        };
        let is = |state| move |node: &&MemberView| node.container_state == state;
        let frozen = named(&is(ContainerState::Paused));
        if !frozen.is_empty() {
            return Err(Refused::Frozen(frozen));
        }
        let alter_on = match account.role() {
            None if !view.quorum.reached() => return Err(Refused::NoQuorum),
            None => None,
            Some(_) => Some(view.leader.clone().ok_or(Refused::NoLeader)?),
        };
        let running = is(ContainerState::Running);
        let replicated_to = if alter_on.is_some() {
            named(&|node| running(node) && node.role.is_some())
        } else {
            Vec::new()
        };
        let (told, at_their_start) = if account.is_for_members() {
            (named(&running), named(&|node| !running(node)))
        } else {
            (Vec::new(), Vec::new())
        };
        Ok(Self { alter_on, replicated_to, told, at_their_start })
    }

    /// What is done, in order, as people read it.
    pub fn steps(&self, account: &Account) -> Vec<String> {
        let mut steps = vec![format!("new password of {account}, kept beside the old one")];
        if let Some(leader) = &self.alter_on {
            steps.push(format!("alter role {account} on {leader}"));
        }
        steps.push(format!("secret file {} replaced", account.secret()));
        if !self.told.is_empty() {
            steps.push(format!("{} reload with it", list(&self.told)));
        }
        if !self.replicated_to.is_empty() {
            steps.push(format!("wait until {} know it", list(&self.replicated_to)));
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::status::tests::Lab;

    fn spec() -> Spec {
        Spec::from_toml("[postgres]\nusers = [\"app\", \"patroni\"]\n").expect("a spec")
    }

    #[test]
    fn a_role_is_one_of_the_clusters_own_or_of_its_file() {
        let secret = |name| Account::role_named(&spec(), name).map(|account| account.secret());
        assert_eq!(secret("postgres").as_deref(), Some("postgres"));
        assert_eq!(secret("app").as_deref(), Some("user-app"));
        // Of that name there is a role; what Patroni has is no role.
        assert_eq!(secret("patroni").as_deref(), Some("user-patroni"));
        assert_eq!(Account::RestApi.secret(), "patroni");
        assert_eq!(secret("nobody"), None);
        let spec = spec();
        assert_eq!(Account::roles(&spec), ["postgres", "replicator", "rewinder", "app", "patroni"]);
    }

    #[test]
    fn a_password_is_one_line_that_every_file_gives_back() {
        assert_eq!(password("it's: \\ ok\n"), Ok("it's: \\ ok"));
        assert_eq!(password("from dos\r\n"), Ok("from dos"));
        for (given, why) in [
            ("", BadPassword::Empty),
            ("\n", BadPassword::Empty),
            ("a\nb", BadPassword::Control),
            ("a\n\n", BadPassword::Control),
            ("a\0", BadPassword::Control),
            (" a", BadPassword::Space),
            ("a ", BadPassword::Space),
            ("1234567", BadPassword::Short),
        ] {
            assert_eq!(password(given), Err(why), "{given:?}");
        }
        assert_eq!(password(&"x".repeat(LEN_MAX + 1)), Err(BadPassword::Long));
    }

    proptest! {
        #[test]
        fn a_password_that_is_taken_is_read_back_from_its_file(given in "\\PC{0,40}") {
            if let Ok(taken) = password(&given) {
                let file = format!("{taken}\n");
                prop_assert_eq!(file.trim_end(), taken);
                prop_assert_eq!(password(taken), Ok(taken));
            }
        }
    }

    #[test]
    fn postgres_is_told_the_verifier_alone_and_logs_nothing_of_it() {
        let script = script("a\"b", "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy");
        let (before, last) = script.trim_end().rsplit_once('\n').expect("lines");
        assert!(before.contains("set log_statement to none;"), "{before}");
        assert_eq!(
            last,
            "alter role \"a\"\"b\" password 'SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy';"
        );
    }

    #[test]
    fn every_node_that_runs_is_told_and_one_that_does_not_finds_it_at_its_start() {
        let (mut view, _, _) = Lab::led();
        let nodes: Vec<String> = view.nodes().map(|node| node.name.clone()).collect();
        let leader = view.leader.clone();
        let plan = Plan::of(&view, &Account::Own("replicator")).expect("it is whole");
        assert_eq!((&plan.told, &plan.replicated_to), (&nodes, &nodes));
        assert_eq!(plan.alter_on, leader);
        let of_user = Plan::of(&view, &Account::User("app".into())).expect("it is whole");
        assert_eq!((&of_user.told, &of_user.replicated_to), (&vec![], &nodes));
        let stopped = |state| {
            move |member: &mut MemberView| (member.container_state, member.role) = (state, None)
        };
        let last = view.members.iter_mut().find(|m| m.name == nodes[1]).expect("a node");
        stopped(ContainerState::Stopped)(last);
        let plan = Plan::of(&view, &Account::Own("postgres")).expect("the leader runs");
        assert_eq!(plan.at_their_start, [nodes[1].clone()]);
        assert!(!plan.told.contains(&nodes[1]) && !plan.replicated_to.contains(&nodes[1]));
        let last = view.members.iter_mut().find(|m| m.name == nodes[1]).expect("a node");
        stopped(ContainerState::Paused)(last);
        let refused = Plan::of(&view, &Account::RestApi).expect_err("one is frozen");
        assert_eq!(refused, Refused::Frozen(vec![nodes[1].clone()]));
    }

    #[test]
    fn without_a_leader_no_role_is_altered_and_patroni_needs_none() {
        let (mut view, _, _) = Lab::led();
        view.leader = None;
        assert_eq!(Plan::of(&view, &Account::Own("postgres")), Err(Refused::NoLeader));
        let plan = Plan::of(&view, &Account::RestApi).expect("no role is altered");
        assert_eq!((plan.alter_on, plan.replicated_to), (None, vec![]));
        assert!(!plan.told.is_empty());
        view.quorum.have = 0;
        assert_eq!(Plan::of(&view, &Account::RestApi), Err(Refused::NoQuorum));
    }
}
