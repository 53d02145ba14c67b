//! What is done once to a new database, on its first leader, before the cluster has it: users, databases, extensions, the
//! user of `PgBouncer` and the file `init_sql`, in this order.
//!
//! Texts for psql only; `pgha-node` runs them. Whatever fails ends the set-up, and the node keeps what Postgres said
//! instead of trying again.

use std::fmt;

use crate::extensions::{self, cron_database};
use crate::proxy::{PGBOUNCER_PASSWORD, PGBOUNCER_USER};
use crate::spec::Spec;

/// The secret with the text of `init_sql`.
pub const INIT_SQL: &str = "init.sql";
/// What the name of the secret with a user's password begins with.
const USER: &str = "user-";

/// What psql is told before a statement with a password, which no log may have.
pub const UNLOGGED: &str = "set log_statement to none;\nset log_min_duration_statement to -1;\n\
    set log_min_error_statement to panic;\nset pg_stat_statements.track_utility to off;\n\
    set pgaudit.log to none;\n";

/// The secret with a user's password.
pub fn user_secret(user: &str) -> String {
    format!("{USER}{user}")
}

/// The user whose password a secret is; `None` where it is none.
pub fn user_of_secret(name: &str) -> Option<&str> {
    name.strip_prefix(USER)
}

/// The secrets that a spec's set-up needs.
pub fn secrets(spec: &Spec) -> Vec<String> {
    let users = spec.server.users.iter().map(|user| user_secret(user));
    let pooled = spec.proxy.pgbouncer.then(|| PGBOUNCER_PASSWORD.to_owned());
    users.chain(pooled).chain(spec.server.init_sql.iter().map(|_| INIT_SQL.to_owned())).collect()
}

/// One run of psql. It may have a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is about, in words.
    pub about: String,
    /// What psql reads.
    pub script: String,
}

/// Every step but the last, which is `init_sql`. `password` reads it from a secret by name.
///
/// # Errors
/// When `password` fails.
pub fn steps<E>(spec: &Spec, password: impl Fn(&str) -> Result<String, E>) -> Result<Vec<Step>, E> {
    let server = &spec.server;
    let mut steps = Vec::new();
    for user in &server.users {
        let script = create_user(user, &password(&user_secret(user))?);
        steps.push(Step { about: format!("user {user}"), script });
    }
    for database in &server.databases {
        let owner = database.owner.as_ref();
        let owner = owner.map(|owner| format!(" owner {}", identifier(owner))).unwrap_or_default();
        let script = format!("create database {}{owner};\n", identifier(&database.name));
        steps.push(Step { about: format!("database {}", database.name), script });
    }
    let named: Vec<&str> = server.databases.iter().map(|database| database.name.as_str()).collect();
    let everywhere = if named.is_empty() { vec!["postgres"] } else { named };
    for extension in extensions::of(spec) {
        let Some(name) = extension.sql else { continue };
        let only = [cron_database(spec)];
        let databases = if name == "pg_cron" { &only[..] } else { &everywhere[..] };
        for database in databases {
            let script = format!(
                "\\connect {}\ncreate extension if not exists {} cascade;\n",
                identifier(database),
                identifier(name)
            );
            let about = format!("extension {} in {database}", extension.name);
            steps.push(Step { about, script });
        }
    }
    if spec.proxy.pgbouncer {
        let user = create_user(PGBOUNCER_USER, &password(PGBOUNCER_PASSWORD)?);
        steps.push(Step { about: "user pgbouncer".to_owned(), script: user + USER_LOOKUP });
    }
    Ok(steps)
}

/// Makes a user. The statement has the password, and no log may.
fn create_user(user: &str, password: &str) -> String {
    format!("{UNLOGGED}create role {} login password {};\n", identifier(user), literal(password))
}

/// All that the user of `PgBouncer` may do: ask for the SCRAM secret of a user who may log in, but not of those that the
/// cluster itself works with.
const USER_LOOKUP: &str = "\
create schema pgbouncer;
create function pgbouncer.user_lookup(wanted text, out name text, out secret text) returns setof record
language sql stable security definer set search_path = pg_catalog as $$
    select rolname::text, rolpassword from pg_authid
    where rolname = wanted and rolcanlogin and rolname not in ('replicator', 'rewinder', 'pgbouncer')
        and (rolvaliduntil is null or rolvaliduntil > now())
