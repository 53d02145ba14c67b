//! The command line, as `clap` sees it. No decisions here: each verb is carried out in
//! [`crate::command`].

mod backup;
pub(crate) mod certs;
pub(crate) mod config;
pub(crate) mod drill;
pub(crate) mod explain;
pub(crate) mod fault;
mod inside;
mod load;
mod operate;
pub(crate) mod repair;
mod restore;
mod scale;
mod stop;
mod upkeep;
pub(crate) mod wan;
pub(crate) mod web;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use ipnet::Ipv4Net;
use pgha_core::spec::{
    Acknowledge, BackupTransport, Durability, PlacementRule, ProxySpec, Repo2, TimerPreset,
};
use pgha_wan::preset::WanPreset;
use pgha_wan::units::UnknownChoice;
use pgha_wan::units::parse_duration;

pub(crate) use backup::{
    Backup, BackupAction, BackupExpire, BackupMake, BackupOf, BackupSchedule, Backups, RestorePoint,
};
pub(crate) use drill::Prove;
pub(crate) use inside::{Connect, Exec, Happened, Logs, Psql, Shell, Tail, Tool};
pub(crate) use load::Load;
pub(crate) use operate::{
    Failover, History, Maintenance, Operated, Reinit, Restart, Switch, Switchover,
};
pub(crate) use restore::{FromArgs, Restore, RestoreTarget};
pub(crate) use scale::{Add, AddWhat, ChangeArgs, Remove, Scale};
pub(crate) use stop::{Down, Start, Stop};
pub(crate) use upkeep::{Bench, Bundle, Passwd};

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
        pgha up demo -d 2 -c 2         a cluster of 2 data centers with 2 nodes each\n  \
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
    /// Show placement, survival table and findings without starting anything
    Plan(Plan),
    /// Write docker-compose.yaml and its secrets
    Generate(Generate),
    /// Build the container images
    Build(Build),
    /// Create and start a cluster, and wait until all nodes stream
    Up(Up),
    /// Stop a cluster, members or a site; containers and data are kept
    Stop(Stop),
    /// Start a stopped cluster, members or a site, and wait until the nodes stream
    Start(Start),
    /// Remove a cluster's containers and networks, with --volumes its data too
    #[command(visible_alias = "rm")]
    Down(Down),
    /// List the clusters of this Docker engine
    #[command(visible_aliases = ["ls", "ps"])]
    List(List),
    /// Show problems, leader, replicas, lag and etcd
    Status(Status),
    /// Add nodes, etcd members or a data center to a running cluster
    Add(Add),
    /// Remove members or a data center from a running cluster, with their data
    Remove(Remove),
    /// Change the number of nodes and etcd members of each data center
    Scale(Scale),
    /// Watch a cluster on a live screen: members, timeline, links, backups, sessions
    Watch(Watch),
    /// Show and change the links between sites: latency, loss, bandwidth, partitions
    Wan(wan::Wan),
    /// Print connection strings
    Connect(Connect),
    /// Open psql on the leader or a replica
    Psql(Psql),
    /// Run patronictl in a node
    #[command(
        after_help = "Examples:\n  pgha patronictl demo list\n  pgha patronictl demo switchover\n  \
        pgha patronictl demo --help"
    )]
    Patronictl(Tool),
    /// Run pgbackrest on the backup host
    #[command(after_help = "Examples:\n  pgha pgbackrest demo info\n  \
        pgha pgbackrest demo repo-ls archive --recurse\n  pgha pgbackrest demo help")]
    Pgbackrest(Tool),
    /// Move the leader to another node, and report how long writes were away
    Switchover(Switchover),
    /// Promote a replica by hand where the cluster has no leader; may lose writes
    Failover(Failover),
    /// Restart Postgres on nodes; rolling: replicas, switchover, then the former leader
    Restart(Restart),
    /// Reload the configuration of Patroni and Postgres on every node
    #[command(after_help = "Examples:\n  pgha reload demo")]
    Reload(Operated),
    /// Remove the data of a replica and clone it again
    Reinit(Reinit),
    /// Switch automatic failover off (Patroni's maintenance mode)
    #[command(after_help = "Examples:\n  pgha pause demo\n  pgha resume demo")]
    Pause(Operated),
    /// Switch automatic failover on again
    #[command(after_help = "Examples:\n  pgha resume demo")]
    Resume(Operated),
    /// Keep the containers of nodes up while Patroni does not run, as with -b
    Maintenance(Maintenance),
    /// Give a user, or Patroni's REST API, a new password without an outage
    Passwd(Passwd),
    /// Show and replace the certificates of a cluster, without an outage
    Certs(certs::Certs),
    /// Show the timelines of a cluster, and who began them
    History(History),
    /// Show and change settings of Patroni and Postgres; compare, export
    Config(config::Config),
    /// Kill members or a whole site (SIGKILL)
    Kill(fault::Struck),
    /// Freeze members or a whole site; connections stay open, nothing answers
    PauseContainer(fault::Struck),
    /// Inject faults into containers, processes and links; list and show them
    Fault(fault::Fault),
    /// Undo injected faults
    Heal(fault::Heal),
    /// Repair what a cluster cannot repair by itself: etcd without a majority
    Repair(repair::Repair),
    /// Inject faults under load and compare the outcome with the prediction
    Drill(drill::Drill),
    /// Lessons on a real cluster: predict, see, compare
    Learn(drill::Learn),
    /// Test each row of the survival table on the running cluster
    Prove(drill::Prove),
    /// Generate write load; report write outages and lost writes
    Load(Load),
    /// Run pgbench from each site against the leader, and compare
    Bench(Bench),
    /// Make a backup; check, verify, expire and schedule backups
    Backup(Backup),
    /// List backups
    Backups(Backups),
    /// Create a named restore point on the leader
    RestorePoint(RestorePoint),
    /// Restore the whole cluster from its backups (point-in-time recovery)
    Restore(Restore),
    /// Show the log of a member, or of all members merged by time
    Logs(Logs),
    /// Show what happened to a cluster, by time: leaders, timelines, streams, links, backups
    Events(Happened),
    /// Print the metrics of a cluster for Prometheus
    Metrics(web::Metrics),
    /// Write files for programs beside a cluster: Prometheus, Grafana, `ProxySQL`
    Export(web::Export),
    /// Serve a live page of a cluster on 127.0.0.1, and its metrics
    Web(web::Web),
    /// Run a command in a member
    Exec(Exec),
    /// Open a shell in a member
    Shell(Shell),
    /// Write logs, views and versions for a bug report into one archive, without secrets
    Bundle(Bundle),
    /// Check this machine's prerequisites
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
            Self::Add(args) => args.what.how().report,
            Self::Remove(args) => args.how.report,
            Self::Scale(args) => args.how.report,
            Self::Wan(args) => args.report,
            Self::Backup(args) => args.report,
            Self::RestorePoint(args) => args.report,
            Self::Restore(args) => args.report,
            Self::Switchover(args) => args.report,
            Self::Restart(args) => args.report,
            Self::Failover(args) => args.report,
            Self::Reinit(args) => args.report,
            Self::Reload(args) | Self::Pause(args) | Self::Resume(args) => args.report,
            Self::Config(args) => args.report,
            Self::Maintenance(args) => args.report,
            Self::Passwd(args) => args.report,
            Self::Certs(args) => args.report,
            Self::Bench(args) => args.report,
            Self::Bundle(args) => args.report,
            Self::Kill(args) | Self::PauseContainer(args) => args.report,
            Self::Fault(args) => args.report,
            Self::Heal(args) => args.report,
            Self::Repair(args) => args.report,
            Self::Drill(args) => args.report,
            Self::Learn(args) => args.report,
            Self::Prove(args) => args.report,
            Self::Load(args) => args.report,
            _ => ReportArgs::default(),
        }
        .events
    }
}

