//! The command line, as `clap` sees it. No decisions here: each verb is carried out in
//! [`crate::command`].

pub(crate) mod wan;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use pgha_core::repository::BackupType;
use pgha_core::spec::{BackupTransport, Durability, PlacementRule, Repo2, TimerPreset};
use pgha_core::wan::preset::WanPreset;

/// A true multi-data-center PostgreSQL cluster on one machine.
#[derive(Debug, Parser)]
#[command(
    name = "pgha",
    version,
    propagate_version = true,
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
        pgha plan -d 3                 what would survive, before anything runs\n  \
        pgha up -n demo -d 2 -c 2      a cluster of 2 data centers with 2 nodes each\n  \
        pgha status demo               leader, replicas, etcd, problems\n  \
        pgha psql demo                 a session on the leader\n\n\
        Exit codes: 0 done, 1 failed, 2 bad input, 3 something is missing, 4 a deadline passed."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show placement and what each failure would do; nothing is run
    Plan(Plan),
    /// Write docker-compose.yaml and the secrets beside it
    Generate(Generate),
    /// Build the images that a cluster runs from
    Build(Build),
    /// Bring a cluster up and wait until every node streams
    Up(Up),
    /// Stop the containers of a cluster, keeping them and their data
    Stop(Stop),
    /// Start a stopped cluster and wait until every node streams
    Start(Start),
    /// Remove a cluster's containers and networks, and with --volumes its data
    Down(Down),
    /// List the clusters on this engine
    List(List),
    /// Show leader, replicas, networks and etcd of one cluster or all
    Status(Status),
    /// Show and change the links between sites: distance, loss, rate, cuts
    Wan(wan::Wan),
    /// Print connection strings for the cluster
    Connect(Connect),
    /// Open psql on the cluster
    Psql(Psql),
    /// Make a backup; check, verify, expire or schedule backups
    Backup(Backup),
    /// List the backups of a cluster
    Backups(Backups),
    /// Name this moment on the leader, so that a restore can aim at it
    RestorePoint(RestorePoint),
    /// Put the whole cluster back to an earlier state, or to the latest, from its backups
    Restore(Restore),
    /// Show a member's log
    Logs(Logs),
    /// Run a command in a member
    Exec(Exec),
    /// Check that this machine can run a cluster
    Doctor(Doctor),
    /// Print a shell completion script
    Completions(Completions),
    /// Write the man pages
    Man(Man),
}

/// What the cluster shall be: a file, flags, or a file with flags over it.
#[derive(Debug, Default, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct SpecArgs {
    /// Read the cluster from a TOML file; flags given beside it win
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Cluster name, lower-case letters only [default: demo]
    #[arg(short = 'n', long)]
    pub(crate) name: Option<String>,
    /// Data centers [default: 1]
    #[arg(short = 'd', long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) data_centers: Option<u32>,
    /// Postgres nodes in each data center [default: 2]
    #[arg(short = 'c', long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) nodes: Option<u32>,
    /// etcd members in each data center [default: computed; classic placement: 1]
    #[arg(short = 'e', long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) etcd: Option<u32>,
    /// Data centers that must suffice after a failure [default: 1]
    #[arg(short = 'm', long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) must_suffice: Option<u32>,
    /// Postgres major version [default: 17]
    #[arg(short = 'v', long, value_name = "MAJOR", allow_negative_numbers = true)]
    pub(crate) postgres: Option<u32>,
    /// Run Patroni in the background; the container stays up without it
    #[arg(short = 'b', long)]
    pub(crate) background: bool,
    /// Who must have a write before it is acknowledged: async, sync, strict or quorum [default: async]
    #[arg(long, value_name = "MODE")]
    pub(crate) durability: Option<Durability>,
    /// Patroni's timers: default (30/10/10), fast, norm, safe or wide [default: default]
    #[arg(long, value_name = "PRESET")]
    pub(crate) timers: Option<TimerPreset>,
    /// Placement of etcd members: computed or classic [default: computed]
    #[arg(long, value_name = "RULE")]
    pub(crate) placement: Option<PlacementRule>,
    /// Transport of pgBackRest: tls or ssh [default: tls]
    #[arg(long, value_name = "KIND")]
    pub(crate) backup_transport: Option<BackupTransport>,
    /// A second repository: posix, or posix:PATH for a folder of this machine; S3 in the file [default: none]
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) repo2: Option<Repo2>,
    /// Distance between any two sites: lan, metro, continental or global [default: none]
    #[arg(long, value_name = "PRESET")]
    pub(crate) wan_preset: Option<WanPreset>,
    /// Let distances hold while the cluster comes up, and not only once it is ready
    #[arg(long)]
    pub(crate) wan_from_start: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha plan -d 3 -c 2\n  pgha plan -f cluster.toml --json\n  \
    pgha plan -d 2 --durability quorum --svg topology.svg")]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Print the plan as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Draw the topology into FILE, or to stdout with `-`
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// List every set of sites in the survival table instead of grouping equal ones
    #[arg(long)]
    pub(crate) all: bool,
}

