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
    /// The cluster, `demo` or `demo-2` [default: that of this folder, else the only one]
    #[arg(value_name = "NAME", conflicts_with = "from")]
    pub(crate) cluster: Option<String>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// Do not keep the old data meanwhile: quicker and smaller, and there is no way back
    #[arg(long, conflicts_with = "keep_old")]
    pub(crate) discard_old: bool,
    /// Leave the old data on the nodes' volumes after the end
    #[arg(long)]
    pub(crate) keep_old: bool,
    /// Restore into a fresh cluster of this name beside it, and leave this one as it is
    #[arg(long, value_name = "NEWNAME", conflicts_with_all = ["abort", "discard_old", "keep_old"])]
    pub(crate) into: Option<String>,
    /// Restore into one container of this name for looking at, and leave the cluster as it is
    #[arg(long, value_name = "N", conflicts_with_all = ["abort", "discard_old", "keep_old", "into"], value_parser = look_name)]
    pub(crate) node: Option<String>,
    /// The compose file of the fresh cluster [default: ./NEWNAME/docker-compose.yaml]
    #[arg(short = 'o', long, value_name = "FILE", requires = "into")]
    pub(crate) output: Option<PathBuf>,
    /// The instance number of the fresh cluster [default: the lowest that is free]
    #[arg(long, value_name = "N", requires = "into", value_parser = clap::value_parser!(u32).range(1..=9999))]
    pub(crate) instance: Option<u32>,
    /// From this repository, 1 or 2 [default: the first that has the target]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=2))]
    pub(crate) repo: Option<u32>,
    /// Give up a restore that was interrupted: put the old data back
    #[arg(long, conflicts_with_all = ["dry_run", "repo", "latest", "time", "lsn", "xid", "name", "set", "timeline"])]
    pub(crate) abort: bool,
    /// Print JSON: the plan with --dry-run, else what was done
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
    /// Restore from this repository, whose own cluster is gone: posix:FOLDER, or the URL of a bucket
    #[arg(long, value_name = "REPOSITORY", requires = "into", conflicts_with_all = ["repo", "node", "abort"])]
    pub(crate) from: Option<String>,
    /// File with the repository's key (repository-key, repo-cipher-pass) [default: not encrypted]
    #[arg(long, value_name = "FILE", requires = "from")]
    pub(crate) key: Option<PathBuf>,
    /// Stanza in the repository [default: the only one]
    #[arg(long, value_name = "STANZA", requires = "from")]
    pub(crate) stanza: Option<String>,
    /// File with the access key of the bucket
    #[arg(long, value_name = "FILE", requires = "from")]
    pub(crate) s3_key: Option<PathBuf>,
    /// File with the secret key of the bucket
    #[arg(long, value_name = "FILE", requires = "from")]
    pub(crate) s3_key_secret: Option<PathBuf>,
    /// Cluster file of the new cluster; its second repository is left out
    #[arg(short = 'f', long, value_name = "FILE", requires = "from")]
    pub(crate) file: Option<PathBuf>,
    /// Data centers of the new cluster [default: 1]
    #[arg(short = 'd', long, value_name = "N", requires = "from", value_parser = super::whole)]
    pub(crate) data_centers: Option<u32>,
    /// Postgres nodes in each of them [default: 2]
    #[arg(short = 'c', long, value_name = "N", requires = "from", value_parser = super::whole)]
    pub(crate) nodes: Option<u32>,
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
    /// To the end of the WAL
    #[arg(long)]
    pub(crate) latest: bool,
    /// To a time, with its zone: '2026-11-23 10:00:00+00', '… UTC' or '… Europe/Berlin'
    #[arg(long, value_name = "TIME")]
    pub(crate) time: Option<String>,
    /// To a position in WAL, such as 0/3000148
    #[arg(long, value_name = "LSN")]
    pub(crate) lsn: Option<String>,
    /// To the commit of a transaction
    #[arg(long, value_name = "XID")]
    pub(crate) xid: Option<String>,
    /// To a restore point
    #[arg(long, value_name = "POINT")]
    pub(crate) name: Option<String>,
    /// From this backup; alone: to the moment that it ended [default: the newest before the target]
    #[arg(long, value_name = "LABEL")]
    pub(crate) set: Option<String>,
    /// Along this timeline [default: the cluster's own]
    #[arg(long, value_name = "N")]
    pub(crate) timeline: Option<u32>,
    /// With what happened at exactly the target, which is the default
    #[arg(long, conflicts_with = "exclusive")]
    pub(crate) inclusive: bool,
    /// Without what happened at exactly the target
    #[arg(long)]
    pub(crate) exclusive: bool,
}

/// How long a restore waits for what takes no longer on a well cluster.
#[derive(Debug, Clone, Args)]
pub(crate) struct RestoreWait {
    /// Seconds to wait for the new leader, and for the replicas; copying and replaying take their time
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    pub(crate) timeout: u64,
}
