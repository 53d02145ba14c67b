//! Whether a node runs with a change of configuration, from what its Patroni and its Postgres say.
//!
//! Neither says that outright. Postgres says when it last read its settings, which Patroni has it do where any differs. Patroni
//! says when it last saw etcd: what a round that began after the change has to do is done soon after.

use serde_json::Value;

use crate::topology::PATRONI_PORT;

/// Seconds that a round takes for what has changed.
const ROUND_S: f64 = 3.0;

/// What runs in a node to learn it, and prints what [`Said::parse`] reads.
pub fn script() -> String {
    format!(
        "curl -s -m 2 http://127.0.0.1:{PATRONI_PORT}/patroni | tr -d '\\n'; echo; psql -XAtqF ' ' -d postgres -c \
         \"select extract(epoch from pg_conf_load_time()), count(*) filter (where pending_restart) from pg_settings\""
    )
}

/// What a node says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Said {
    /// When its Patroni last saw etcd, in seconds since 1970.
    saw_etcd_s: Option<f64>,
    /// When its Postgres last read its settings.
    loaded_s: Option<f64>,
    /// How many of its parameters wait for a restart.
    pub pending: u32,
}

impl Said {
    /// Reads what [`script`] prints; what is not said is absent.
    pub fn parse(printed: &str) -> Self {
        let mut lines = printed.lines();
        let patroni: Value =
            lines.next().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
        let mut postgres = lines.next().unwrap_or_default().split(' ');
        Self {
            saw_etcd_s: patroni["dcs_last_seen"].as_f64(),
            loaded_s: postgres.next().and_then(|word| word.parse().ok()),
            pending: postgres.next().and_then(|word| word.parse().ok()).unwrap_or_default(),
        }
    }
}

/// What was seen of a node since the change.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// When its first round after that was seen.
    round_s: Option<f64>,
}

impl Seen {
    /// Whether the node runs with a change that was made at one time, by what it says at another.
    pub fn runs_with(&mut self, said: Said, changed_s: f64, now_s: f64) -> bool {
        if said.loaded_s.is_some_and(|at| at > changed_s) {
            return true;
        }
        // Whole seconds, rounded down.
        if said.saw_etcd_s.is_some_and(|at| at > changed_s) {
            self.round_s.get_or_insert(now_s);
        }
        self.round_s.is_some_and(|at| now_s - at >= ROUND_S)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_absent() {
        let said = Said::parse(
            "{\"state\": \"running\", \"dcs_last_seen\": 1795791300}\n1795791200.5 2\n",
        );
        let all =
            Said { saw_etcd_s: Some(1_795_791_300.0), loaded_s: Some(1_795_791_200.5), pending: 2 };
        assert_eq!(said, all);
        for printed in ["", "\n", "oops\noops oops\n"] {
            assert_eq!(Said::parse(printed), Said::default());
        }
    }

    #[test]
    fn a_node_runs_with_it_once_it_has_read_it_or_had_time_to() {
        let said = |saw, loaded| Said { saw_etcd_s: Some(saw), loaded_s: Some(loaded), pending: 0 };
        assert!(Seen::default().runs_with(said(90.0, 101.5), 101.2, 102.0));
        let mut seen = Seen::default();
        // A round that began before the change says nothing.
        assert!(!seen.runs_with(said(101.0, 50.0), 101.2, 110.0));
        assert!(!seen.runs_with(said(111.0, 50.0), 101.2, 111.5));
        assert!(!seen.runs_with(said(111.0, 50.0), 101.2, 114.0));
        assert!(seen.runs_with(said(111.0, 50.0), 101.2, 114.5));
        assert!(!Seen::default().runs_with(Said::default(), 101.2, 999.0));
    }
}
