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
        For a cluster named like a command append its instance: `pgha backup check-1`."
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
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Backup type: full, diff (since the last full) or incr (since the last backup) [default: incr]
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<BackupType>,
    /// Annotation; may be repeated
    #[arg(long = "annotate", value_name = "KEY=VALUE", value_parser = annotation)]
    pub(crate) annotations: Vec<String>,
    /// Repository, 1 or 2
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
    /// Check archiving: switch WAL on the leader and wait for it in the repository
    #[command(after_help = "Example:\n  pgha backup check demo")]
    Check(BackupOf),
    /// Verify the checksums of all files in the repository
    #[command(after_help = "Example:\n  pgha backup verify demo && echo sound")]
    Verify(BackupOf),
    /// Remove backups and WAL past the retention settings
    #[command(after_help = "Example:\n  pgha backup expire demo --dry-run")]
    Expire(BackupExpire),
    /// Set or show the schedule of automatic backups
    Schedule(BackupSchedule),
    /// List backups, as `pgha backups`
    #[command(visible_alias = "info")]
    List(Backups),
}

/// The cluster that is meant.
#[derive(Debug, Args)]
pub(crate) struct BackupOf {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// Arguments of `backup expire`.
#[derive(Debug, Args)]
pub(crate) struct BackupExpire {
    #[command(flatten)]
    pub(crate) of: BackupOf,
    /// Print what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Arguments of `backup schedule`.
#[derive(Debug, Args)]
#[command(
    override_usage = "pgha backup schedule [OPTIONS] [NAME] [SCHEDULE]",
    after_help = "Examples:\n  pgha backup schedule demo \"0 1 * * 0 full; 0 1 * * 1-6 incr\"\n  \
        pgha backup schedule demo            show the schedule and the next backup\n  \
        pgha backup schedule demo --clear\n\n\
        Entry: cron's minute, hour, day, month, weekday, then the backup type. Times are UTC."
)]
pub(crate) struct BackupSchedule {
    /// Cluster and schedule entries, separated by semicolons
    #[arg(value_name = "NAME | SCHEDULE", num_args = 0..=2)]
    pub(crate) words: Vec<String>,
    /// Show the schedule (default without SCHEDULE)
    #[arg(long, conflicts_with = "clear")]
    pub(crate) show: bool,
    /// Remove the schedule
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
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
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
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Name of the restore point, at most 63 bytes
    #[arg(value_name = "POINT", required = true)]
    pub(crate) point: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}
