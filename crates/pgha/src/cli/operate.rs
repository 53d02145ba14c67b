//! The command line of the verbs that operate a cluster.

use clap::Args;

use crate::cli::ReportArgs;

/// Arguments of `switchover`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha switchover demo                      to the best candidate\n  \
    pgha switchover demo --to demo1-DC2\n  \
    pgha switchover demo --site DC2 --dry-run\n  \
    pgha switchover demo --json | jq .no_writes_ms\n\n\
    Two clients write meanwhile, into a table of their own that is dropped at the end.")]
pub(crate) struct Switchover {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// New leader: its name or a unique part of it [default: the best candidate]
    #[arg(long, value_name = "NODE", conflicts_with = "site")]
    pub(crate) to: Option<String>,
    /// Site of the new leader, such as DC2
    #[arg(long, value_name = "SITE")]
    pub(crate) site: Option<String>,
    /// Print who would take over, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `restart`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha restart demo --rolling                 all nodes: replicas, switchover, the former leader\n  \
    pgha restart demo --rolling --pending       only where a changed setting waits for it\n  \
    pgha restart demo1-DC2                      this node, as it is\n  \
    pgha restart demo --rolling --dry-run\n\n\
    Two clients write meanwhile, into a table of their own that is dropped at the end.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Restart {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]; then nodes, each by its name or a
    /// unique part of it [default with --rolling and --pending: all]
    #[arg(value_name = "NAME|NODE")]
    pub(crate) words: Vec<String>,
    /// The leader hands over to another node before it is restarted
    #[arg(long)]
    pub(crate) rolling: bool,
    /// Only nodes on which a changed setting waits for a restart (pending restart)
    #[arg(long)]
    pub(crate) pending: bool,
    /// Print the steps, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `reinit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha reinit demo2-DC1\n  pgha reinit demo2-DC1 --yes")]
pub(crate) struct Reinit {
    /// Replica: its name or a unique part of it
    #[arg(value_name = "NODE")]
    pub(crate) node: String,
    /// Do not ask for confirmation
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `reload`, `pause` and `resume`.
#[derive(Debug, Args)]
pub(crate) struct Operated {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha history demo\n  pgha history demo --json | jq '.[-1]'")]
pub(crate) struct History {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `failover`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha failover demo --dry-run                who would be promoted, and what that may lose\n  \
    pgha failover demo --to demo1-DC2\n  \
    pgha failover demo --confirm demo-1 --json")]
pub(crate) struct Failover {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// New leader: its name or a unique part of it [default: the replica that is least behind]
    #[arg(long, value_name = "NODE")]
    pub(crate) to: Option<String>,
    /// Name of the cluster with its number, such as demo-1, instead of typing it when asked
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    /// Print who would be promoted, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `maintenance`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha maintenance on demo\n  \
    pgha exec demo1-DC1 -- pkill -TERM -f /usr/local/bin/patroni   Postgres ends with it, the container stays\n  \
    pgha maintenance off demo                                      Patroni is started again where it does not run")]
pub(crate) struct Maintenance {
    /// `on`: containers of nodes outlive their Patroni; `off`: they end with it and start again
    #[arg(value_enum)]
    pub(crate) switch: Switch,
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Switch {
    /// From now on.
    On,
    /// No longer.
    Off,
}
