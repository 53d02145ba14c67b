//! What a lesson adds to a drill: questions that are answered before, and explained with what was measured; and pgha's own
//! verbs as steps.

use super::RunReport;

/// What stands for the cluster in the arguments of a verb.
pub const CLUSTER: &str = "{cluster}";

/// Verbs that a step may run.
const VERBS: [&str; 12] = [
    "backup",
    "backups",
    "config",
    "history",
    "pause",
    "psql",
    "restart",
    "restore",
    "restore-point",
    "resume",
    "switchover",
    "wan",
];

/// Options of `restore` that leave another cluster or container behind.
const ELSEWHERE: [&str; 3] = ["--into", "--node", "--from"];

/// A question, to be answered before what comes is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The question.
    pub text: String,
    /// What may be answered.
    pub choices: Vec<String>,
    /// Which of these is right, from 1.
    pub answer: usize,
    /// Why, with the names of `FIGURES` in braces.
    pub because: String,
}

impl Question {
    /// A question, if it can be one.
    pub(super) fn new(
        text: &str,
        choices: Option<Vec<String>>,
        answer: Option<usize>,
        because: Option<String>,
    ) -> Result<Self, String> {
        let choices = choices.unwrap_or_default();
        if !(2..=6).contains(&choices.len()) {
            return Err("`ask` wants `choices`: 2 to 6 of them".to_owned());
        }
        let answer = answer.filter(|answer| (1..=choices.len()).contains(answer));
        let answer = answer.ok_or_else(|| {
            format!(
                "`ask` wants an `answer`: the number of the right choice, 1 to {}",
                choices.len()
            )
        })?;
        let because = because.ok_or("`ask` wants a `because`: why that answer is right")?;
        let because = because.trim().to_owned();
        demand_figures(&because)?;
        Ok(Self { text: text.trim().to_owned(), choices, answer, because })
    }

    /// The choice of that number, from 1.
    pub fn choice(&self, number: usize) -> &str {
        number.checked_sub(1).and_then(|at| self.choices.get(at)).map_or("", String::as_str)
    }
}

/// Tells one figure of a run.
type Tell = fn(&RunReport) -> Option<String>;

/// What an explanation can name of the run.
const FIGURES: [(&str, Tell); 8] = [
    ("acknowledged", |run| Some(run.ok.to_string())),
    ("lost", |run| Some(run.lost?.to_string())),
    ("unknown", |run| Some(run.unknown.to_string())),
    ("outage", |run| Some(format!("{:.1} s", run.rto_s?))),
    ("whole", |run| Some(format!("{:.1} s", run.full_redundancy_s?))),
    ("two_writers", |run| Some(format!("{:.1} s", run.two_writers_s))),
    ("commit_before", |run| Some(format!("{:.1} ms", run.commits?.before_ms))),
    ("commit_meanwhile", |run| Some(format!("{:.1} ms", run.commits?.meanwhile_ms))),
];

fn demand_figures(text: &str) -> Result<(), String> {
    for piece in text.split('{').skip(1) {
        let name = piece.split_once('}').map(|(name, _)| name);
        let known = |name: &str| FIGURES.iter().any(|(known, _)| *known == name);
        if !name.is_some_and(known) {
            let all: Vec<String> = FIGURES.iter().map(|(name, _)| format!("{{{name}}}")).collect();
            let there = name.unwrap_or(piece);
            return Err(format!("`because` names `{{{there}}}`; there are {}", all.join(", ")));
        }
    }
    Ok(())
}

/// A text with the figures of a run in the place of their names; one that was not measured is called so.
pub fn explained(text: &str, run: &RunReport) -> String {
    FIGURES.iter().fold(text.to_owned(), |text, (name, tell)| {
        let figure = tell(run).unwrap_or_else(|| "(not measured)".to_owned());
        text.replace(&format!("{{{name}}}"), &figure)
    })
}

/// Fails unless a step may run that.
pub(super) fn demand_verb(arguments: &[String]) -> Result<(), String> {
    let verb = arguments.first().map_or("", String::as_str);
    if !VERBS.contains(&verb) {
        return Err(format!("`pgha` runs no `{verb}` in a drill; it runs {}", VERBS.join(", ")));
    }
    if !arguments.iter().any(|argument| argument == CLUSTER) {
        return Err(format!("`{CLUSTER}` is missing among the arguments of `{verb}`"));
    }
    let has =
        |option: &str| arguments.iter().any(|argument| argument.split('=').next() == Some(option));
    if verb == "restore" {
        if let Some(option) = ELSEWHERE.into_iter().find(|option| has(option)) {
            return Err(format!("`{option}` leaves something behind that no drill removes"));
        }
        if !has("--yes") && !has("-y") {
            return Err("`restore` asks, and nobody answers: `--yes` is missing".to_owned());
        }
    }
    Ok(())
}

/// Whether a verb puts other data in the place of the cluster's.
pub(super) fn replaces_data(arguments: &[String]) -> bool {
    arguments.first().is_some_and(|verb| verb == "restore")
}

/// The arguments with the name of the cluster.
pub fn arguments(given: &[String], cluster: &str) -> Vec<String> {
    given.iter().map(|argument| argument.replace(CLUSTER, cluster)).collect()
}