/// Where the files go and under which number.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct OutputArgs {
    /// The compose file to write
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FILE",
        default_value = "docker-compose.yaml"
    )]
    pub(crate) output: PathBuf,
    /// Instance number [default: the lowest that is free on this engine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=9999))]
    pub(crate) instance: Option<u32>,
    /// Overwrite another cluster's file, and go on where the host looks too small
    #[arg(long)]
    pub(crate) force: bool,
}

/// Arguments of `generate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha generate -n demo -d 2 -c 2\n  \
    pgha generate -f cluster.toml -o demo/docker-compose.yaml")]
pub(crate) struct Generate {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `build`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha build\n  pgha build -v 18\n  \
    pgha build --node-build container")]
pub(crate) struct Build {
    /// Postgres major version
    #[arg(short = 'v', long, value_name = "MAJOR", default_value_t = 17)]
    pub(crate) postgres: u32,
    /// Build even where the image is there
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Folder of pgha's sources [default: found from this folder, or where pgha was built]
    #[arg(long, value_name = "DIR")]
    pub(crate) source: Option<PathBuf>,
    /// Who compiles PID 1: the host's cargo, or Debian's in a container
    #[arg(long = "node-build", value_name = "WHERE", default_value = "auto")]
    pub(crate) pid1: NodeBuild,
}

/// Where `pgha-node` is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum NodeBuild {
    /// On the host where it is Linux with a toolchain, else in a container.
    Auto,
    /// With the host's cargo.
    Host,
    /// In a container with Debian's rustc.
    Container,
}

/// Arguments of `up`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha up -n demo -d 2 -c 2\n  pgha up            \
    the cluster of ./docker-compose.yaml, or a new one")]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// Leave the containers where they are when the cluster does not come up
    #[arg(long)]
    pub(crate) keep: bool,
}

/// How long to wait.
#[derive(Debug, Clone, Args)]
pub(crate) struct WaitArgs {
    /// Seconds to wait for the cluster
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) timeout: u64,
}

