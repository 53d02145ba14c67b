//! Postgres's parameters as a cluster is made with them: those that pgha sets, and over them those of the cluster file.
//!
//! They are part of Patroni's dynamic configuration, where `patronictl edit-config` changes them. Some are pgha's or
//! Patroni's business alone: [`controlled`] says which, and why.

use serde_json::{Value, json};

use super::{CONFIG_DIR, data_dir};
use crate::disk::wal_keep_mib;
use crate::extensions;
use crate::repository::STANZA;
use crate::spec::Spec;
use crate::topology::{Role, Topology};
use crate::tuning::Limits;

/// The parameter whose libraries are added up.
const PRELOAD: &str = "shared_preload_libraries";

/// Every parameter of a new cluster with nodes of this disk size, in the order of the configuration.
pub fn of(topology: &Topology, disk_size_bytes: u64) -> Vec<(String, Value)> {
    with(topology, wal_keep_mib(topology, disk_size_bytes))
}

/// The same where it is known how much WAL the nodes keep for replicas (`wal_keep_size`, in MiB).
pub fn with(topology: &Topology, wal_keep_mib: u64) -> Vec<(String, Value)> {
    let spec = &topology.spec;
    let mut all: Vec<(String, Value)> =
        own(topology, wal_keep_mib).into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
    for (name, value) in &spec.server.parameters {
        let value = Value::String(value.clone());
        match all.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
            Some((_, own)) => *own = value,
            None => all.push((name.clone(), value)),
        }
    }
    if let Some(libraries) = preloaded(spec) {
        all.retain(|(name, _)| name != PRELOAD);
        all.push((PRELOAD.to_owned(), Value::String(libraries)));
    }
    all
}

/// These parameters as a `postgresql.conf`.
pub fn postgresql_conf(all: &[(String, Value)]) -> String {
    let line = |(name, value): &(String, Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{name} = '{}'\n", text.replace('\\', "\\\\").replace('\'', "''"))
    };
    all.iter().map(line).collect()
}

/// The parameters that pgha sets.
fn own(topology: &Topology, wal_keep_mib: u64) -> Vec<(&'static str, Value)> {
    let nodes = topology.of_role(Role::Postgres).count();
    let limits = Limits::for_nodes(u32::try_from(nodes).unwrap_or(u32::MAX));
    let pgbackrest = format!("pgbackrest --config={CONFIG_DIR}/pgbackrest.conf --stanza={STANZA}");
    let archive =
        format!("{pgbackrest} archive-push \"{}/pg_wal/%f\"", data_dir(topology.spec.postgres));
    vec![
        ("archive_mode", json!("on")),
        ("archive_command", json!(archive)),
        ("archive_timeout", json!("1800s")),
        ("hot_standby", json!("on")),
        ("log_filename", json!("postgresql-%Y-%m-%d-%a.log")),
        ("log_line_prefix", json!("%m [%r] [%p]: [%l-1] user=%u,db=%d,host=%h ")),
        ("log_lock_waits", json!("on")),
        ("log_min_duration_statement", json!(1000)),
        ("logging_collector", json!("on")),
        ("max_connections", json!(limits.max_connections)),
        ("max_worker_processes", json!(limits.max_worker_processes)),
        ("max_replication_slots", json!(limits.max_replication_slots)),
        ("max_wal_senders", json!(limits.max_wal_senders)),
        ("max_wal_size", json!("1GB")),
        ("wal_keep_size", json!(wal_keep_mib)),
        ("wal_level", json!("logical")),
        ("wal_log_hints", json!("on")),
        // A replica that finds no slot or no leader asks again sooner than after the usual 5 s.
        ("wal_retrieve_retry_interval", json!("1s")),
        // So long may a replica wait for a leader that says nothing, and go on waiting when it is
        // told to stop: with the usual 60 s, a node that was killed is back only after a minute.
        ("wal_receiver_timeout", json!("10s")),
        // An idle standby says sooner how far it is; before the first word it acknowledges nothing.
        ("wal_receiver_status_interval", json!("1s")),
        ("password_encryption", json!("scram-sha-256")),
    ]
}

/// Whether pgha sets a parameter in a new cluster, whatever its cluster file says.
pub fn is_own(topology: &Topology, name: &str) -> bool {
    let extensions = name == PRELOAD && preloaded(&topology.spec).is_some();
    extensions || own(topology, 0).iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
}

