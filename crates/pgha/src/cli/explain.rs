//! What is said of a command line that `clap` refuses: the whole usage of the verb that is meant, and for a
//! word that is no verb the one that does what the word says.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _, Parser as _};

use super::Cli;

/// Words for a verb from other programs, after which verb of pgha they may stand, and what to do instead.
const MEANT: &[(&str, &[&str], &str)] = &[
    (
        "",
        &["create", "new", "init", "initdb", "run", "launch", "deploy", "install"],
        "`pgha up` makes a cluster and starts it",
    ),
    (
        "",
        &["destroy", "delete", "remove", "rm", "drop", "clean", "uninstall", "purge"],
        "`pgha down` removes a cluster's containers, with `--volumes` its data too",
    ),
    (
        "",
        &["top", "info", "show", "health", "state", "watch", "describe", "get"],
        "`pgha status` shows a cluster",
    ),
    ("", &["ps", "ls", "clusters"], "`pgha list` lists the clusters"),
    ("", &["help"], "`pgha --help`, `pgha up --help`"),
    ("", &["version"], "`pgha --version`"),
    ("", &["sql", "client", "console"], "`pgha psql` opens a session on the leader"),
    ("", &["url", "uri", "dsn", "conninfo"], "`pgha connect` prints connection strings"),
    (
        "",
        &["shell", "bash", "sh", "ssh", "enter", "attach"],
        "`pgha exec MEMBER -- bash` opens a shell in a member",
    ),
    ("", &["log", "tail"], "`pgha logs MEMBER` shows a member's log"),
    (
        "",
        &[
            "failover",
            "switchover",
            "promote",
            "reinit",
            "patronictl",
            "edit-config",
            "pause",
            "resume",
        ],
        "`pgha exec NODE -- patronictl …` does that: patronictl --help lists its commands",
    ),
    (
        "",
        &["restart", "reload"],
        "`pgha stop`, then `pgha start`; one member: `docker restart MEMBER`",
    ),
    (
        "",
        &["check", "validate", "preflight"],
        "`pgha doctor` checks this machine, `pgha plan` a cluster",
    ),
    ("", &["dump", "snapshot", "basebackup", "pgbackrest"], "`pgha backup` makes a backup"),
    ("", &["recover", "pitr"], "`pgha restore` puts the cluster back, after a plan and a question"),
    (
        "",
        &["partition", "cut", "isolate", "heal", "latency", "network", "netem"],
        "`pgha wan` shows and changes the links between sites",
    ),
    ("wan", &["status", "list", "ls", "info", "measure", "ping"], "`pgha wan show`"),
    (
        "wan",
        &["latency", "delay", "loss", "change", "config"],
        "`pgha wan set DC1 DC2 --latency 40ms`",
    ),
    (
        "wan",
        &["partition", "block", "disconnect", "break"],
        "`pgha wan cut DC1 DC2` cuts a link, `pgha wan isolate DC1` all of a site",
    ),
    (
        "wan",
        &["restore", "undo", "clear", "fix", "repair", "connect", "join"],
        "`pgha wan heal` undoes cuts, `pgha wan reset` every change",
    ),
];
/// Verbs that take something away. A slip is no reason to propose one.
const TAKE_AWAY: [&str; 3] = ["stop", "down", "restore"];

/// Reads the command line of this process, and its verb.
///
/// # Errors
/// When it is refused, or asks for help or the version.
pub(crate) fn parse() -> Result<(Cli, String), clap::Error> {
    let given: Vec<OsString> = std::env::args_os().collect();
    let cli = Cli::try_parse_from(&given).map_err(|error| explained(error, &given[1..]))?;
    Ok((cli, command_of(&given[1..]).1))
}

fn explained(mut error: clap::Error, given: &[OsString]) -> clap::Error {
    let (mut command, verb) = command_of(given);
    if error.get(ContextKind::Usage).is_some() {
        let usage = command.render_usage();
        error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    }
    let word_of = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.clone()),
        _ => None,
    };
    let unknown = error.kind() == ErrorKind::UnknownArgument;
    if let Some(word) = word_of(ContextKind::InvalidArg).filter(|_| unknown) {
        explain_argument(&mut error, &verb, &word);
        return error;
    }
    let Some(word) = word_of(ContextKind::InvalidSubcommand) else { return error };
    let meant = MEANT.iter().find(|(after, words, _)| *after == verb && words.contains(&&*word));
    if let Some((_, _, tip)) = meant {
        error.remove(ContextKind::SuggestedSubcommand);
        let tips = ContextValue::StyledStrs(vec![(*tip).into()]);
        error.insert(ContextKind::Suggested, tips);
    } else if let Some(ContextValue::Strings(mut like)) =
        error.remove(ContextKind::SuggestedSubcommand)
    {
        like.retain(|like| {
            !TAKE_AWAY.contains(&like.as_str()) || like.chars().next() == word.chars().next()
        });
        if !like.is_empty() {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(like));
        }
    }
    error
}

/// A word or a flag that the verb does not take.
fn explain_argument(error: &mut clap::Error, verb: &str, word: &str) {
    let takes_arguments = ["psql", "exec"].contains(&verb);
    if !takes_arguments {
        // It would be the name of a cluster, which no flag is.
        error.remove(ContextKind::Suggested);
    }
    let made_from_flags = ["up", "generate", "plan"].contains(&verb);
    if made_from_flags && !word.starts_with('-') {
        let tip = format!("a new cluster is named by a flag: `pgha {verb} -n {word}`");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
}

/// The innermost command that is named, and the verb that it belongs to.
fn command_of(given: &[OsString]) -> (Command, String) {
    let mut command = Cli::command();
    command.build();
    let mut verb = String::new();
    for word in given.iter().take_while(|word| !word.to_string_lossy().starts_with('-')) {
        let Some(inner) = command.find_subcommand(word).cloned() else { break };
        if verb.is_empty() {
            inner.get_name().clone_into(&mut verb);
        }
        command = inner;
    }
    (command, verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_a_verb_already() {
        for (after, words, _) in MEANT {
            let mut command = Cli::command();
            if !after.is_empty() {
                command = command.find_subcommand(after).expect("a verb").clone();
            }
            for word in *words {
                assert!(command.find_subcommand(word).is_none(), "{after} {word}");
            }
        }
    }
}
