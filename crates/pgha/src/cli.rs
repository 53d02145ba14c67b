//! The command line, as `clap` sees it. No decisions here: each verb is carried out in
//! [`crate::command`].

mod backup;
pub(crate) mod explain;
mod load;
mod restore;
pub(crate) mod wan;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use ipnet::Ipv4Net;
use pgha_core::spec::{BackupTransport, Durability, PlacementRule, Repo2, TimerPreset};
use pgha_wan::preset::WanPreset;

pub(crate) use backup::{
    Backup, BackupAction, BackupExpire, BackupMake, BackupOf, BackupSchedule, Backups, RestorePoint,
};
pub(crate) use load::Load;
pub(crate) use restore::{FromArgs, Restore, RestoreTarget};

use crate::sink::Format;

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
        Exit codes: 0 done, 1 failed, 2 bad input, 3 something is missing, 4 a deadline passed,\n5 acknowledged writes were lost."
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
    /// Kill members, or all of a site, as a crash would: SIGKILL
    Kill(Struck),
    /// Freeze members, or all of a site: they keep their connections and answer nothing
    PauseContainer(Struck),
    /// Write without a pause, and show for how long no write went and what was lost
    Load(Load),
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

impl Command {
    /// How it reports.
    pub(crate) fn format(&self) -> Format {
        match self {
            Self::Build(args) => args.report,
            Self::Up(args) => args.report,
            Self::Stop(args) => args.report,
            Self::Start(args) => args.report,
            Self::Down(args) => args.report,
            Self::Wan(args) => args.report,
            Self::Backup(args) => args.report,
            Self::RestorePoint(args) => args.report,
            Self::Restore(args) => args.report,
            Self::Kill(args) | Self::PauseContainer(args) => args.report,
            Self::Load(args) => args.report,
            _ => ReportArgs::default(),
        }
        .events
    }
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
    #[arg(short = 'd', long, value_name = "N", allow_negative_numbers = true, value_parser = whole)]
    pub(crate) data_centers: Option<u32>,
    /// Postgres nodes in each data center [default: 2]
    #[arg(short = 'c', long, value_name = "N", allow_negative_numbers = true, value_parser = whole)]
    pub(crate) nodes: Option<u32>,
    /// etcd members in each data center [default: computed; classic placement: 1]
    #[arg(short = 'e', long, value_name = "N", allow_negative_numbers = true, value_parser = whole)]
    pub(crate) etcd: Option<u32>,
    /// Data centers that must suffice after a failure [default: 1]
    #[arg(short = 'm', long, value_name = "N", allow_negative_numbers = true, value_parser = whole)]
    pub(crate) must_suffice: Option<u32>,
    /// Postgres major version [default: 17]
    #[arg(short = 'v', long, value_name = "MAJOR", allow_negative_numbers = true, value_parser = whole)]
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

fn whole(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "a whole number is wanted, such as 2".to_owned())
}

fn seconds(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "a number of seconds is wanted, such as 300".to_owned())
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
    /// Range for the subnets of the cluster's networks [default: 10.208.0.0/12]
    #[arg(long, value_name = "RANGE", value_parser = crate::host::parse_range)]
    pub(crate) subnets: Option<Ipv4Net>,
    /// Replace another file, which is kept as .old, and go on where the host looks too small
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
    #[arg(short = 'v', long, value_name = "MAJOR", default_value_t = 17, value_parser = whole)]
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
    /// `pgha-node` that is compiled already, statically, instead of compiling it
    #[arg(long, value_name = "FILE", conflicts_with = "pid1")]
    pub(crate) node_binary: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
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
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// How long to wait.
#[derive(Debug, Clone, Args)]
pub(crate) struct WaitArgs {
    /// Seconds to wait for the cluster
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = seconds)]
    pub(crate) timeout: u64,
}

/// How a verb that takes a while reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
pub(crate) struct ReportArgs {
    /// Format of progress and warnings, on standard error
    #[arg(long, global = true, value_name = "FORMAT", default_value_t, hide_default_value = true)]
    #[arg(value_enum)]
    pub(crate) events: Format,
}

/// A length of time for which something is done.
fn within_a_day(time: Duration) -> Result<Duration, String> {
    /// Longer is taken for a slip.
    const MOST: Duration = Duration::from_secs(24 * 60 * 60);
    match time {
        Duration::ZERO => Err("it takes some time, such as 30s".to_owned()),
        long if long > MOST => Err("24 h is the most".to_owned()),
        some => Ok(some),
    }
}

/// Arguments of `stop`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pgha stop demo")]
pub(crate) struct Stop {
    /// The cluster, `demo` or `demo-2` [default: that of this folder, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `kill` and `pause-container`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha kill demo1-DC1              one member, by its name or a part of it\n  \
    pgha kill demo DC2               every member in DC2\n  \
    pgha pause-container demo1-DC1   frozen instead of killed\n\n\
    Nothing undoes it by itself: `pgha start` starts what is killed and resumes what is frozen. A leader that is \
    resumed after others have taken over acknowledges writes for a moment and loses them; docs/operations.md tells more.")]
pub(crate) struct Struck {
    /// Members or sites, such as demo1-DC1 or DC2; before them the cluster where there are several
    #[arg(value_name = "[NAME] MEMBER|SITE", required = true)]
    pub(crate) targets: Vec<String>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `start`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pgha start demo")]
pub(crate) struct Start {
    /// The cluster, `demo` or `demo-2` [default: that of this folder, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Arguments of `down`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha down demo\n  pgha down demo --volumes --dry-run")]
pub(crate) struct Down {
    /// The cluster, `demo` or `demo-2` [default: that of this folder, else the only one]
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
    #[command(flatten)]
    pub(crate) report: ReportArgs,
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
    /// The cluster, `demo` or `demo-2` [default: that of this folder, else the only one]
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
    /// The cluster, `demo` or `demo-2` [default: that of this folder, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Connect to a replica
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Arguments for psql
    #[arg(last = true, value_name = "PSQL ARGUMENTS")]
    pub(crate) arguments: Vec<String>,
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
