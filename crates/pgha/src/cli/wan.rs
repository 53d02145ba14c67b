//! The command line of `pgha wan`.

use std::time::Duration;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, Subcommand};
use pgha_wan::preset::WanPreset;
use pgha_wan::settings::{Argument, LinkChange, SETTINGS};
use pgha_wan::units::parse_duration;

use crate::cli::{ReportArgs, within_a_day};

/// Arguments of `wan`.
#[derive(Debug, Args)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
        pgha wan show demo                               configured and measured round trips\n  \
        pgha wan set DC1 DC2 --latency 40ms --loss 0.5%  40 ms in each direction\n  \
        pgha wan cut DC1 DC2 --for 30s                   undone by the router after 30 s\n  \
        pgha wan isolate DC1\n  \
        pgha wan heal                                    unblock all links\n  \
        pgha wan reset                                   back to the cluster file\n\n\
        Changes last until the router restarts. See docs/wan.md."
)]
pub(crate) struct Wan {
    #[command(subcommand)]
    pub(crate) verb: WanVerb,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WanVerb {
    /// Show all links: configured and measured round trip, loss, bandwidth, state
    Show(Show),
    /// Change links between two sites
    Set(Set),
    /// Block all traffic between two sites
    Cut(Cut),
    /// Block all traffic between a site and all others
    Isolate(Isolate),
    /// Unblock links: all, those of a site, or between two sites
    Heal(Heal),
    /// Restore the cluster file's settings: all links, those of a site, or between two sites
    Reset(Reset),
    /// Show throughput, drops and queues of the links once a second
    Watch(Watch),
}

/// Arguments of `wan show`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha wan show\n  \
    pgha wan show demo --json | jq '.pairs[] | {between, measured_us}'")]
pub(crate) struct Show {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Show configured values only, do not measure
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// For how long, and what is told of it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ChangeArgs {
    /// Undo after this time, such as 30s, even if this command has ended
    #[arg(long = "for", value_name = "TIME", value_parser = some_time, allow_hyphen_values = true)]
    pub(crate) for_: Option<Duration>,
    /// Do not measure the links afterwards
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Print the new state as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `wan set`.
#[derive(Debug, Args)]
#[command(
    override_usage = "pgha wan set [OPTIONS] [NAME] <SITE> <SITE>",
    after_help = "Examples:\n  pgha wan set DC1 DC2 --latency 40ms --jitter 5ms\n  \
    pgha wan set demo DC1 DC2 --loss 5% --burst 10 --for 2m\n  \
    pgha wan set DC1 DC3 --rate 10mbit --queue 100ms --one-way\n  \
    pgha wan set DC1 DC2 --preset global\n\n\
    Other settings are unchanged."
)]
pub(crate) struct Set {
    /// Cluster (if there are several) and two sites, such as DC1 DC2
    #[arg(value_name = "[NAME] SITE SITE", num_args = 1..=4, required = true)]
    pub(crate) sites: Vec<String>,
    /// Only the direction from the first site to the second
    #[arg(long)]
    pub(crate) one_way: bool,
    #[command(flatten)]
    pub(crate) settings: LinkArgs,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// What a link shall be.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Settings")]
pub(crate) struct LinkArgs {
    /// Start from a profile: lan, metro, continental or global; other settings override it
    #[arg(long, value_name = "PRESET")]
    pub(crate) preset: Option<WanPreset>,
    #[command(flatten)]
    given: SettingArgs,
}

impl LinkArgs {
    /// All of it as one change.
    pub(crate) fn change(&self) -> LinkChange {
        let mut change = self.preset.map(WanPreset::change).unwrap_or_default();
        for (argument, text) in &self.given.0 {
            (argument.set)(&mut change, text).expect("a text is read once before it is kept");
        }
        change
    }
}

/// The settings that are given, each with its text, which can be read.
#[derive(Debug, Clone)]
struct SettingArgs(Vec<(Argument, String)>);

impl SettingArgs {
    /// Every setting that a command is told of, by its key.
    fn known() -> impl Iterator<Item = (&'static str, Argument)> {
        SETTINGS.into_iter().filter_map(|setting| Some((setting.key, setting.argument?)))
    }
}

impl Args for SettingArgs {
    fn augment_args(command: Command) -> Command {
        command.args(Self::known().map(|(key, argument)| {
            let read = move |text: &str| {
                (argument.set)(&mut LinkChange::default(), text).map(|()| text.to_owned())
            };
            Arg::new(key)
                .long(key.replace('_', "-"))
                .value_name(argument.value)
                .help(argument.help)
                .allow_hyphen_values(argument.numeric)
                .value_parser(read)
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = Self::known().filter_map(|(key, argument)| {
            Some((argument, matches.get_one::<String>(key)?.clone()))
        });
        Ok(Self(given.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Arguments of `wan cut`.
#[derive(Debug, Args)]
#[command(
    override_usage = "pgha wan cut [OPTIONS] [NAME] <SITE> <SITE>",
    after_help = "Examples:\n  pgha wan cut DC1 DC2\n  \
    pgha wan cut demo DC1 DC2 --one-way --for 30s"
)]
pub(crate) struct Cut {
    /// Cluster (if there are several) and two sites, such as DC1 DC2
    #[arg(value_name = "[NAME] SITE SITE", num_args = 1..=4, required = true)]
    pub(crate) sites: Vec<String>,
    /// Only the direction from the first site to the second
    #[arg(long)]
    pub(crate) one_way: bool,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// Arguments of `wan isolate`.
#[derive(Debug, Args)]
#[command(
    override_usage = "pgha wan isolate [OPTIONS] [NAME] <SITE>",
    after_help = "Examples:\n  pgha wan isolate DC1\n  pgha wan isolate demo DC2 --for 1m"
)]
pub(crate) struct Isolate {
    /// Cluster (if there are several) and site
    #[arg(value_name = "[NAME] SITE", num_args = 1..=3, required = true)]
    pub(crate) sites: Vec<String>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// Arguments of `wan heal`.
#[derive(Debug, Args)]
#[command(
    override_usage = "pgha wan heal [OPTIONS] [NAME] [SITE] [SITE]",
    after_help = "Examples:\n  pgha wan heal               all links of the only cluster\n  \
    pgha wan heal demo DC1      all links of a site\n  pgha wan heal DC1 DC2\n\n\
    Latency, loss and bandwidth are unchanged; `pgha wan reset` restores them."
)]
pub(crate) struct Heal {
    /// Cluster (if there are several) and up to two sites
    #[arg(value_name = "[NAME] [SITE] [SITE]", num_args = 0..=3)]
    pub(crate) sites: Vec<String>,
    /// All links, as without sites
    #[arg(long)]
    pub(crate) all: bool,
    /// Do not measure the links afterwards
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Print the new state as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `wan reset`.
#[derive(Debug, Args)]
#[command(
    override_usage = "pgha wan reset [OPTIONS] [NAME] [SITE] [SITE]",
    after_help = "Examples:\n  pgha wan reset               all links of the only cluster\n  \
    pgha wan reset demo DC1 DC2"
)]
pub(crate) struct Reset {
    /// Cluster (if there are several) and up to two sites
    #[arg(value_name = "[NAME] [SITE] [SITE]", num_args = 0..=3)]
    pub(crate) sites: Vec<String>,
    /// Do not measure the links afterwards
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Print the new state as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `wan watch`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha wan watch demo\n  \
    pgha wan watch --json | jq -c '.links[] | select(.queue_full_per_s > 0)'\n\n\
    Ends with Ctrl-C.")]
pub(crate) struct Watch {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Refresh interval, at least 200ms
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = some_time, allow_hyphen_values = true)]
    pub(crate) interval: Duration,
    /// Print one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|e| format!("{e}, such as 40ms"))
}

fn some_time(text: &str) -> Result<Duration, String> {
    time(text).and_then(within_a_day)
}
