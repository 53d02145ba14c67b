//! The command line of the verbs that lead into members: programs that are run there, and logs.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use pgha_core::restore::Moment;
use pgha_wan::units::parse_duration;

/// Arguments of `psql`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pgha psql demo\n  \
    pgha psql demo -c 'select pg_is_in_recovery()'\n  \
    pgha psql demo --read-only -c 'select inet_server_addr()'\n\n\
    Flags that pgha does not know are psql's; after `--` all are, also -h and --version.",
    override_usage = "pgha psql [OPTIONS] [NAME] [PSQL ARGUMENTS]..."
)]
pub(crate) struct Psql {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Connect to a replica
    #[arg(long)]
    pub(crate) read_only: bool,
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

fn since(text: &str) -> Result<Since, String> {
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
