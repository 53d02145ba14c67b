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
        pgha wan show demo                               round trips as asked and as measured\n  \
        pgha wan set DC1 DC2 --latency 40ms --loss 0.5%  40 ms in each direction\n  \
        pgha wan cut DC1 DC2 --for 30s                   undone after 30 s, whatever happens\n  \
        pgha wan isolate DC1\n  \
        pgha wan heal                                    undo every cut\n  \
        pgha wan reset                                   back to the cluster file\n\n\
        What is changed holds until the router restarts; docs/wan.md tells more."
)]
pub(crate) struct Wan {
    #[command(subcommand)]
    pub(crate) verb: WanVerb,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WanVerb {
    /// Show every pair of sites: round trip as asked and as measured, loss, rate, state
    Show(Show),
    /// Change links between two sites
    Set(Set),
    /// Let nothing pass between two sites
    Cut(Cut),
    /// Let nothing pass between a site and all others
    Isolate(Isolate),
    /// Undo cuts: of all links, of a site, or between two sites
    Heal(Heal),
    /// Make links what the cluster file says: all, those of a site, or those between two
    Reset(Reset),
    /// Show what each link carries, drops and holds, once a second
    Watch(Watch),
}

/// Arguments of `wan show`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha wan show\n  \
    pgha wan show demo --json | jq '.pairs[] | {between, measured_us}'")]
pub(crate) struct Show {
    /// The cluster, `demo` or `demo-2` [default: that of this folder, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Do not measure: show what is asked for only
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// For how long, and what is told of it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ChangeArgs {
    /// Undo it after this time, such as 30s; the router does that, so this command may end before
    #[arg(long = "for", value_name = "TIME", value_parser = some_time, allow_hyphen_values = true)]
    pub(crate) for_: Option<Duration>,
    /// Do not measure whether the links are as asked now
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Print JSON: the state after the change
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
    Settings that are not named stay as they are."
)]
pub(crate) struct Set {
    /// Two sites, such as DC1 DC2; before them the cluster where there are several
    #[arg(value_name = "[NAME] SITE SITE", num_args = 1..=4, required = true)]
    pub(crate) sites: Vec<String>,
    /// Change packets from the first site to the second only
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
    /// Start from a preset, lan, metro, continental or global; settings beside it win
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
    /// Two sites, such as DC1 DC2; before them the cluster where there are several
    #[arg(value_name = "[NAME] SITE SITE", num_args = 1..=4, required = true)]
    pub(crate) sites: Vec<String>,
    /// Cut packets from the first site to the second only
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
    /// The site; before it the cluster where there are several
    #[arg(value_name = "[NAME] SITE", num_args = 1..=3, required = true)]
    pub(crate) sites: Vec<String>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// Arguments of `wan heal`.
#[derive(Debug, Args)]
#[command(
    override_usage = "pgha wan heal [OPTIONS] [NAME] [SITE] [SITE]",
    after_help = "Examples:\n  pgha wan heal               every cut of the only cluster\n  \
    pgha wan heal demo DC1      cuts of all links of a site\n  pgha wan heal DC1 DC2\n\n\
    Settings other than the cut stay as they are; `pgha wan reset` undoes all."
)]
pub(crate) struct Heal {
    /// None, one or two sites; before them the cluster where there are several
    #[arg(value_name = "[NAME] [SITE] [SITE]", num_args = 0..=3)]
    pub(crate) sites: Vec<String>,
    /// Every cut, as without sites
    #[arg(long)]
    pub(crate) all: bool,
    /// Do not measure whether the links are as asked now
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Print JSON: the state after the change
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
    /// None, one or two sites; before them the cluster where there are several
    #[arg(value_name = "[NAME] [SITE] [SITE]", num_args = 0..=3)]
    pub(crate) sites: Vec<String>,
    /// Do not measure whether the links are as asked now
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Print JSON: the state after the change
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `wan watch`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha wan watch demo\n  \
    pgha wan watch --json | jq -c '.links[] | select(.queue_full_per_s > 0)'\n\n\
    Ends with Ctrl-C.")]
pub(crate) struct Watch {
    /// The cluster, `demo` or `demo-2` [default: that of this folder, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Time between two looks, at least 200ms
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = some_time, allow_hyphen_values = true)]
    pub(crate) interval: Duration,
    /// Print a line of JSON each time
    #[arg(long)]
    pub(crate) json: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|e| format!("{e}, such as 40ms"))
}

fn some_time(text: &str) -> Result<Duration, String> {
    time(text).and_then(within_a_day)
}
