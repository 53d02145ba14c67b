//! The command line of `pgha load`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use pgha_core::history::Workload;

use crate::cli::{ReportArgs, some_time};

/// Arguments of `load`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha load demo                            until Ctrl-C\n  \
    pgha load demo --for 2m --rate 200        200 writes per second in all, for two minutes\n  \
    pgha load demo --workload append --readers 2      transactions on lists: are they serializable?\n  \
    pgha load demo --for 30s --json | jq '.lost, .longest_outage_ms'\n\n\
    Clients connect from this host to whichever node takes writes, and connect anew where that ends. The table \
    of the run is dropped at the end. docs/load.md describes the workloads and how they are checked.\n\n\
    Exit codes: 0 nothing was lost and the history holds, 5 it is violated.")]
pub(crate) struct Load {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Duration, such as 30s [default: until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = some_time, allow_hyphen_values = true)]
    pub(crate) for_: Option<Duration>,
    /// Workload of the clients: unique inserts, transactions on lists, registers, or transfers
    #[arg(long, value_name = "WORKLOAD", default_value = "ledger", value_parser = PossibleValuesParser::new(["ledger", "append", "register", "bank"]).try_map(|word| word.parse::<Workload>()))]
    pub(crate) workload: Workload,
    /// Number of clients, one connection each
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) clients: u32,
    /// Number of additional clients that read on replicas
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u32).range(..=64))]
    pub(crate) readers: u32,
    /// Total operations per second of the writing clients [default: unlimited]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) rate: Option<NonZeroU32>,
    /// Response timeout; a client then reconnects, and the write counts as unknown
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = some_time, allow_hyphen_values = true)]
    pub(crate) timeout: Duration,
    /// File for the history of all operations
    #[arg(long, value_name = "FILE")]
    pub(crate) history: Option<PathBuf>,
    /// Keep the table afterwards
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}
