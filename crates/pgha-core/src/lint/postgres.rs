//! First stage: what `[postgres]` asks for and no cluster can have. Values of parameters and lines of `pg_hba.conf` are
//! for Postgres to judge.

use std::collections::BTreeSet;

use super::{Finding, shortened};
use crate::extensions;
use crate::render::parameters::controlled;
use crate::spec::{Bytes, PostgresSpec, Spec};
use crate::tuning::Limits;

/// Longest name that Postgres keeps, in bytes.
const NAME_MAX_LEN: usize = 63;
/// Users that there are already.
const OWN_USERS: [&str; 3] = ["postgres", "replicator", "rewinder"];
/// Databases that there are already.
const OWN_DATABASES: [&str; 3] = ["postgres", "template0", "template1"];
/// Types of connection that a line of `pg_hba.conf` begins with.
const HBA_TYPES: [&str; 6] =
    ["local", "host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc"];
/// Least memory of a node: Postgres's 128 MB of shared buffers, Patroni, and a backup.
const MEMORY_MIN: Bytes = Bytes(256 << 20);
/// Least size of `/dev/shm`: Docker's own default.
const SHM_MIN: Bytes = Bytes(64 << 20);
/// Least parameters that the nodes need, by name.
const NEEDED: [&str; 2] = ["max_wal_senders", "max_replication_slots"];

/// Everything there is to say about `[postgres]`; `sound` where the number of nodes is one that a cluster can have.
pub(super) fn check(spec: &Spec, sound: bool) -> Vec<Finding> {
    let server = &spec.server;
    let mut findings = parameters(server);
    if sound {
        findings.extend(limits(spec));
    }
    findings.extend(server.hba.iter().filter_map(|line| hba(line)));
    findings.extend(names(server));
    findings.extend(extensions(server));
    findings.extend(locales(server));
    findings.extend(resources(server));
    findings
}

fn parameters(server: &PostgresSpec) -> Vec<Finding> {
    let part = |part: &str| {
        let first = part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        first && part.chars().all(|c| c.is_ascii_alphanumeric() || "_$".contains(c))
    };
    let finding = |(name, value): (&String, &String)| {
        let shown = shortened(name);
        if !name.split('.').all(part) || name.len() > NAME_MAX_LEN * 2 {
            return Some(Finding::error(
                "postgres_parameter",
                format!("{shown:?} is not the name of a parameter"),
                "names of parameters are those of postgresql.conf, such as work_mem",
            ));
        }
        if let Some(why) = controlled(name) {
            return Some(Finding::error(
                "postgres_parameter_controlled",
                format!("the parameter {shown} is not for the cluster file: {why}"),
                "leave it out of [postgres.parameters]",
            ));
        }
        value.contains(char::is_control).then(|| {
            Finding::error(
                "postgres_parameter",
                format!("the value of the parameter {shown} has a line feed or another control character"),
                "a value is one line",
            )
        })
    };
    server.parameters.iter().filter_map(finding).collect()
}

/// Fewer WAL senders or slots than the nodes take would leave replicas without a stream.
fn limits(spec: &Spec) -> Vec<Finding> {
    let limits = Limits::of(spec);
    let needed = |name: &str| match name {
        "max_wal_senders" => limits.max_wal_senders,
        _ => limits.max_replication_slots,
    };
    let finding = |name: &&str| {
        let value: u32 = spec.server.parameters.get(*name)?.trim().parse().ok()?;
        let needed = needed(name);
        (value < needed).then(|| {
            Finding::error(
                "postgres_parameter_too_small",
                format!("{name} = {value}, and the nodes of this cluster take {needed}"),
                format!("leave it out for {needed}"),
            )
        })
    };
    NEEDED.iter().filter_map(finding).collect()
}