/// Which cluster, and what it shall be.
#[derive(Debug, Default, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct SpecArgs {
    /// Cluster name, as with -n; `demo-2` has its instance number in it
    #[arg(value_name = "NAME", conflicts_with = "name", value_parser = named)]
    pub(crate) cluster: Option<Named>,
    /// Cluster name, lower-case letters only [default: demo]
    #[arg(short = 'n', long)]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
}

/// What a cluster shall be: a file, flags, or a file with flags over it.
#[derive(Debug, Default, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ShapeArgs {
    /// Cluster file (TOML); flags override it
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Data centers [default: 1]
    #[arg(short = 'd', long, value_name = "N", allow_negative_numbers = true, value_parser = whole)]
    pub(crate) data_centers: Option<u32>,
    /// Postgres nodes per data center: one number for all, or a list such as 3,1 [default: 2]
    #[arg(short = 'c', long, value_name = "N[,N...]", allow_negative_numbers = true, value_parser = each)]
    pub(crate) nodes: Option<Each>,
    /// etcd members per data center, likewise [default: computed; classic placement: 1]
    #[arg(short = 'e', long, value_name = "N[,N...]", allow_negative_numbers = true, value_parser = each)]
    pub(crate) etcd: Option<Each>,
    /// Minimum number of surviving data centers that keep the cluster writable [default: 1]
    #[arg(short = 'm', long, value_name = "N", allow_negative_numbers = true, value_parser = whole)]
    pub(crate) must_suffice: Option<u32>,
    /// Postgres major version [default: 17]
    #[arg(short = 'v', long, value_name = "MAJOR", allow_negative_numbers = true, value_parser = whole)]
    pub(crate) postgres: Option<u32>,
    /// Run Patroni in the background; the container outlives it
    #[arg(short = 'b', long)]
    pub(crate) background: bool,
    /// Replication: async, sync, quorum; strict and quorum-strict (never without a standby) [default: async]
    #[arg(long, value_name = "MODE")]
    pub(crate) durability: Option<Durability>,
    /// Synchronous standbys: remote (one in another data center), local (in the leader's) or any
    /// [default: remote]
    #[arg(long, value_name = "WHERE")]
    pub(crate) acknowledge: Option<Acknowledge>,
    /// Patroni's timers (ttl/loop/retry): default (30/10/10), fast, norm, safe or wide
    /// [default: default]
    #[arg(long, value_name = "PRESET")]
    pub(crate) timers: Option<TimerPreset>,
    /// Placement of etcd members: computed or classic [default: computed]
    #[arg(long, value_name = "RULE")]
    pub(crate) placement: Option<PlacementRule>,
    /// pgBackRest's transport: tls or ssh [default: tls]
    #[arg(long, value_name = "KIND")]
    pub(crate) backup_transport: Option<BackupTransport>,
    /// Second pgBackRest repository: posix, or posix:PATH on this machine; S3: see the cluster file [default: none]
    #[arg(long, value_name = "REPOSITORY")]
    pub(crate) repo2: Option<Repo2>,
    /// Proxies in each data center: haproxy, haproxy,pgbouncer or none [default: none]
    #[arg(long, value_name = "PROXY[,PROXY]")]
    pub(crate) proxy: Option<ProxySpec>,
    /// WAN profile of all links: lan, metro, continental or global [default: none]
    #[arg(long, value_name = "PRESET")]
    pub(crate) wan_preset: Option<WanPreset>,
    /// Apply WAN latency during startup, not only once the cluster is ready
    #[arg(long)]
    pub(crate) wan_from_start: bool,
}

