//! The node screen: what one Postgres says of its sessions, its replicas and its WAL.

use serde::Deserialize;

/// What a node is asked; it answers with a [`NodeReport`] in JSON.
pub const NODE_SQL: &str = "select json_build_object(\
    'recovery', pg_is_in_recovery(), \
    'lsn', case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end::text, \
    'received', case when pg_is_in_recovery() then pg_last_wal_receive_lsn() end::text, \
    'connections', (select count(*) from pg_stat_activity where backend_type = 'client backend'), \
    'connections_max', current_setting('max_connections')::int, \
    'started_s', floor(extract(epoch from clock_timestamp() - pg_postmaster_start_time()))::bigint, \
    'sessions', (select coalesce(json_agg(s), '[]') from (\
        select pid, usename as user, datname as database, application_name as application, state, \
        wait_event as wait, floor(extract(epoch from clock_timestamp() - coalesce(xact_start, query_start)) * 1000)::bigint as ms, \
        left(regexp_replace(query, '\\s+', ' ', 'g'), 200) as query from pg_stat_activity \
        where backend_type = 'client backend' and pid <> pg_backend_pid() \
        order by state = 'active' desc nulls last, xact_start nulls last limit 20) s), \
    'replicas', (select coalesce(json_agg(r), '[]') from (\
        select application_name as name, state, sync_state as sync, sent_lsn::text as sent, \
        floor(extract(epoch from replay_lag) * 1000)::bigint as replay_ms \
        from pg_stat_replication order by application_name limit 64) r))";

/// What a node answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NodeReport {
    /// It follows another node.
    pub recovery: bool,
    /// Where it has written to, or replayed to.
    pub lsn: Option<String>,
    /// Where it has received to, of one that follows.
    pub received: Option<String>,
    /// Connections of clients.
    pub connections: u32,
    /// How many there may be.
    pub connections_max: u32,
    /// For how long Postgres runs, in seconds.
    pub started_s: u64,
    /// Sessions of clients, those that are active first.
    pub sessions: Vec<Session>,
    /// Who streams from it.
    pub replicas: Vec<Replica>,
}

/// One session (`pg_stat_activity`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Session {
    /// Process.
    pub pid: u32,
    /// User.
    pub user: Option<String>,
    /// Database.
    pub database: Option<String>,
    /// Application.
    pub application: Option<String>,
    /// State, such as `active` or `idle in transaction`.
    pub state: Option<String>,
    /// What it waits for.
    pub wait: Option<String>,
    /// How long its transaction or query is, in milliseconds.
    pub ms: Option<u64>,
    /// Its last query, on one line.
    pub query: Option<String>,
}

/// One replica (`pg_stat_replication`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Replica {
    /// Its name.
    pub name: String,
    /// State, such as `streaming`.
    pub state: Option<String>,
    /// `async`, `sync` or `quorum`.
    pub sync: Option<String>,
    /// What was sent to it.
    pub sent: Option<String>,
    /// How long it takes to replay, in milliseconds; `None` where nothing is written.
    pub replay_ms: Option<u64>,
}

impl NodeReport {
    /// Reads an answer.
    ///
    /// # Errors
    /// When it is something else.
    pub fn from_json(printed: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(printed).map_err(|e| format!("no report of a node: {e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_less_than_expected_is_read() {
        let report =
            NodeReport::from_json(br#"{"recovery": true, "sessions": [{"pid": 7, "user": null}]}"#);
        let report = report.expect("it is one");
        assert!(report.recovery && report.sessions[0].pid == 7 && report.replicas.is_empty());
        assert!(NodeReport::from_json(b"ERROR").is_err());
    }
}
