//! The command line of `pgha fault`, `heal`, `kill` and `pause-container`.

use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand};
use pgha_core::fault::{Delay, Offset};
use pgha_wan::service::Service;
use pgha_wan::settings::Share;

use crate::cli::{ReportArgs, some_time};

/// Arguments of `fault`.
#[derive(Debug, Args)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
        pgha fault list                                kinds and their effects\n  \
        pgha fault inject demo postgres-kill leader\n  \
        pgha fault inject demo isolate 'site(leader)' --for 30s\n  \
        pgha fault show demo                           active faults\n  \
        pgha heal demo                                 undo all"
)]
pub(crate) struct Fault {
    #[command(subcommand)]
    pub(crate) verb: FaultVerb,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum FaultVerb {
    /// List the kinds of faults and their effects
    List(FaultList),
    /// Inject a fault into a running cluster
    Inject(Inject),
    /// Show active faults and when they end
    Show(FaultShow),
}

/// Arguments of `fault list`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pgha fault list --json | jq -r '.[].kind'")]
pub(crate) struct FaultList {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `fault inject`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha fault inject demo kill leader\n  \
    pgha fault inject demo isolate 'site(not leader)' --for 30s\n  \
    pgha fault inject demo cut DC1 DC2\n  \
    pgha fault inject demo isolate 'site(leader)' --port etcd\n  \
    pgha fault inject demo cut DC1 DC2 --flap 10s --duty 40%\n  \
    pgha fault inject demo etcd-freeze etcd-leader --for 10s\n  \
    pgha fault inject demo stop repository\n  \
    pgha fault inject demo disk-slow leader --delay 250ms\n  \
    pgha fault inject demo patroni-clock leader --offset=-10s --for 30s\n\n\
    Targets are members, by name or a part of it, sites, or what somebody is at that moment: leader, sync-standby, replica, \
    etcd-leader, site(leader), site(not leader), external, repository, any. A site stands for each of its members that the fault can hit.")]
pub(crate) struct Inject {
    /// Cluster (if there are several), kind and targets
    #[arg(value_name = "[NAME] KIND TARGET", required = true, num_args = 2..)]
    pub(crate) words: Vec<String>,
    /// Only this service of the links: postgres (5432), etcd (2379, 2380) or patroni (8008)
    #[arg(long, value_name = "SERVICE", value_parser = PossibleValuesParser::new(Service::ALL.map(Service::as_str)).try_map(|word| word.parse::<Service>()))]
    pub(crate) port: Option<Service>,
    /// Period of a link that flaps, such as 10s: blocked and open again, kept by the router
    #[arg(long, value_name = "TIME", value_parser = some_time, allow_hyphen_values = true)]
    pub(crate) flap: Option<Duration>,
    /// Percentage of each period that is blocked [default: 50%]
    #[arg(long, value_name = "PERCENT", requires = "flap", allow_hyphen_values = true)]
    pub(crate) duty: Option<Share>,
    /// How much longer each write takes with disk-slow [default: 100ms]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(crate) delay: Option<Delay>,
    /// How far ahead, or behind, the clock is with patroni-clock and etcd-clock [default: +30s]
    #[arg(long, value_name = "+TIME|-TIME", allow_hyphen_values = true)]
    pub(crate) offset: Option<Offset>,
    /// Undo after this time, such as 30s, even if this command has ended
    #[arg(long = "for", value_name = "TIME", value_parser = some_time, allow_hyphen_values = true)]
    pub(crate) for_: Option<Duration>,
    /// Do not ask before data are removed (volume-lost)
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
}

/// Arguments of `fault show`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pgha fault show demo --json | jq -r '.[].kind'")]
pub(crate) struct FaultShow {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `heal`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha heal demo\n  pgha heal demo --fault 5b1c22d0\n\n\
    Links blocked by `pgha wan` and containers stopped by `docker stop` are not touched.")]
pub(crate) struct Heal {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Only the fault with this ID (see `pgha fault show`)
    #[arg(long, value_name = "ID")]
    pub(crate) fault: Option<String>,
    /// Delay before healing
    #[arg(long, value_name = "TIME", value_parser = some_time)]
    pub(crate) after: Option<Duration>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `kill` and `pause-container`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha kill demo1-DC1              one member, by a unique part of its name\n  \
    pgha kill demo DC2               every member in DC2\n  \
    pgha kill demo leader\n  \
    pgha pause-container demo1-DC1   freeze instead of kill\n\n\
    `pgha heal` takes it back, and so does `pgha start`. A leader that is resumed after others have taken over \
    acknowledges writes for a moment and loses them; see docs/operations.md. `pgha fault` has more kinds.")]
pub(crate) struct Struck {
    /// Cluster (if there are several) and members or sites, such as demo1-DC1 or DC2
    #[arg(value_name = "[NAME] MEMBER|SITE", required = true)]
    pub(crate) targets: Vec<String>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}