/// A cluster as every verb takes it: `demo`, or `demo-2` with its instance number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) instance: Option<u32>,
}

fn named(text: &str) -> Result<Named, String> {
    let numbered =
        text.rsplit_once('-').and_then(|(name, number)| Some((name, number.parse().ok()?)));
    match numbered {
        Some((_, instance)) if !INSTANCES.contains(&instance) => {
            Err(format!("an instance number is from {} to {}", INSTANCES.start(), INSTANCES.end()))
        }
        Some((name, instance)) => Ok(Named { name: name.to_owned(), instance: Some(instance) }),
        None => Ok(Named { name: text.to_owned(), instance: None }),
    }
}

/// Instance numbers of clusters.
const INSTANCES: std::ops::RangeInclusive<u32> = 1..=9999;

/// One value of a setting of which several are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// `--durability`.
    Durability(Durability),
    /// `--acknowledge`.
    Acknowledge(Acknowledge),
    /// `--timers`.
    Timers(TimerPreset),
}

impl FromStr for Variant {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let durability = word.parse().map(Self::Durability);
        let known = |durabilities: UnknownChoice| {
            let timers: Vec<&str> = TimerPreset::ALL.iter().map(|it| it.as_str()).collect();
            let whose: Vec<&str> = Acknowledge::ALL.iter().map(|it| it.as_str()).collect();
            format!(
                "unknown value {word:?}: durabilities are {}; acknowledge is {}; timers are {}",
                durabilities.known,
                whose.join(", "),
                timers.join(", ")
            )
        };
        durability
            .or_else(|unknown| word.parse().map(Self::Acknowledge).map_err(|_| unknown))
            .or_else(|unknown| word.parse().map(Self::Timers).map_err(|_| known(unknown)))
    }
}

/// A number for all data centers, or one for each; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Each(pub(crate) Vec<u32>);

impl fmt::Display for Each {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(u32::to_string).collect::<Vec<_>>().join(","))
    }
}

fn each(text: &str) -> Result<Each, String> {
    let wanted =
        |_| "a whole number is wanted, such as 2, or one for each data center: 3,1".to_owned();
    text.split(',').map(str::parse).collect::<Result<_, _>>().map(Each).map_err(wanted)
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
    pgha plan -d 2 --durability quorum --svg topology.svg\n  pgha plan -c 3,1 -e 2,1\n  \
    pgha plan -d 3 --compare async,quorum")]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    /// Print the plan as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a picture of the topology to FILE (`-`: stdout)
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Do not group equal rows of the survival table
    #[arg(long)]
    pub(crate) all: bool,
    /// Compare durabilities or timer presets: async,quorum or fast,norm
    #[arg(long, value_name = "A,B[,C...]", value_delimiter = ',', conflicts_with_all = ["json", "svg", "all"])]
    pub(crate) compare: Vec<Variant>,
}