$$;
revoke all on function pgbouncer.user_lookup(text) from public;
grant usage on schema pgbouncer to pgbouncer;
grant execute on function pgbouncer.user_lookup(text) to pgbouncer;
";

/// What is kept of psql's complaint: Postgres's own line with what explains it, without the text of the statement.
pub fn said(stderr: &str) -> String {
    const WORDS: [&str; 3] = ["ERROR:", "FATAL:", "error:"];
    const MORE: [&str; 4] = ["DETAIL:", "HINT:", "CONTEXT:", "QUERY:"];
    let lines = || stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let from_error = lines().skip_while(|line| !WORDS.iter().any(|word| line.contains(word)));
    let mut kept: Vec<&str> = from_error
        .enumerate()
        .filter(|(n, line)| *n == 0 || MORE.iter().any(|word| line.starts_with(word)))
        .map(|(_, line)| line)
        .collect();
    if kept.is_empty() {
        kept = lines().collect();
    }
    kept.join("\n")
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Step {{ about: {:?}, .. }}", self.about)
    }
}

/// A name as SQL takes it.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn scripts(toml: &str) -> Vec<String> {
        let spec = Spec::from_toml(toml).expect("a spec");
        let steps = steps(&spec, |secret| Ok::<_, Infallible>(format!("it's {secret}")));
        steps.expect("steps").into_iter().map(|step| step.script).collect()
    }

    #[test]
    fn users_come_before_databases_and_these_before_extensions() {
        let scripts = scripts(
            "[postgres]\nusers = [\"app\"]\ndatabases = [{ name = \"shop\", owner = \"app\" }, \"crm\"]\n\
             extensions = [\"pgvector\", \"cron\", \"wal2json\"]\n",
        );
        assert!(scripts[0].ends_with("create role \"app\" login password 'it''s user-app';\n"));
        assert_eq!(
            scripts[1..],
            [
                "create database \"shop\" owner \"app\";\n",
                "create database \"crm\";\n",
                // Its jobs are kept in one database alone.
                "\\connect \"postgres\"\ncreate extension if not exists \"pg_cron\" cascade;\n",
                "\\connect \"shop\"\ncreate extension if not exists \"vector\" cascade;\n",
                "\\connect \"crm\"\ncreate extension if not exists \"vector\" cascade;\n",
            ]
        );
    }

    #[test]
    fn extensions_are_made_in_postgres_where_there_is_no_other_database() {
        let scripts = scripts("[postgres]\nextensions = [\"pgcrypto\"]\n");
        assert_eq!(
            scripts,
            ["\\connect \"postgres\"\ncreate extension if not exists \"pgcrypto\" cascade;\n"]
        );
    }

    #[test]
    fn the_user_of_pgbouncer_may_look_up_secrets_and_nothing_else() {
        let scripts = scripts("[proxy]\nhaproxy = true\npgbouncer = true\n");
        assert!(
            scripts[0].contains("create role \"pgbouncer\" login password 'it''s pgbouncer';\n")
        );
        let granted: Vec<&str> =
            scripts[0].lines().filter(|line| line.starts_with("grant")).collect();
        assert_eq!(
            granted,
            [
                "grant usage on schema pgbouncer to pgbouncer;",
                "grant execute on function pgbouncer.user_lookup(text) to pgbouncer;",
            ]
        );
    }

    #[test]
    fn nothing_breaks_out_of_a_quoted_text() {
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!((literal("a'b"), literal(r"a\'b")), ("'a''b'".into(), r"E'a\\''b'".into()));
    }

    #[test]
    fn postgres_own_line_is_kept_and_what_went_before_is_not() {
        let stderr = "psql:init.sql:1: NOTICE:  relation exists, skipping\n\
            psql:init.sql:3: ERROR:  relation \"x\" does not exist\nLINE 1: select * from x;\n    ^\n\
            HINT:  Look elsewhere.\n";
        assert_eq!(
            said(stderr),
            "psql:init.sql:3: ERROR:  relation \"x\" does not exist\nHINT:  Look elsewhere."
        );
        assert_eq!(said("oops\n"), "oops");
        assert_eq!(said(""), "");
    }

    #[test]
    fn the_secret_of_a_user_is_known_by_its_name() {
        assert_eq!(user_of_secret(&user_secret("app")), Some("app"));
        assert_eq!(user_of_secret("postgres"), None);
    }
}
