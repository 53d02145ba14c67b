//! The command line of `repair`.

use clap::{Args, Subcommand};

use crate::cli::{ReportArgs, WaitArgs};

/// Arguments of `repair`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha repair etcd demo --dry-run     what is left, and what would be done\n  \
    pgha repair etcd demo")]
pub(crate) struct Repair {
    #[command(subcommand)]
    pub(crate) verb: RepairVerb,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// What is repaired.
#[derive(Debug, Subcommand)]
pub(crate) enum RepairVerb {
    /// Make a new etcd cluster of a survivor, where the majority is lost for good
    Etcd(RepairEtcd),
}

/// Arguments of `repair etcd`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha repair etcd demo --dry-run     what is left, and what would be done\n  \
    pgha repair etcd demo               asks for the cluster's name; the same command resumes\n  \
    pgha repair etcd demo --abort       puts the old stores back\n\n\
    What the lost members knew and the survivor did not is lost; the database is not touched.")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct RepairEtcd {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Do not ask for the cluster's name
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// Print what is left and the steps, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Give up an unfinished repair: the old stores are put back
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) abort: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}