fn hba(line: &str) -> Option<Finding> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let kind = fields.first().copied().unwrap_or_default();
    let least = if kind == "local" { 4 } else { 5 };
    let whole = HBA_TYPES.contains(&kind) && fields.len() >= least;
    (!whole || line.contains(char::is_control)).then(|| {
        Finding::error(
            "postgres_hba",
            format!("{:?} is no line of pg_hba.conf", shortened(line)),
            "hba = [\"hostssl all all 10.0.0.0/8 scram-sha-256\"]: type, database, user, address and method",
        )
    })
}

fn names(server: &PostgresSpec) -> Vec<Finding> {
    let fits = |name: &str| {
        let first = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        first && name.chars().all(known) && name.len() <= NAME_MAX_LEN
    };
    let mut findings = Vec::new();
    let databases: Vec<&str> = server.databases.iter().map(|d| d.name.as_str()).collect();
    let users: Vec<&str> = server.users.iter().map(String::as_str).collect();
    for (what, all, own) in [("user", &users, &OWN_USERS), ("database", &databases, &OWN_DATABASES)]
    {
        let mut seen = BTreeSet::new();
        for name in all {
            let shown = shortened(name);
            let (wrong, hint) = if !fits(name) {
                (
                    format!("{shown:?} cannot be the name of a {what} here"),
                    format!(
                        "a letter or `_` first, then letters a to z, digits, `_` and `-`; at most {NAME_MAX_LEN}"
                    ),
                )
            } else if own.contains(name) || name.starts_with("pg_") {
                (
                    format!("the {what} {shown} is the cluster's own"),
                    "give it another name".to_owned(),
                )
            } else if !seen.insert(*name) {
                (format!("the {what} {shown} is given twice"), "leave one out".to_owned())
            } else {
                continue;
            };
            findings.push(Finding::error("postgres_name", wrong, hint));
        }
    }
    for database in &server.databases {
        let unknown = database.owner.as_deref().filter(|o| *o != "postgres" && !users.contains(o));
        if let Some(owner) = unknown {
            findings.push(Finding::error(
                "postgres_owner",
                format!(
                    "the database {} is to be owned by {}, who is not among `users`",
                    shortened(&database.name),
                    shortened(owner)
                ),
                "add the owner to `users`",
            ));
        }
    }
    if server
        .init_sql
        .as_deref()
        .is_some_and(|path| path.is_empty() || path.contains(char::is_control))
    {
        findings.push(Finding::error(
            "postgres_init_sql",
            "init_sql is not the path of a file",
            "init_sql = \"schema.sql\", beside the cluster file",
        ));
    }
    findings
}

fn extensions(server: &PostgresSpec) -> Vec<Finding> {
    let known = || extensions::ALL.iter().map(|known| known.name).collect::<Vec<_>>().join(", ");
    let unknown = server.extensions.iter().filter(|name| extensions::named(name).is_none());
    let finding = |name: &String| {
        // By its name in SQL somebody may well look for it.
        let by_sql = extensions::ALL.iter().find(|known| known.sql == Some(name));
        Finding::error(
            "postgres_extension_unknown",
            format!("the extension {} is not known to pgha", shortened(name)),
            match by_sql {
                Some(known) => format!("here its name is {}", known.name),
                None => format!("known are {}", known()),
            },
        )
    };
    unknown.map(finding).collect()
}

fn locales(server: &PostgresSpec) -> Vec<Finding> {
    let fits = |name: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || "_.@-=;".contains(c);
        !name.is_empty() && name.len() <= NAME_MAX_LEN && name.chars().all(known)
    };
    let utf8 = |name: &str| {
        let name = name.split('@').next().unwrap_or_default().to_ascii_lowercase();
        let codeset = name.split_once('.').map(|(_, codeset)| codeset);
        ["c", "posix"].contains(&name.as_str()) || matches!(codeset, Some("utf-8" | "utf8"))
    };
    let mut findings = Vec::new();
    if let Some(locale) = server.locale.as_deref().filter(|locale| !fits(locale) || !utf8(locale)) {
        findings.push(Finding::error(
            "postgres_locale",
            format!("{:?} is no locale for a database in UTF-8", shortened(locale)),
            "locale = \"de_DE.UTF-8\", or leave it out for C.UTF-8",
        ));
    }
    if let Some(locale) = server.icu_locale.as_deref().filter(|locale| !fits(locale)) {
        findings.push(Finding::error(
            "postgres_locale",
            format!("{:?} is no locale of ICU's", shortened(locale)),
            "icu_locale = \"de\" or \"en-US\"",
        ));
    }
    findings
}

