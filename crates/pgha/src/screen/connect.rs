//! Connection strings, for people and for programs.

use std::fmt::Write as _;
use std::path::PathBuf;

use pgha_core::connect::Access;
use serde::Serialize;

use super::TITLE;

/// One way to connect, from both places.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Both {
    /// From the machine the cluster runs on.
    pub(crate) host: String,
    /// From any member of the cluster.
    pub(crate) inside: String,
}

/// One string for each kind of access.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Kinds {
    read_write: Both,
    read_only: Both,
    load_balanced: Both,
}

/// What `pgha connect --json` prints: URIs, and under `keywords` the same as keywords and values.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ways {
    #[serde(flatten)]
    uris: Kinds,
    keywords: Kinds,
    passfile: PathBuf,
}

impl Kinds {
    fn new(of: impl Fn(Access) -> Both) -> Self {
        Self {
            read_write: of(Access::ReadWrite),
            read_only: of(Access::ReadOnly),
            load_balanced: of(Access::LoadBalanced),
        }
    }
}

impl Ways {
    /// All strings; `uri` and `keywords` write those of one kind of access.
    pub(crate) fn new(
        uri: impl Fn(Access) -> Both,
        keywords: impl Fn(Access) -> Both,
        passfile: PathBuf,
    ) -> Self {
        Self { uris: Kinds::new(uri), keywords: Kinds::new(keywords), passfile }
    }
}

/// Draws them, each quoted for a shell.
pub(crate) fn draw(ways: &Ways) -> String {
    let (uris, keywords) = (&ways.uris, &ways.keywords);
    let sections = [
        ("Read-write: the leader", &uris.read_write, &keywords.read_write),
        ("Read-only: a replica", &uris.read_only, &keywords.read_only),
        (
            "Load-balanced reads: any node, at random (libpq 16 or later)",
            &uris.load_balanced,
            &keywords.load_balanced,
        ),
    ];
    let mut out = String::new();
    for (title, uri, keywords) in sections {
        line(&mut out, format_args!("{TITLE}{title}{TITLE:#}"));
        for (place, uri, keywords) in [
            ("from this host", &uri.host, &keywords.host),
            ("inside a site", &uri.inside, &keywords.inside),
        ] {
            line(&mut out, format_args!("  {place}, as URI and as keywords:"));
            line(&mut out, format_args!("    {}", quoted(uri)));
            line(&mut out, format_args!("    {}", quoted(keywords)));
        }
        out.push('\n');
    }
    line(&mut out, format_args!("{TITLE}Password file, on this host{TITLE:#}"));
    line(&mut out, format_args!("    PGPASSFILE={}", quoted(&ways.passfile.to_string_lossy())));
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

    #[test]
    fn every_string_is_one_word_of_a_shell() {
        let both = |what: &str| Both { host: format!("{what} 'h'"), inside: format!("{what} i") };
        let ways = Ways::new(
            |access| both(&format!("uri {}", access.parameter().1)),
            |access| both(&format!("keywords {}", access.parameter().1)),
            "/srv/demo/docker-compose.secrets/pgpass".into(),
        );
        insta::assert_snapshot!(anstream::adapter::strip_str(&draw(&ways)).to_string());
        let json = serde_json::to_value(&ways).expect("plain data");
        assert_eq!(json["read_write"]["host"], "uri read-write 'h'");
        assert_eq!(json["read_only"]["inside"], "uri read-only i");
        assert_eq!(json["load_balanced"]["inside"], "uri random i");
        assert_eq!(json["keywords"]["read_only"]["inside"], "keywords read-only i");
        assert_eq!(json["passfile"], "/srv/demo/docker-compose.secrets/pgpass");
    }
}
