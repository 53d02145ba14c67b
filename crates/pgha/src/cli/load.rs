//! The command line of `pgha load`.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use pgha_wan::units::parse_duration;

use crate::cli::{ReportArgs, within_a_day};

/// Arguments of `load`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha load demo                            until Ctrl-C\n  \
    pgha load demo --for 2m --rate 200        200 writes per second in all, for two minutes\n  \
    pgha load demo --for 30s --json | jq '.lost, .longest_outage_ms'\n\n\
    Clients connect from this host to whichever node takes writes, and connect anew where that ends. Each inserts rows \
    into a table of its own run, which is dropped at the end. docs/load.md tells how it counts.\n\n\
    Exit codes: 0 nothing acknowledged was lost, 5 something was.")]
pub(crate) struct Load {
    /// The cluster, `demo` or `demo-2` [default: that of this folder, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// End after this time, such as 30s [default: until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = some_time, allow_hyphen_values = true)]
    pub(crate) for_: Option<Duration>,
    /// Clients, each with a connection of its own
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) clients: u32,
    /// Writes per second of all clients together [default: as fast as they are acknowledged]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) rate: Option<NonZeroU32>,
    /// How long a client waits for an answer before it connects anew; the write's outcome is unknown then
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = some_time, allow_hyphen_values = true)]
    pub(crate) timeout: Duration,
    /// Keep the table
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

fn some_time(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|e| format!("{e}, such as 30s")).and_then(within_a_day)
}