/// Where the files go and under which number.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct OutputArgs {
    /// Compose file
    #[arg(
        short = 'o',
        long = "output",
        value_name = "FILE",
        default_value = "docker-compose.yaml"
    )]
    pub(crate) output: PathBuf,
    /// Instance number [default: lowest free one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=9999))]
    pub(crate) instance: Option<u32>,
    /// Address range of the cluster's Docker networks [default: 10.208.0.0/12]
    #[arg(long, value_name = "RANGE", value_parser = crate::host::parse_range)]
    pub(crate) subnets: Option<Ipv4Net>,
    /// Replace an existing file (kept as .old); ignore low host resources
    #[arg(long)]
    pub(crate) force: bool,
    /// The folder, where the cluster is made for a drill and goes with it.
    #[arg(skip)]
    pub(crate) drill: Option<String>,
}

/// Arguments of `generate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha generate demo -d 2 -c 2\n  \
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
    /// Cluster file: build the images for its version, extensions and locale
    #[arg(short = 'f', long = "file", value_name = "FILE", conflicts_with = "postgres")]
    pub(crate) file: Option<PathBuf>,
    /// Rebuild existing images
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Source folder [default: the sources embedded in a release, else the checkout]
    #[arg(long, value_name = "DIR")]
    pub(crate) source: Option<PathBuf>,
    /// Where to compile PID 1 (pgha-node)
    #[arg(long = "node-build", value_name = "WHERE", default_value = "auto")]
    pub(crate) pid1: NodeBuild,
    /// Statically linked `pgha-node` to use instead of compiling it
    #[arg(long, value_name = "FILE", conflicts_with = "pid1")]
    pub(crate) node_binary: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Where `pgha-node` is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum NodeBuild {
    /// On a Linux host with a toolchain, else in a container.
    Auto,
    /// With the host's cargo.
    Host,
    /// In a container with Debian's rustc.
    Container,
}

/// Arguments of `up`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha up demo -d 2 -c 2\n  pgha up            \
    the cluster of ./docker-compose.yaml, or a new one")]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) spec: SpecArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
    /// Keep the containers if startup fails
    #[arg(long)]
    pub(crate) keep: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct WaitArgs {
    /// Startup deadline in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = seconds)]
    pub(crate) timeout: u64,
}

/// How a verb that takes a while reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
pub(crate) struct ReportArgs {
    /// Format of progress and warnings on stderr
    #[arg(long, global = true, value_name = "FORMAT", default_value_t, hide_default_value = true)]
    #[arg(value_enum)]
    pub(crate) events: Format,
}

/// A length of time for which something is done, as people write it.
fn some_time(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|e| format!("{e}, such as 30s")).and_then(within_a_day)
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
#[command(
    after_help = "Examples:\n  pgha status\n  pgha status demo --watch\n  pgha status demo --json | jq .leader"
)]
pub(crate) struct Status {
    /// Cluster, such as `demo` or `demo-2` [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Include networks, etcd and all problems
    #[arg(long)]
    pub(crate) all: bool,
    /// Refresh every 2 seconds until Ctrl-C
    #[arg(short = 'w', long, conflicts_with = "json")]
    pub(crate) watch: bool,
    /// Print JSON: an object with NAME, else an array
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `watch`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha watch\n  pgha watch demo --read-only\n  \
    pgha watch demo --once\n  pgha watch demo --json | jq -r .headline.leader\n\n\
    ? on the screen lists the keys; each command is shown before it runs. See docs/watch.md.")]
pub(crate) struct Watch {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Print the cluster screen once and exit
    #[arg(long)]
    pub(crate) once: bool,
    /// Print JSON, one object a line for each look
    #[arg(long)]
    pub(crate) json: bool,
    /// Run no command; command lines can still be copied
    #[arg(long)]
    pub(crate) read_only: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha doctor\n  \
    pgha doctor --json | jq '.checks[] | select(.state == \"failed\")'\n\n\
    Exit codes: 0 all checks passed, 3 a requirement is missing.")]
pub(crate) struct Doctor {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pgha completions bash > /etc/bash_completion.d/pgha")]
pub(crate) struct Completions {
    /// Shell
    pub(crate) shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pgha man /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// Output folder
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
}
