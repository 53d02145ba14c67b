//! Connection strings, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use pgha_core::connect::Access;
use pgha_core::proxy::ProxyPort;
use serde::Serialize;

use super::TITLE;

/// One way to connect, from both places; nothing where the driver knows no such access.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Both {
    /// From the machine the cluster runs on.
    pub(crate) host: Option<String>,
    /// From any member of the cluster.
    pub(crate) inside: Option<String>,
}

/// One string for each kind of access.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Kinds {
    read_write: Both,
    read_only: Both,
    prefer_replica: Both,
    balanced_replicas: Both,
    load_balanced: Both,
}

/// What `pgha connect --json` prints: URIs, and under `keywords` the same as keywords and values; or what `--format` asks for.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ways {
    #[serde(flatten)]
    strings: Kinds,
    #[serde(skip_serializing_if = "Option::is_none")]
    keywords: Option<Kinds>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    proxies: BTreeMap<String, Both>,
    passfile: PathBuf,
}

impl Kinds {
    /// All of them; `of` writes that of one kind.
    pub(crate) fn new(of: impl Fn(Access) -> Both) -> Self {
        Self {
            read_write: of(Access::ReadWrite),
            read_only: of(Access::ReadOnly),
            prefer_replica: of(Access::PreferReplica),
            balanced_replicas: of(Access::BalancedReplicas),
            load_balanced: of(Access::LoadBalanced),
        }
    }
}

impl Ways {
    /// All strings in one format, and as keywords where these belong to it.
    pub(crate) fn new(strings: Kinds, keywords: Option<Kinds>, passfile: PathBuf) -> Self {
        Self { strings, keywords, proxies: BTreeMap::new(), passfile }
    }

    /// The same, with what goes through proxies.
    pub(crate) fn through(mut self, proxies: impl Iterator<Item = (ProxyPort, Both)>) -> Self {
        self.proxies = proxies.map(|(port, both)| (port.name().replace('-', "_"), both)).collect();
        self
    }
}

/// Draws them, each quoted for a shell.
pub(crate) fn draw(ways: &Ways) -> String {
    let all = &ways.strings;
    let sections = [
        ("Read-write: the leader", &all.read_write),
        ("Read-only: a replica", &all.read_only),
        ("Read-only: a replica, else the leader (libpq 14 or later)", &all.prefer_replica),
        ("Load-balanced reads: any replica, at random (libpq 16 or later)", &all.balanced_replicas),
        ("Load-balanced reads: any node, at random (libpq 16 or later)", &all.load_balanced),
    ];
    let mut out = String::new();
    for (title, both) in sections {
        section(&mut out, title, both);
    }
    let proxied = [
        ("read_write", "HAProxy: the leader"),
        ("read_only", "HAProxy: a replica, of the proxy's own site where there is one"),
        ("pooled", "PgBouncer: the leader, transaction pooling"),
        ("statistics", "HAProxy's statistics page, each proxy"),
    ];
    for (key, title) in proxied {
        let Some(both) = ways.proxies.get(key) else { continue };
        section(&mut out, title, both);
    }
    line(&mut out, format_args!("{TITLE}Password file, on this host{TITLE:#}"));
    line(&mut out, format_args!("    PGPASSFILE={}", quoted(&ways.passfile.to_string_lossy())));
    out
}

fn section(out: &mut String, title: &str, Both { host, inside }: &Both) {
    line(out, format_args!("{TITLE}{title}{TITLE:#}"));
    for (place, string) in [("from this host", host), ("inside a site", inside)] {
        match string {
            Some(string) => {
                line(out, format_args!("  {place}:\n    {}", quoted(string)));
            }
            None => line(out, format_args!("  {place}: not known to this driver")),
        }
    }
    out.push('\n');
}

/// Draws where the services are, and how one is used.
pub(crate) fn services(file: &str, names: &[(String, Access)]) -> String {
    let mut out = String::new();
    line(&mut out, format_args!("export PGSERVICEFILE={}", quoted(file)));
    let width = names.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, access) in names {
        line(&mut out, format_args!("psql service={name:<width$}  # {}", access.name()));
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes all");
}

/// As one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(of: &'static str) -> Kinds {
        Kinds::new(|access| Both {
            host: Some(format!("{of} {} 'h'", access.name())),
            inside: (!access.balances()).then(|| format!("{of} {} i", access.name())),
        })
    }

    #[test]
    fn every_string_is_one_word_of_a_shell() {
        let passfile = PathBuf::from("/srv/demo/docker-compose.secrets/pgpass");
        let ways = Ways::new(kinds("uri"), Some(kinds("keywords")), passfile.clone());
        insta::assert_snapshot!(anstream::adapter::strip_str(&draw(&ways)).to_string());
        let json = serde_json::to_value(&ways).expect("plain data");
        assert_eq!(json["read_write"]["host"], "uri read-write 'h'");
        assert_eq!(json["read_only"]["inside"], "uri read-only i");
        assert_eq!(json["load_balanced"]["inside"], serde_json::Value::Null);
        assert_eq!(json["keywords"]["prefer_replica"]["inside"], "keywords prefer-replica i");
        assert_eq!(json["passfile"], "/srv/demo/docker-compose.secrets/pgpass");
        let json = serde_json::to_value(Ways::new(kinds("jdbc"), None, passfile));
        assert!(json.expect("plain data").get("keywords").is_none());
    }

    #[test]
    fn a_service_is_used_by_name() {
        let names = Access::ALL.map(|access| (format!("demo-{}", access.name()), access));
        insta::assert_snapshot!(services("/srv/my demo/pg_service.conf", &names));
    }
}
