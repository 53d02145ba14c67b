//! The extensions that a cluster file may name: the Debian packages that hold them, and what they want of Postgres.
//!
//! What comes with PostgreSQL is in the image; any other, and any locale of libc's, makes an image of its own
//! ([`Addition`]), one layer over that of the major version.

use std::collections::BTreeSet;

use crate::spec::Spec;

/// One extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension {
    /// Its name in the cluster file.
    pub name: &'static str,
    /// Its name for `create extension`; `None` where it is only a library.
    pub sql: Option<&'static str>,
    /// What follows `postgresql-17-` in the names of its packages; none where it comes with PostgreSQL.
    pub packages: &'static [&'static str],
    /// The library that must be loaded at the start.
    pub preload: Option<&'static str>,
}

const fn debian(
    name: &'static str,
    sql: &'static str,
    packages: &'static [&'static str],
) -> Extension {
    Extension { name, sql: Some(sql), packages, preload: None }
}

const fn contrib(name: &'static str) -> Extension {
    debian(name, name, &[])
}

const fn preloaded(extension: Extension, library: &'static str) -> Extension {
    Extension { preload: Some(library), ..extension }
}

/// Every extension that is known: those of packages, then those that come with PostgreSQL.
pub const ALL: &[Extension] = &[
    preloaded(debian("cron", "pg_cron", &["cron"]), "pg_cron"),
    preloaded(debian("hint_plan", "pg_hint_plan", &["pg-hint-plan"]), "pg_hint_plan"),
    debian("hll", "hll", &["hll"]),
    debian("hypopg", "hypopg", &["hypopg"]),
    debian("ip4r", "ip4r", &["ip4r"]),
    debian("orafce", "orafce", &["orafce"]),
    debian("partman", "pg_partman", &["partman"]),
    preloaded(debian("pgaudit", "pgaudit", &["pgaudit"]), "pgaudit"),
    debian("pgtap", "pgtap", &["pgtap"]),
    debian("pgvector", "vector", &["pgvector"]),
    debian("plpgsql_check", "plpgsql_check", &["plpgsql-check"]),
    debian("postgis", "postgis", &["postgis-3", "postgis-3-scripts"]),
    debian("repack", "pg_repack", &["repack"]),
    debian("roaringbitmap", "roaringbitmap", &["roaringbitmap"]),
    debian("rum", "rum", &["rum"]),
    preloaded(debian("squeeze", "pg_squeeze", &["squeeze"]), "pg_squeeze"),
    preloaded(debian("timescaledb", "timescaledb", &["timescaledb"]), "timescaledb"),
    Extension { name: "wal2json", sql: None, packages: &["wal2json"], preload: None },
    contrib("amcheck"),
    contrib("bloom"),
    contrib("btree_gin"),
    contrib("btree_gist"),
    contrib("citext"),
    contrib("cube"),
    contrib("dblink"),
    contrib("earthdistance"),
    contrib("file_fdw"),
    contrib("fuzzystrmatch"),
    contrib("hstore"),
    contrib("intarray"),
    contrib("isn"),
    contrib("ltree"),
    contrib("pageinspect"),
    contrib("pg_buffercache"),
    contrib("pg_freespacemap"),
    contrib("pg_prewarm"),
    preloaded(contrib("pg_stat_statements"), "pg_stat_statements"),
    contrib("pg_trgm"),
    contrib("pg_visibility"),
    contrib("pg_walinspect"),
    contrib("pgcrypto"),
    contrib("pgrowlocks"),
    contrib("pgstattuple"),
    contrib("postgres_fdw"),
    contrib("seg"),
    contrib("tablefunc"),
    contrib("unaccent"),
    contrib("uuid-ossp"),
    contrib("xml2"),
];

/// The extension of this name.
pub fn named(name: &str) -> Option<&'static Extension> {
    ALL.iter().find(|extension| extension.name == name)
}

/// Those that a spec names, each once, in the order of [`ALL`]; unknown ones are left to the lint.
pub fn of(spec: &Spec) -> impl Iterator<Item = &'static Extension> {
    ALL.iter().filter(|known| spec.server.extensions.iter().any(|name| name == known.name))
}

