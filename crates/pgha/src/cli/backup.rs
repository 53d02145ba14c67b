//! The command line of backups: `backup` with its commands, `backups`, `restore-point`.

use clap::{Args, Subcommand};
use pgha_core::repository::BackupType;

use crate::cli::ReportArgs;

/// Arguments of `backup`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  pgha backup demo\n  \
        pgha backup demo --type full --annotate why='before the upgrade'\n  \
        pgha backup verify demo\n  \
        pgha backup schedule demo \"0 1 * * 0 full; 0 1 * * 1-6 incr\"\n\n\
        A cluster that is named like one of the commands is given with its number: `pgha backup check-1`."
)]
pub(crate) struct Backup {
    #[command(subcommand)]
    pub(crate) action: Option<BackupAction>,
    #[command(flatten)]
    pub(crate) make: BackupMake,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `backup` without a command.
#[derive(Debug, Args)]
pub(crate) struct BackupMake {
    /// The cluster, `demo` or `demo-2` [default: that of this folder, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// full, diff (what changed since the last full one) or incr (since the last) [default: incr]
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<BackupType>,
    /// Write a note on the backup; may be given several times
    #[arg(long = "annotate", value_name = "KEY=VALUE", value_parser = annotation)]
    pub(crate) annotations: Vec<String>,
    /// The repository to make it in, 1 or 2
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=2))]
    pub(crate) repo: u32,
    /// Print the new backup as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn annotation(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.trim().is_empty() && !text.contains(char::is_control) => {
            Ok(text.to_owned())
        }
        _ => Err("a key and a value on one line: why=upgrade".to_owned()),
    }
}

/// What can be done about backups besides making one.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupAction {
    /// Test the way from the leader to the repository with a segment of WAL
    #[command(after_help = "Example:\n  pgha backup check demo")]
    Check(BackupOf),
    /// Read every file of the repository, and check it against its checksum
    #[command(after_help = "Example:\n  pgha backup verify demo && echo sound")]
    Verify(BackupOf),
    /// Remove backups and WAL that are past their time by the cluster's settings
    #[command(after_help = "Example:\n  pgha backup expire demo --dry-run")]
    Expire(BackupExpire),
    /// Have the backup host make backups by itself, or show when it does
    Schedule(BackupSchedule),
    /// List the backups, as `pgha backups` does
    #[command(visible_alias = "info")]
    List(Backups),
}

/// The cluster that is meant.
#[derive(Debug, Args)]
pub(crate) struct BackupOf {
    /// The cluster, `demo` or `demo-2` [default: that of this folder, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// Arguments of `backup expire`.
#[derive(Debug, Args)]
pub(crate) struct BackupExpire {
    #[command(flatten)]
    pub(crate) of: BackupOf,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Arguments of `backup schedule`.
#[derive(Debug, Args)]
#[command(
    override_usage = "pgha backup schedule [OPTIONS] [NAME] [SCHEDULE]",
    after_help = "Examples:\n  pgha backup schedule demo \"0 1 * * 0 full; 0 1 * * 1-6 incr\"\n  \
        pgha backup schedule demo            show it, and what is next\n  \
        pgha backup schedule demo --clear\n\n\
        An entry is minute, hour, day, month, day of the week as in cron, and a type. Times are UTC."
)]
pub(crate) struct BackupSchedule {
    /// The cluster, and the entries of the schedule, separated by semicolons
    #[arg(value_name = "NAME | SCHEDULE", num_args = 0..=2)]
    pub(crate) words: Vec<String>,
    /// Show the schedule, which is also what happens without one
    #[arg(long, conflicts_with = "clear")]
    pub(crate) show: bool,
    /// Make no more backups by schedule
    #[arg(long)]
    pub(crate) clear: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `backups`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha backups demo\n  \
    pgha backups demo --json | jq -r '.backups[-1].label'")]
pub(crate) struct Backups {
    /// The cluster, `demo` or `demo-2` [default: that of this folder, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `restore-point`.
#[derive(Debug, Args)]
#[command(
    allow_missing_positional = true,
    after_help = "Examples:\n  pgha restore-point before_upgrade\n  \
        pgha restore-point demo before_upgrade"
)]
pub(crate) struct RestorePoint {
    /// The cluster, `demo` or `demo-2` [default: that of this folder, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// What to call this moment, at most 63 bytes
    #[arg(value_name = "POINT", required = true)]
    pub(crate) point: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}
