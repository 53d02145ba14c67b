//! The command line of the verbs that lead to databases and into members: strings, programs that are run there, logs.

use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use jiff::Timestamp;
use pgha_core::connect::{DATABASE, Format, USER};
use pgha_core::restore::Moment;
use pgha_wan::units::parse_duration;

/// Arguments of `connect`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha connect demo\n  \
    psql \"$(pgha connect demo --json | jq -r .read_write.host)\"\n  \
    pgha connect demo --format jdbc -U app -d shop\n  \
    pgha connect demo --site DC2           nodes of DC2 first\n  \
    pgha connect demo --service            prints how psql finds the services\n\n\
    docs/connecting.md says what each driver does when the leader moves.")]
pub(crate) struct Connect {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Database
    #[arg(short, long, value_name = "DATABASE", default_value = DATABASE, value_parser = one_line)]
    pub(crate) dbname: String,
    /// User: the superuser, or one of the cluster file
    #[arg(short = 'U', long, value_name = "USER", default_value = USER, value_parser = one_line)]
    pub(crate) username: String,
    /// Site of the client, whose nodes are tried first
    #[arg(long, value_name = "SITE")]
    pub(crate) site: Option<String>,
    /// Format of the strings [default: URI and keywords]
    #[arg(long, value_name = "FORMAT", value_parser = PossibleValuesParser::new(Format::ALL.map(|(name, _)| name)).map(format))]
    pub(crate) format: Option<Format>,
    /// Write a service file for libpq beside the password file
    #[arg(long, conflicts_with_all = ["format", "json", "no_password"])]
    pub(crate) service: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Omit the password; use the printed PGPASSFILE
    #[arg(long)]
    pub(crate) no_password: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "a parser gives what it has parsed")]
fn format(word: String) -> Format {
    let known = Format::ALL.into_iter().find(|(name, _)| *name == word);
    known.expect("it is one of the possible values").1
}

/// No name that fits into no line of a service file, and none that is empty.
fn one_line(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_control) || text.trim() != text {
        return Err("a name of one line, without blanks around it".to_owned());
    }
    Ok(text.to_owned())
}

/// Arguments of `psql`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pgha psql demo\n  \
    pgha psql demo -c 'select pg_is_in_recovery()'\n  \
    pgha psql demo --read-only -c 'select inet_server_addr()'\n  \
    pgha psql demo --site DC2\n  pgha psql demo --node demo2-DC1\n\n\
    Flags that pgha does not know are psql's; after `--` all are, also -h and --version.",
    override_usage = "pgha psql [OPTIONS] [NAME] [PSQL ARGUMENTS]..."
)]
pub(crate) struct Psql {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Connect to a replica
    #[arg(long, visible_alias = "standby")]
    pub(crate) read_only: bool,
    /// Connect to a node of this site, whatever its role
    #[arg(long, value_name = "SITE")]
    pub(crate) site: Option<String>,
    /// Connect to this node, whatever its role: its name or a unique part of it
    #[arg(long, value_name = "NODE", conflicts_with_all = ["site", "read_only"])]
    pub(crate) node: Option<String>,
    /// Arguments for psql
    #[arg(last = true, value_name = "PSQL ARGUMENTS")]
    pub(crate) arguments: Vec<String>,
}

/// Arguments of `patronictl` and `pgbackrest`.
#[derive(Debug, Args)]
pub(crate) struct Tool {
    /// Cluster (if there are several), then the program's arguments
    #[arg(
        value_name = "[NAME] ARGUMENT",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true
    )]
    pub(crate) words: Vec<String>,
}

/// Arguments of `logs`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pgha logs demo --since 10m\n  pgha logs demo1-DC1 --tail 50\n  \
    pgha logs demo1-DC1 -f\n\n\
    Of a Postgres node its container's log, which is Patroni's, and Postgres's own. Times are in UTC."
)]
pub(crate) struct Logs {
    /// The cluster, `demo` or `demo-2`, or a member: its name, or enough of it to be the only one [default: that of
    /// this folder, else the only cluster]
    #[arg(value_name = "NAME|MEMBER")]
    pub(crate) whose: Option<String>,
    /// Entries since this time: a duration such as 10m, or a time with time zone
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(crate) since: Option<Since>,
    /// Follow the log
    #[arg(short = 'f', long)]
    pub(crate) follow: bool,
    /// Number of lines from the end, or `all` [default: 100; with --since: all]
    #[arg(long, value_name = "N", value_parser = tail)]
    pub(crate) tail: Option<Tail>,
}

/// Arguments of `events`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha events demo\n  pgha events demo --since 10m\n  \
    pgha events demo --json | jq -r 'select(.event == \"leader_key_taken\") | .member'\n\n\
    From the logs of the members, the repository and the faults that last. Times are in UTC.")]
pub(crate) struct Happened {
    /// The cluster, `demo` or `demo-2` [default: that of this folder, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Only what is not older: a length of time, such as 10m, or a time with its zone
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(crate) since: Option<Since>,
    /// Print JSON, one object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// How many lines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// So many from the end.
    Lines(u32),
    /// All.
    All,
}

/// From when on something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// So long before now.
    Ago(Duration),
    /// A moment.
    At(Timestamp),
}

impl Since {
    /// The moment that is meant.
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::MIN),
            Self::At(at) => at,
        }
    }
}

/// Reads what `--since` is given.
pub(super) fn since(text: &str) -> Result<Since, String> {
    if let Ok(ago) = parse_duration(text) {
        return Ok(Since::Ago(ago));
    }
    let moment = Moment::parse(text)
        .map_err(|e| format!("{e}; {}, or a length of time such as 10m", e.hint()))?;
    Ok(Since::At(moment.at))
}

fn tail(text: &str) -> Result<Tail, String> {
    match text.parse() {
        Ok(lines) => Ok(Tail::Lines(lines)),
        Err(_) if text == "all" => Ok(Tail::All),
        Err(_) => Err("a number of lines, or `all`".to_owned()),
    }
}

/// Arguments of `exec`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  \
    pgha exec pgha-demo1-DC1-1 pg_controldata /pgdata/17\n  \
    pgha exec demo1-DC1 bash",
    override_usage = "pgha exec <MEMBER> <COMMAND>..."
)]
pub(crate) struct Exec {
    /// Member: its name or a unique part of it
    #[arg(value_name = "MEMBER")]
    pub(crate) member: String,
    /// Command and arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// Arguments of `shell`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha shell demo1-DC1\n  pgha shell etcd2\n\n\
    `pgha exec` runs one command there, `pgha psql` opens a session.")]
pub(crate) struct Shell {
    /// Member: its name or a unique part of it
    #[arg(value_name = "MEMBER")]
    pub(crate) member: String,
}
