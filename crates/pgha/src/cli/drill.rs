//! The command line of `pgha drill`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::{ReportArgs, ShapeArgs, Variant};

/// Arguments of `drill`.
#[derive(Debug, Args)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
        pgha drill list demo                       the drills, and what each is expected to cost\n  \
        pgha drill run leader-killed demo\n  \
        pgha drill run site-isolated demo --runs 5 --report reports\n  \
        pgha drill check reports/site-isolated-20260101-120000\n  \
        pgha drill new mine.toml\n\n\
        Exit codes: 0 as predicted or better, 5 a prediction is refuted, 3 the cluster is not healthy or the drill not for it."
)]
pub(crate) struct Drill {
    #[command(subcommand)]
    pub(crate) verb: DrillVerb,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DrillVerb {
    /// List drills, with a cluster the expected outcome there
    List(DrillList),
    /// Print the file of a drill
    Show(DrillShow),
    /// Run a drill and compare the outcome with the prediction
    Run(Box<DrillRun>),
    /// Judge the report folder of a drill again, without a cluster
    Check(DrillFolder),
    /// Plant errors in the histories of a report folder and show that each is found
    SelfTest(DrillFolder),
    /// Write a template for your own drill
    New(DrillNew),
}

/// Arguments of `drill list`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  pgha drill list\n  pgha drill list demo --json | jq -r '.[].name'"
)]
pub(crate) struct DrillList {
    /// Cluster: show expectations for its durability only [default: all durabilities]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `drill show`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pgha drill show leader-killed > mine.toml")]
pub(crate) struct DrillShow {
    /// Name of the drill
    #[arg(value_name = "DRILL")]
    pub(crate) drill: String,
}

/// Arguments of `drill run`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha drill run leader-killed demo\n  \
    pgha drill run site-isolated demo --runs 5 --json | jq .observed\n  \
    pgha drill run ./mine.toml demo --dry-run\n  \
    pgha drill run leader-killed demo --step       each step after Enter\n  \
    pgha drill run site-lost --fresh -d 3 -c 1 --durability quorum\n  \
    pgha drill run site-isolated -d 3 -c 1 --compare async,quorum\n\n\
    Every fault is taken back at the end, also after Ctrl-C; `pgha heal` does that for a run that was killed.\n\
    Cluster flags, as in `pgha up`, describe the cluster of --fresh and --compare [default: ./cluster.toml, where it exists].")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct DrillRun {
    /// Name from `pgha drill list`, or a file
    #[arg(value_name = "DRILL|FILE")]
    pub(crate) drill: String,
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Number of runs; each draws its own times and targets
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) runs: u32,
    /// Seed of the random choices [default: random, printed]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Write report, client histories, drill and cluster file to a folder in DIR
    #[arg(long = "report", value_name = "DIR")]
    pub(crate) report_dir: Option<PathBuf>,
    /// Show each step and wait for Enter before it
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) step: bool,
    /// Print steps and expectations without running them
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask before a drill removes or replaces data of a cluster that was not made for it
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// A person reads and answers.
    #[arg(skip)]
    pub(crate) lesson: bool,
    #[command(flatten)]
    pub(crate) own: OwnArgs,
}

/// Arguments of `learn`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha learn                          the lessons\n  \
    pgha learn quorum                   on a cluster that is made for it\n  \
    pgha learn quorum demo              on a running one\n  \
    pgha learn split-brain --yes        without pauses and questions\n  \
    pgha drill show quorum > mine.toml  a lesson of your own\n\n\
    Without a terminal a lesson runs as with --yes, but asks before it replaces data of a cluster that was not made for it.\n\
    Exit codes: 0 as predicted or better, 5 a prediction is refuted, 3 the cluster is not healthy or the lesson not for it.")]
pub(crate) struct Learn {
    /// Name of the lesson [default: list the lessons]
    #[arg(value_name = "LESSON")]
    pub(crate) lesson: Option<String>,
    /// Cluster, such as `demo` or `demo-2` [default: one that is made for the lesson and removed afterwards]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Write report, client histories, lesson and cluster file to a folder in DIR
    #[arg(long = "report", value_name = "DIR", requires = "lesson")]
    pub(crate) report_dir: Option<PathBuf>,
    /// Print steps and expectations without running them
    #[arg(long, requires = "lesson")]
    pub(crate) dry_run: bool,
    /// Skip pauses and questions; do not ask before data are replaced
    #[arg(short = 'y', long, requires = "lesson")]
    pub(crate) yes: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// A cluster that is made for a drill.
#[derive(Debug, Default, Args)]
pub(crate) struct OwnArgs {
    /// Create a cluster for the drill and remove it afterwards
    #[arg(long, conflicts_with = "cluster")]
    pub(crate) fresh: bool,
    /// Run on one such cluster for each durability or timer preset: async,quorum or fast,norm
    #[arg(long, value_name = "A,B[,C...]", value_delimiter = ',', conflicts_with = "cluster")]
    pub(crate) compare: Vec<Variant>,
    #[command(flatten)]
    pub(crate) shape: ShapeArgs,
}

/// Arguments of `drill check` and `drill self-test`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha drill run leader-killed demo --report reports\n  \
    pgha drill check reports/leader-killed-20260101-120000\n  \
    pgha drill self-test reports/leader-killed-20260101-120000\n\n\
    Exit code 5: check: the verdict differs, or is not as predicted; self-test: an error was not found.")]
pub(crate) struct DrillFolder {
    /// Folder with report.json and the history of each run
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `drill new`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  pgha drill new mine.toml")]
pub(crate) struct DrillNew {
    /// File to create; never overwritten
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Arguments of `prove`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha prove demo --dry-run                  the rows, and how long they take\n  \
    pgha prove demo --quick                    each single site\n  \
    pgha prove demo --full --report proof      goes on where it was ended\n\n\
    Exit codes: 0 every row confirmed or better, 5 a row is refuted or was not reached, 3 the cluster is not healthy.")]
pub(crate) struct Prove {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    #[command(flatten)]
    pub(crate) extent: Extent,
    /// Seed of the random choices [default: random, printed]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Save results to DIR, also as junit.xml; rows already in DIR are not repeated
    #[arg(long = "report", value_name = "DIR")]
    pub(crate) report_dir: Option<PathBuf>,
    /// List rows and expectations without running them
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

/// Which rows of a survival table.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Extent {
    /// Losses of one site only [default: one and two sites]
    #[arg(long, conflicts_with = "full")]
    pub(crate) quick: bool,
    /// All rows
    #[arg(long)]
    pub(crate) full: bool,
}

impl Extent {
    /// How many lost sites a row has at most.
    pub(crate) fn most(self) -> usize {
        match (self.quick, self.full) {
            (true, _) => 1,
            (_, true) => usize::MAX,
            _ => 2,
        }
    }
}