/// Arguments of `stop`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pgha stop demo")]
pub(crate) struct Stop {
    /// The cluster, `demo` or `demo-2` [default: the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// Arguments of `start`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pgha start demo")]
pub(crate) struct Start {
    /// The cluster, `demo` or `demo-2` [default: the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// Arguments of `down`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha down demo\n  pgha down demo --volumes --dry-run")]
pub(crate) struct Down {
    /// The cluster, `demo` or `demo-2` [default: the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Remove the volumes too: data and backups are gone
    #[arg(long)]
    pub(crate) volumes: bool,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask before data is removed
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pgha list --json | jq -r '.[].cluster'")]
pub(crate) struct List {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha status\n  pgha status demo --json | jq .leader")]
pub(crate) struct Status {
    /// The cluster, `demo` or `demo-2` [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Print JSON: one object with a NAME, an array without
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `connect`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha connect demo\n  \
    psql \"$(pgha connect demo --json | jq -r .read_write.host)\"")]
pub(crate) struct Connect {
    /// The cluster, `demo` or `demo-2` [default: the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Leave the password out; use it with the PGPASSFILE that is named
    #[arg(long)]
    pub(crate) no_password: bool,
}

/// Arguments of `psql`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha psql demo\n  \
    pgha psql demo -- -c 'select pg_is_in_recovery()'\n  \
    pgha psql demo --read-only -- -c 'select inet_server_addr()'")]
pub(crate) struct Psql {
    /// The cluster, `demo` or `demo-2` [default: the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Connect to a replica
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Arguments for psql
    #[arg(last = true, value_name = "PSQL ARGUMENTS")]
    pub(crate) arguments: Vec<String>,
}

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
}

/// Arguments of `backup` without a command.
#[derive(Debug, Args)]
pub(crate) struct BackupMake {
    /// The cluster, `demo` or `demo-2` [default: the only one]
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
}

/// The cluster that is meant.
#[derive(Debug, Args)]
pub(crate) struct BackupOf {
    /// The cluster, `demo` or `demo-2` [default: the only one]
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
    /// The cluster, `demo` or `demo-2` [default: the only one]
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
    /// The cluster, `demo` or `demo-2` [default: the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// What to call this moment, at most 63 bytes
    #[arg(value_name = "POINT", required = true)]
    pub(crate) point: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha restore demo --latest --dry-run                     what would be done\n  \
    pgha restore demo --time '2026-11-23 10:00:00+00'        before the table was dropped\n  \
    pgha restore demo --name before-the-upgrade --yes        a restore point\n  \
    pgha restore demo                                        goes on after an interruption\n  \
    pgha restore demo --abort                                puts the old data back\n  \
    pgha restore demo --latest --into copy                   a fresh cluster beside it")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Restore {
    /// The cluster, `demo` or `demo-2` [default: the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    #[command(flatten)]
    pub(crate) target: RestoreTarget,
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
    /// Give up a restore that was interrupted: put the old data back
    #[arg(long, conflicts_with_all = ["dry_run", "latest", "time", "lsn", "xid", "name", "set", "timeline"])]
    pub(crate) abort: bool,
    /// Print JSON: the plan with --dry-run, else what was done
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wait: RestoreWait,
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
    /// To a time, with its zone: '2026-11-23 10:00:00+00'
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
    /// With what happened at exactly the target [default]
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

/// Arguments of `logs`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pgha logs pgha-demo1-DC1-1 -f\n  pgha logs demo1-DC1 --tail 50"
)]
pub(crate) struct Logs {
    /// The member: its name, or enough of it to be the only one
    #[arg(value_name = "MEMBER")]
    pub(crate) member: String,
    /// Go on as the log grows
    #[arg(short = 'f', long)]
    pub(crate) follow: bool,
    /// Lines from the end, or `all`
    #[arg(long, value_name = "N", default_value = "100", value_parser = tail)]
    pub(crate) tail: String,
}

fn tail(text: &str) -> Result<String, String> {
    match text.parse::<u32>() {
        Ok(lines) => Ok(lines.to_string()),
        Err(_) if text == "all" => Ok(text.to_owned()),
        Err(_) => Err("a number of lines, or `all`".to_owned()),
    }
}

/// Arguments of `exec`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha exec pgha-demo1-DC1-1 -- patronictl -c /pgha/config/patroni.conf list\n  \
    pgha exec demo1-DC1 -- bash")]
pub(crate) struct Exec {
    /// The member: its name, or enough of it to be the only one
    #[arg(value_name = "MEMBER")]
    pub(crate) member: String,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha doctor\n  \
    pgha doctor --json | jq '.checks[] | select(.state == \"failed\")'\n\n\
    Exit codes: 0 where nothing failed, 3 where something a cluster needs is missing.")]
pub(crate) struct Doctor {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pgha completions bash > /etc/bash_completion.d/pgha")]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pgha man /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// The folder to write into
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
}
