//! The command line of `pgha restore`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::ReportArgs;

/// Arguments of `restore`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha restore demo --latest --dry-run                     what would be done\n  \
    pgha restore demo --time '2026-11-23 10:00:00+00'        before the table was dropped\n  \
    pgha restore demo --name before-the-upgrade --yes        a restore point\n  \
    pgha restore demo                                        goes on after an interruption\n  \
    pgha restore demo --abort                                puts the old data back\n  \
    pgha restore demo --latest --into copy                   a fresh cluster beside it\n  \
    pgha restore demo --latest --node 1                      one container for a look\n  \
    pgha restore demo --latest --repo 2                      from the second repository\n  \
    pgha restore --from posix:/srv/backups --key FILE --into demo --latest    only the folder and its key are left\n  \
    pgha restore --from 's3://BUCKET?endpoint=HOST&region=REGION' --s3-key FILE --s3-key-secret FILE \\\n      \
    --key FILE --into demo --latest                        only the bucket and its key are left")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Restore {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME", conflicts_with = "from")]
    pub(crate) cluster: Option<String>,
    /// Print the restore plan without running it
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask for confirmation
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// Delete the old data first: needs less disk, cannot be undone with --abort
    #[arg(long, conflicts_with = "keep_old")]
    pub(crate) discard_old: bool,
    /// Keep the old data on the nodes' volumes after success
    #[arg(long)]
    pub(crate) keep_old: bool,
    /// Restore into a new cluster with this name; the source is unchanged
    #[arg(long, value_name = "NEWNAME", conflicts_with_all = ["abort", "discard_old", "keep_old"])]
    pub(crate) into: Option<String>,
    /// Restore into a single inspection container; the cluster is unchanged
    #[arg(long, value_name = "N", conflicts_with_all = ["abort", "discard_old", "keep_old", "into"], value_parser = look_name)]
    pub(crate) node: Option<String>,
    /// Compose file of the new cluster [default: ./NEWNAME/docker-compose.yaml]
    #[arg(short = 'o', long, value_name = "FILE", requires = "into")]
    pub(crate) output: Option<PathBuf>,
    /// Instance number of the new cluster [default: lowest free one]
    #[arg(long, value_name = "N", requires = "into", value_parser = clap::value_parser!(u32).range(1..=9999))]
    pub(crate) instance: Option<u32>,
    /// Repository, 1 or 2 [default: the first one that contains the target]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=2))]
    pub(crate) repo: Option<u32>,
    /// Abandon an interrupted restore and put the old data back
    #[arg(long, conflicts_with_all = ["dry_run", "repo", "latest", "time", "lsn", "xid", "name", "set", "timeline"])]
    pub(crate) abort: bool,
    /// Print the plan (--dry-run) or the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wait: RestoreWait,
    #[command(flatten)]
    pub(crate) target: RestoreTarget,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
    #[command(flatten)]
    pub(crate) from: FromArgs,
}

/// A repository whose cluster is gone, and the cluster to make of it.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "A repository without its cluster")]
pub(crate) struct FromArgs {
    /// Repository to restore from without its cluster: posix:FOLDER, or the URL of a bucket
    #[arg(long, value_name = "REPOSITORY", requires = "into", conflicts_with_all = ["repo", "node", "abort"])]
    pub(crate) from: Option<String>,
    /// File with the repository's encryption key (repo-cipher-pass) [default: not encrypted]
    #[arg(long, value_name = "FILE", requires = "from")]
    pub(crate) key: Option<PathBuf>,
    /// Stanza in the repository [default: the only one]
    #[arg(long, value_name = "STANZA", requires = "from")]
    pub(crate) stanza: Option<String>,
    /// File with the S3 access key
    #[arg(long, value_name = "FILE", requires = "from")]
    pub(crate) s3_key: Option<PathBuf>,
    /// File with the S3 secret key
    #[arg(long, value_name = "FILE", requires = "from")]
    pub(crate) s3_key_secret: Option<PathBuf>,
    /// Cluster file of the new cluster; its second repository is ignored
    #[arg(short = 'f', long, value_name = "FILE", requires = "from")]
    pub(crate) file: Option<PathBuf>,
    /// Data centers of the new cluster [default: 1]
    #[arg(short = 'd', long, value_name = "N", requires = "from", value_parser = super::whole)]
    pub(crate) data_centers: Option<u32>,
    /// Postgres nodes per data center: one number for all, or a list [default: 2]
    #[arg(short = 'c', long, value_name = "N[,N...]", requires = "from", value_parser = super::each)]
    pub(crate) nodes: Option<super::Each>,
}

/// A part of a container's name.
fn look_name(text: &str) -> Result<String, String> {
    let fits = (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if fits {
        Ok(text.to_owned())
    } else {
        Err("a number, or a word of a to z and 0 to 9".to_owned())
    }
}

/// Where a restore ends.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct RestoreTarget {
    /// Recover to the end of the WAL
    #[arg(long)]
    pub(crate) latest: bool,
    /// Recover to a time with time zone: '2026-11-23 10:00:00+00', '… UTC' or '… Europe/Berlin'
    #[arg(long, value_name = "TIME")]
    pub(crate) time: Option<String>,
    /// Recover to a WAL location, such as 0/3000148
    #[arg(long, value_name = "LSN")]
    pub(crate) lsn: Option<String>,
    /// Recover to a transaction ID
    #[arg(long, value_name = "XID")]
    pub(crate) xid: Option<String>,
    /// Recover to a named restore point
    #[arg(long, value_name = "POINT")]
    pub(crate) name: Option<String>,
    /// Backup to restore; alone: recover to its end [default: newest before the target]
    #[arg(long, value_name = "LABEL")]
    pub(crate) set: Option<String>,
    /// Timeline to follow [default: the cluster's current one]
    #[arg(long, value_name = "N")]
    pub(crate) timeline: Option<u32>,
    /// Stop just after the target (default)
    #[arg(long, conflicts_with = "exclusive")]
    pub(crate) inclusive: bool,
    /// Stop just before the target
    #[arg(long)]
    pub(crate) exclusive: bool,
}

/// How long a restore waits for what takes no longer on a well cluster.
#[derive(Debug, Clone, Args)]
pub(crate) struct RestoreWait {
    /// Deadline in seconds for the new leader and the replicas; copy and replay are not limited
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub(crate) timeout: u64,
}