fn resources(server: &PostgresSpec) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(memory) = server.memory.filter(|memory| *memory < MEMORY_MIN) {
        findings.push(Finding::error(
            "postgres_memory",
            format!("memory = {memory} for a node, and Postgres with Patroni takes {MEMORY_MIN}"),
            format!("memory = \"{MEMORY_MIN}\" at least"),
        ));
    }
    if let Some(size) = server.shm_size.filter(|size| *size < SHM_MIN) {
        findings.push(Finding::warning(
            "postgres_shm_size",
            format!("shm_size = {size}: parallel queries fail with \"could not resize shared memory segment\""),
            "leave it out for 1g; memory is taken only as they need it",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(table: &str) -> Vec<&'static str> {
        let spec = Spec::from_toml(&format!("[postgres]\n{table}\n")).expect(table);
        check(&spec, true).iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn what_a_cluster_can_have_is_nothing_to_talk_about() {
        assert_eq!(codes(""), [""; 0]);
        for table in [
            "users = [\"app\", \"etl-2\"]\ndatabases = [\"crm\", { name = \"shop\", owner = \"app\" }]",
            "extensions = [\"pgvector\", \"postgis\", \"cron\"]",
            "hba = [\"local all all trust\", \"hostssl all all 10.0.0.0/8 scram-sha-256\"]",
            "locale = \"de_DE.UTF-8\"\nicu_locale = \"de-DE-u-co-phonebk\"",
            "memory = \"1g\"\ncpus = 0.5\nshm_size = \"512m\"\ninit_sql = \"schema.sql\"",
            "parameters.work_mem = \"64MB\"\nparameters.cron.database_name = \"shop\"",
        ] {
            assert_eq!(codes(table), [""; 0], "{table}");
        }
    }

    #[test]
    fn what_no_cluster_can_have_is_an_error() {
        for (table, code) in [
            ("parameters.archive_command = \"true\"", "postgres_parameter_controlled"),
            ("parameters.Port = 5433", "postgres_parameter_controlled"),
            ("parameters.\"work mem\" = \"1MB\"", "postgres_parameter"),
            ("parameters.application_name = \"a\\nb\"", "postgres_parameter"),
            ("parameters.max_wal_senders = 2", "postgres_parameter_too_small"),
            ("hba = [\"all all trust\"]", "postgres_hba"),
            ("hba = [\"host all all trust\"]", "postgres_hba"),
            ("hba = [\"local all all trust\\nhost all all 0/0 trust\"]", "postgres_hba"),
            ("users = [\"Robert'); drop\"]", "postgres_name"),
            ("users = [\"replicator\"]", "postgres_name"),
            ("users = [\"app\", \"app\"]", "postgres_name"),
            ("databases = [\"postgres\"]", "postgres_name"),
            ("databases = [{ name = \"shop\", owner = \"app\" }]", "postgres_owner"),
            ("extensions = [\"timetravel\"]", "postgres_extension_unknown"),
            ("locale = \"de_DE\"", "postgres_locale"),
            ("locale = \"de_DE.UTF-8; rm\"", "postgres_locale"),
            ("icu_locale = \"\"", "postgres_locale"),
            ("memory = \"64m\"", "postgres_memory"),
            ("shm_size = \"1m\"", "postgres_shm_size"),
            ("init_sql = \"\"", "postgres_init_sql"),
        ] {
            assert_eq!(codes(table), [code], "{table}");
        }
    }

    #[test]
    fn an_extension_is_found_by_its_name_in_sql() {
        let spec = Spec::from_toml("[postgres]\nextensions = [\"vector\"]\n").expect("a spec");
        assert_eq!(check(&spec, true)[0].hint, "here its name is pgvector");
    }
}
