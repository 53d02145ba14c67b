//! The command line of `pgha config`.

use clap::{Args, Subcommand};

use crate::cli::ReportArgs;

/// Arguments of `config`.
#[derive(Debug, Args)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
        pgha config show demo\n  \
        pgha config set demo work_mem=64MB maximum_lag_on_failover=33554432\n  \
        pgha config set demo 'hba=hostssl all all 10.0.0.0/8 scram-sha-256'\n  \
        pgha config unset demo work_mem\n  \
        pgha config edit demo                   in $VISUAL, $EDITOR, nano or vi\n  \
        pgha config diff demo\n  \
        pgha config export demo > cluster.toml\n\n\
        A name that Patroni has for a setting is that (ttl, failsafe_mode, slots, …), hba is the lines of pg_hba.conf, and\n\
        every other name is a parameter of Postgres: work_mem is short for postgresql.parameters.work_mem."
)]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) verb: ConfigVerb,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Show the dynamic configuration of Patroni: its settings, Postgres parameters, hba
    Show(ConfigShow),
    /// Change settings
    Set(ConfigSet),
    /// Remove settings: the defaults of Patroni and Postgres apply
    Unset(ConfigUnset),
    /// Change settings in an editor
    Edit(ConfigEdit),
    /// Compare with what the cluster was made as
    Diff(ConfigDiff),
    /// Print the cluster file of what runs, for `pgha up -f`
    Export(ConfigExport),
}

/// Arguments of `config show`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha config show demo\n  \
    pgha config show demo --json | jq .postgresql.parameters\n\n\
    Passwords and secrets are shown as ***.")]
pub(crate) struct ConfigShow {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// How a change is made.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ConfigChange {
    /// Check the change, have Postgres check it, and print it; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask for confirmation where writes may be lost or wait
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `config set`.
#[derive(Debug, Args)]
#[command(
    override_usage = "pgha config set [OPTIONS] [NAME] <SETTING=VALUE>...",
    after_help = "Examples:\n  pgha config set demo work_mem=64MB\n  \
    pgha config set demo ttl=60 retry_timeout=20\n  \
    pgha config set demo synchronous_mode=off --yes\n  \
    pgha config set demo 'slots={\"cdc\": {\"type\": \"physical\"}}'\n  \
    pgha config set demo max_connections=300 --dry-run"
)]
pub(crate) struct ConfigSet {
    /// Cluster (if there are several), then settings; the value is everything behind the first `=`
    #[arg(value_name = "[NAME] SETTING=VALUE", required = true)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) change: ConfigChange,
}

/// Arguments of `config unset`.
#[derive(Debug, Args)]
#[command(
    override_usage = "pgha config unset [OPTIONS] [NAME] <SETTING>...",
    after_help = "Examples:\n  pgha config unset demo work_mem\n  pgha config unset demo hba"
)]
pub(crate) struct ConfigUnset {
    /// Cluster (if there are several), then settings
    #[arg(value_name = "[NAME] SETTING", required = true)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) change: ConfigChange,
}

/// Arguments of `config edit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha config edit demo\n  EDITOR=vi pgha config edit demo\n\n\
    An empty file, or an unchanged one, changes nothing.")]
pub(crate) struct ConfigEdit {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    #[command(flatten)]
    pub(crate) change: ConfigChange,
}

/// Arguments of `config diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pgha config diff demo\n  pgha config diff demo --exit-code > /dev/null || echo changed\n\n\
    Exit codes: 0, also where settings differ; with --exit-code 1 where they do."
)]
pub(crate) struct ConfigDiff {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Exit with 1 where settings differ
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `config export`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pgha config export demo > cluster.toml\n  pgha plan -f cluster.toml\n\n\
    What a cluster file cannot say, and lines with secrets, are left out and named on stderr."
)]
pub(crate) struct ConfigExport {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}