/// Libraries that are loaded at the start: those of the cluster file, and those that its extensions want.
fn preloaded(spec: &Spec) -> Option<String> {
    let named = spec.server.parameters.get(PRELOAD).map(String::as_str).unwrap_or_default();
    let mut all: Vec<&str> =
        named.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    for library in extensions::of(spec).filter_map(|extension| extension.preload) {
        if !all.contains(&library) {
            all.push(library);
        }
    }
    (!all.is_empty()).then(|| all.join(","))
}

/// Why a parameter is not for the cluster file; `None` where it is.
pub fn controlled(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    Some(match name.as_str() {
        "archive_mode" | "archive_command" | "archive_library" | "restore_command" => {
            "WAL goes to pgBackRest's repository and comes from there"
        }
        "archive_cleanup_command" | "recovery_end_command" | "promote_trigger_file" => {
            "recovery is Patroni's business, and that of `pgha restore`"
        }
        name if name.starts_with("recovery_") => {
            "recovery is Patroni's business, and that of `pgha restore`"
        }
        "listen_addresses" | "port" | "unix_socket_directories" | "unix_socket_permissions" => {
            "members, connection strings and the published ports rely on it"
        }
        "wal_level" | "hot_standby" | "wal_log_hints" => {
            "replication, pg_rewind and logical decoding rely on it"
        }
        "primary_conninfo" | "primary_slot_name" | "cluster_name" => "Patroni sets it on each node",
        "synchronous_standby_names" => "Patroni sets it, as `durability` asks",
        "data_directory" | "config_file" | "hba_file" | "ident_file" | "external_pid_file" => {
            "Patroni writes these files in the data directory; `hba` has lines of pg_hba.conf"
        }
        "logging_collector" | "log_destination" | "log_directory" | "log_line_prefix" => {
            "`pgha status` and `pgha up` read there why Postgres does not start"
        }
        "password_encryption" => "the users of replication and pg_rewind log in with SCRAM",
        "include" | "include_dir" | "include_if_exists" => "it is a directive, no parameter",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::PostgresSpec;

    fn all(server: PostgresSpec) -> Vec<(String, Value)> {
        of(&Topology::new(Spec { server, ..Spec::default() }, 1), 1 << 40)
    }

    fn value(all: &[(String, Value)], name: &str) -> Option<Value> {
        let found: Vec<_> = all.iter().filter(|(own, _)| own == name).collect();
        assert!(found.len() < 2, "{name} stands twice");
        found.first().map(|(_, value)| value.clone())
    }

    #[test]
    fn the_cluster_file_prevails_over_what_pgha_sets() {
        let parameters = [("max_connections", "300"), ("work_mem", "64MB")];
        let parameters = parameters.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        let all = all(PostgresSpec { parameters, ..PostgresSpec::default() });
        assert_eq!(value(&all, "max_connections"), Some(json!("300")));
        assert_eq!(value(&all, "work_mem"), Some(json!("64MB")));
        assert_eq!(value(&all, "wal_level"), Some(json!("logical")));
        assert_eq!(value(&all, PRELOAD), None);
    }

    #[test]
    fn a_value_with_quotes_is_one_value() {
        let all = [("a.b".to_owned(), json!(r"it's \n")), ("port".to_owned(), json!(5))];
        assert_eq!(postgresql_conf(&all), "a.b = 'it''s \\\\n'\nport = '5'\n");
    }

    #[test]
    fn libraries_of_extensions_are_loaded_beside_those_of_the_file() {
        let parameters = [(PRELOAD.to_owned(), "auto_explain, pg_cron".to_owned())].into();
        let extensions = ["cron", "pg_stat_statements", "pgvector"].map(str::to_owned).to_vec();
        let all = all(PostgresSpec { extensions, parameters, ..PostgresSpec::default() });
        assert_eq!(value(&all, PRELOAD), Some(json!("auto_explain,pg_cron,pg_stat_statements")));
    }

    #[test]
    fn what_pgha_relies_on_is_not_for_the_cluster_file() {
        for name in [
            "archive_command",
            "restore_command",
            "listen_addresses",
            "WAL_LEVEL",
            "recovery_target_time",
        ] {
            assert!(controlled(name).is_some(), "{name}");
        }
        for name in
            ["work_mem", "max_connections", "log_min_duration_statement", "cron.database_name"]
        {
            assert_eq!(controlled(name), None, "{name}");
        }
    }
}
