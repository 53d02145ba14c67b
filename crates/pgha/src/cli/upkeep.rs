//! The command line of the verbs of upkeep: `passwd`, `bundle`, `bench`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::ReportArgs;
use crate::cli::inside::{Since, since};

/// Arguments of `passwd`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha passwd demo                        a generated password for postgres\n  \
    pgha passwd demo replicator             the replication user\n  \
    pgha passwd demo app                    a user of [postgres] users in the cluster file\n  \
    pgha passwd demo app --stdin < file     a given password\n  \
    pgha passwd demo --rest-api             Patroni's REST API\n  \
    pgha passwd demo app --dry-run          the steps\n\n\
    Connections that are open stay open. Killed in between, the same command goes on.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Passwd {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]; then a user: postgres, replicator,
    /// rewinder or one of the cluster file [default: postgres]
    #[arg(value_name = "NAME|USER", num_args = 0..=2)]
    pub(crate) words: Vec<String>,
    /// The password of Patroni's REST API instead of a user's
    #[arg(long)]
    pub(crate) rest_api: bool,
    /// Read the password from stdin: one line [default: generated]
    #[arg(long)]
    pub(crate) stdin: bool,
    /// Print the steps, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `bundle`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha bundle demo\n  \
    pgha bundle demo --since 2h -o report.tar.gz\n\n\
    Logs, views, configuration, versions and the output of `pgha doctor`. Passwords and keys of the cluster are replaced by ***.\n\
    What could not be read is listed in missing.txt.")]
pub(crate) struct Bundle {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Archive to write [default: pgha-NAME-TIME.tar.gz in this folder]
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Logs since this time: a duration such as 10m, or a time with time zone [default: the last 5000 lines of each]
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(crate) since: Option<Since>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha bench demo                         from every site, one after another\n  \
    pgha bench demo --from DC2 --json\n  \
    pgha bench demo -- -c 16 -T 30          arguments of pgbench; default: -c 8 -j 2 -T 10\n  \
    pgha bench demo --scale 50 -- -S\n\n\
    pgbench runs in a node of each site against the leader, in the database pgha_bench, which is removed afterwards.")]
pub(crate) struct Bench {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Only from this site; may be given several times [default: every site with a node]
    #[arg(long, value_name = "SITE")]
    pub(crate) from: Vec<String>,
    /// Scale factor of pgbench's tables: 100,000 accounts each, some 16 MB
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) scale: u32,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    /// Arguments for pgbench
    #[arg(last = true, value_name = "PGBENCH ARGUMENTS")]
    pub(crate) arguments: Vec<String>,
}