/// The database in which `pg_cron` keeps its jobs, and the only one that it can be made in.
pub fn cron_database(spec: &Spec) -> &str {
    spec.server.parameters.get("cron.database_name").map_or("postgres", String::as_str)
}

/// What the image of the Postgres nodes has beside PostgreSQL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addition {
    /// Names of its extensions, sorted.
    pub extensions: Vec<&'static str>,
    /// A locale of libc's that Debian's image does not have.
    pub locale: Option<String>,
}

impl Addition {
    /// What a spec asks for; `None` where the image of the major version will do.
    pub fn of(spec: &Spec) -> Option<Self> {
        let with_packages = of(spec).filter(|extension| !extension.packages.is_empty());
        let addition = Self {
            extensions: with_packages.map(|extension| extension.name).collect(),
            locale: spec.server.locale.clone().filter(|locale| !is_in_libc(locale)),
        };
        (addition != Self::default()).then_some(addition)
    }

    /// The Debian packages of its extensions, for a major version.
    pub fn packages(&self, major: u32) -> BTreeSet<String> {
        let extensions = self.extensions.iter().filter_map(|name| named(name));
        let packages = extensions.flat_map(|extension| extension.packages);
        packages.map(|package| format!("postgresql-{major}-{package}")).collect()
    }

    /// The image that has it over another: `pgha-pg17-patroni-pgvector-postgis:de_DE.UTF-8`. Names of images are lower
    /// case, and tags are not.
    pub fn image(&self, base: &str) -> String {
        let names = [&[base], self.extensions.as_slice()].concat().join("-");
        match &self.locale {
            None => names,
            Some(locale) => format!("{names}:{}", locale.replace('@', ".")),
        }
    }

    /// What it is, in one line: the label of its image.
    pub fn label(&self) -> String {
        let locale = self.locale.as_deref();
        self.extensions.iter().copied().chain(locale).collect::<Vec<_>>().join(" ")
    }
}

/// Whether Debian's image has a locale without any package.
fn is_in_libc(locale: &str) -> bool {
    ["C", "POSIX", "C.UTF-8", "C.utf8"].contains(&locale)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::PostgresSpec;

    fn addition(extensions: &[&str], locale: Option<&str>) -> Option<Addition> {
        let server = PostgresSpec {
            extensions: extensions.iter().map(|name| (*name).to_owned()).collect(),
            locale: locale.map(str::to_owned),
            ..PostgresSpec::default()
        };
        Addition::of(&Spec { server, ..Spec::default() })
    }

    #[test]
    fn names_map_to_the_packages_of_the_major_version() {
        let addition = addition(&["postgis", "pgvector", "pgcrypto"], None).expect("an addition");
        assert_eq!(addition.image("base"), "base-pgvector-postgis");
        assert_eq!(addition.label(), "pgvector postgis");
        assert_eq!(
            addition.packages(17).into_iter().collect::<Vec<_>>(),
            [
                "postgresql-17-pgvector",
                "postgresql-17-postgis-3",
                "postgresql-17-postgis-3-scripts"
            ]
        );
    }

    #[test]
    fn what_the_image_has_already_makes_no_other_one() {
        assert_eq!(addition(&[], None), None);
        assert_eq!(addition(&["pgcrypto", "pg_stat_statements"], Some("C.UTF-8")), None);
        let german = addition(&[], Some("de_DE@euro")).expect("an addition");
        assert_eq!(
            (german.image("base"), german.label()),
            ("base:de_DE.euro".into(), "de_DE@euro".into())
        );
    }

    #[test]
    fn the_name_of_an_image_with_all_extensions_is_one() {
        let all: Vec<_> = ALL.iter().map(|extension| extension.name).collect();
        let image = addition(&all, None).expect("an addition").image("pgha-pg17-patroni");
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        assert!(image.len() < 255 && image.chars().all(fits) && !image.contains("__"), "{image}");
        let names: BTreeSet<_> = all.iter().collect();
        assert_eq!(names.len(), all.len(), "each stands once");
    }
}
