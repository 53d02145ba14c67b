//! The command line of `add`, `remove` and `scale`.

use clap::{Args, Subcommand};

use crate::cli::{Each, ReportArgs, WaitArgs};

/// Most members that are added at once.
const COUNT_MAX: i64 = 100;

/// Arguments of `add`.
#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  \
    pgha add node DC2                      a replica in DC2, from the repository\n  \
    pgha add node demo DC2 --count 2 --dry-run\n  \
    pgha add etcd DC1                      a learner at first, then a voter\n  \
    pgha add data-center demo -c 2 -e 1\n\n\
    Interrupted, the same command goes on; `pgha scale NAME --resume` too."
)]
pub(crate) struct Add {
    #[command(subcommand)]
    pub(crate) what: AddWhat,
}

/// What is added.
#[derive(Debug, Subcommand)]
pub(crate) enum AddWhat {
    /// Add Postgres nodes to a data center
    #[command(
        after_help = "Examples:\n  pgha add node DC2\n  pgha add node demo DC2 --count 2 --dry-run"
    )]
    Node(AddMember),
    /// Add etcd members to a site, one at a time: learner, then voter
    #[command(after_help = "Examples:\n  pgha add etcd DC1\n  pgha add etcd demo DC3 --dry-run")]
    Etcd(AddMember),
    /// Add a data center
    #[command(
        after_help = "Examples:\n  pgha add data-center demo\n  pgha add data-center demo -c 2 -e 1 --dry-run"
    )]
    DataCenter(AddDataCenter),
}

impl AddWhat {
    /// How it is done.
    pub(crate) fn how(&self) -> ChangeArgs {
        match self {
            Self::Node(args) | Self::Etcd(args) => args.how,
            Self::DataCenter(args) => args.how,
        }
    }
}

/// Arguments of `add node` and `add etcd`.
#[derive(Debug, Args)]
pub(crate) struct AddMember {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]; then the site, such as DC2
    #[arg(value_name = "NAME|SITE", required = true, num_args = 1..=2)]
    pub(crate) words: Vec<String>,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=COUNT_MAX))]
    pub(crate) count: u32,
    #[command(flatten)]
    pub(crate) how: ChangeArgs,
}

/// Arguments of `add data-center`.
#[derive(Debug, Args)]
pub(crate) struct AddDataCenter {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Postgres nodes in it
    #[arg(short = 'c', long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=COUNT_MAX))]
    pub(crate) nodes: u32,
    /// etcd members in it
    #[arg(short = 'e', long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=COUNT_MAX))]
    pub(crate) etcd: u32,
    #[command(flatten)]
    pub(crate) how: ChangeArgs,
}

/// Arguments of `remove`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha remove demo3-DC2                  a node with its data; a leader hands over first\n  \
    pgha remove demo etcd4 --dry-run\n  \
    pgha remove demo DC2 --yes             a data center with all of its members")]
pub(crate) struct Remove {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]; then members and data centers to
    /// remove, each by its name or whole parts of it
    #[arg(value_name = "NAME|MEMBER|SITE", required = true)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) how: ChangeArgs,
}

/// Arguments of `scale`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha scale demo -c 3,2                 3 nodes in DC1, 2 in DC2\n  \
    pgha scale demo -c 3 -e 2,1 --dry-run\n  \
    pgha scale demo --resume               go on with an interrupted add, remove or scale")]
pub(crate) struct Scale {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Postgres nodes per data center: one number for all, or a list such as 3,1
    #[arg(short = 'c', long, value_name = "N[,N...]", value_parser = super::each, required_unless_present_any = ["etcd", "resume"])]
    pub(crate) nodes: Option<Each>,
    /// etcd members per data center, likewise; those of the external site stay
    #[arg(short = 'e', long, value_name = "N[,N...]", value_parser = super::each)]
    pub(crate) etcd: Option<Each>,
    /// Go on with the change that was interrupted
    #[arg(long, conflicts_with_all = ["nodes", "etcd"])]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) how: ChangeArgs,
}

/// How members are changed.
#[derive(Debug, Clone, Copy, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct ChangeArgs {
    /// Print the steps and what is survived before and after; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not ask for confirmation where something is removed
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// Ignore low memory of this host
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}
