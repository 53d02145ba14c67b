//! The command line of `stop`, `start` and `down`.

use clap::Args;

use crate::cli::{ReportArgs, WaitArgs};

/// Arguments of `stop`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha stop demo                 the whole cluster\n  \
    pgha stop demo DC2             every member of that site\n  \
    pgha stop demo1-DC1 etcd2      these members\n  \
    pgha stop demo DC2 --dry-run   the order, and what it means for writes")]
pub(crate) struct Stop {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]; then members and sites to
    /// stop, each by its name or whole parts of it, such as demo2-DC1 [default: all]
    #[arg(value_name = "NAME|MEMBER|SITE")]
    pub(crate) words: Vec<String>,
    /// Print the order and what it means for writes; stop nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask for confirmation where writes would stop
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `start`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha start demo                the whole cluster\n  \
    pgha start demo DC2            every member of that site\n  \
    pgha start demo1-DC1 etcd2     these members")]
pub(crate) struct Start {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]; then members and sites to
    /// start, each by its name or whole parts of it, such as demo2-DC1 [default: all]
    #[arg(value_name = "NAME|MEMBER|SITE")]
    pub(crate) words: Vec<String>,
    /// Print the order; start nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `down`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha down demo\n  pgha down demo --volumes --dry-run")]
pub(crate) struct Down {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Remove volumes too: deletes data and backups
    #[arg(long)]
    pub(crate) volumes: bool,
    /// Print what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask for confirmation
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}
