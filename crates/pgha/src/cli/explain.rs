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
        &["destroy", "delete", "drop", "clean", "uninstall", "purge"],
        "`pgha down` removes a cluster's containers, with `--volumes` its data too",
    ),
    (
        "",
        &["top", "info", "show", "health", "state", "describe", "get"],
        "`pgha status` shows a cluster",
    ),
    (
        "",
        &["join", "grow", "expand", "shrink", "resize", "add-node"],
        "`pgha add node DC2` adds a member, `pgha remove MEMBER` removes one, `pgha scale -c 3,2` does both",
    ),
    ("", &["monitor", "dashboard", "tui", "ui"], "`pgha watch` shows a cluster on a live screen"),
    ("", &["clusters"], "`pgha list` lists the clusters"),
    ("", &["help"], "`pgha --help`, `pgha up --help`"),
    ("", &["sql", "client", "console"], "`pgha psql` opens a session on the leader"),
    ("", &["url", "uri", "dsn", "conninfo"], "`pgha connect` prints connection strings"),
    (
        "",
        &["bash", "sh", "ssh", "enter", "attach"],
        "`pgha shell MEMBER` opens a shell in a member",
    ),
    (
        "",
        &["timeline", "timelines", "journal"],
        "`pgha events` shows what happened to a cluster, by time",
    ),
    (
        "",
        &["page", "dashboard", "ui", "serve", "http", "browser"],
        "`pgha web` serves a live page of a cluster",
    ),
    ("", &["prometheus", "grafana", "monitoring"], "`pgha export prometheus` writes the files"),
    ("", &["log", "tail"], "`pgha logs` shows the log of a member, or of all"),
    ("", &["edit-config", "show-config", "settings"], "`pgha config` shows and changes settings"),
    ("config", &["get", "list", "ls", "print"], "`pgha config show`"),
    ("config", &["reset", "remove", "delete", "rm"], "`pgha config unset demo work_mem`"),
    ("config", &["change", "apply", "patch"], "`pgha config set demo work_mem=64MB`"),
    ("config", &["save", "dump", "write"], "`pgha config export demo`"),
    (
        "",
        &["certificates", "cert", "ssl", "tls", "ca"],
        "`pgha certs` shows and replaces certificates",
    ),
    (
        "",
        &["password", "rotate", "chpasswd", "credentials"],
        "`pgha passwd` gives a user a new password",
    ),
    (
        "",
        &["report", "support", "collect", "diagnose"],
        "`pgha bundle` gathers what a bug report needs",
    ),
    ("", &["pgbench", "benchmark", "perf"], "`pgha bench` runs pgbench from each site"),
    ("", &["promote", "handover"], "`pgha switchover` moves the leader"),
    ("", &["reclone", "rebuild", "resync"], "`pgha reinit NODE` clones a replica again"),
    (
        "",
        &["check", "validate", "preflight"],
        "`pgha doctor` checks this machine, `pgha plan` a cluster",
    ),
    ("", &["dump", "snapshot", "basebackup"], "`pgha backup` makes a backup"),
    ("", &["recover", "pitr"], "`pgha restore` puts the cluster back, after a plan and a question"),
    (
        "",
        &["partition", "cut", "isolate", "latency", "network", "netem"],
        "`pgha wan` shows and changes the links between sites",
    ),
    (
        "",
        &["inject", "chaos", "crash", "freeze", "attack"],
        "`pgha fault inject` injects a fault, `pgha fault list` lists the kinds",
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
        "`pgha wan cut DC1 DC2` blocks a link, `pgha wan isolate DC1` all links of a site",
    ),
    (
        "wan",
        &["restore", "undo", "clear", "fix", "repair", "connect", "join"],
        "`pgha wan heal` undoes cuts, `pgha wan reset` every change",
    ),
];
/// Verbs that take something away. A slip is no reason to propose one.
const TAKE_AWAY: [&str; 5] = ["stop", "down", "rm", "restore", "remove"];
/// Verbs that pass arguments on to another program; what pgha does not know is for that.
const PASS_ON: [&str; 2] = ["psql", "exec"];

/// Reads the command line of this process, and its verb.
///
/// # Errors
/// When it is refused, or asks for help or the version.
pub(crate) fn parse() -> Result<(Cli, String), clap::Error> {
    let mut given: Vec<OsString> = std::env::args_os().collect();
    if given.get(1).is_some_and(|word| word == "version") {
        given[1] = "--version".into();
    }
    let parsed = Cli::try_parse_from(&given).or_else(|error| match passed_on(&error, &given) {
        Some(at) => {
            let with_dashes = [&given[..at], &["--".into()], &given[at..]].concat();
            Cli::try_parse_from(with_dashes)
        }
        None => Err(error),
    });
    let cli = parsed.map_err(|error| explained(error, given.get(1..).unwrap_or_default()))?;
    Ok((cli, command_of(&given[1..]).1))
}

/// Where what is for another program begins: at the word that was refused, unless it is like a flag of pgha's own.
fn passed_on(error: &clap::Error, given: &[OsString]) -> Option<usize> {
    let (_, verb) = command_of(given.get(1..)?);
    let slip = error.get(ContextKind::SuggestedArg).is_some();
    if error.kind() != ErrorKind::UnknownArgument || slip || !PASS_ON.contains(&&*verb) {
        return None;
    }
    let Some(ContextValue::String(refused)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let flag = |word: &OsString| word.to_string_lossy().starts_with('-');
    // The first word after the verb is the cluster's or the member's name.
    let mut after_verb = given.iter().enumerate().skip(2);
    let found = if refused.starts_with('-') {
        after_verb.find(|(_, word)| word.to_string_lossy().starts_with(refused.as_str()))
    } else {
        after_verb
            .filter(|(_, word)| !flag(word))
            .skip(1)
            .find(|(_, word)| *word == refused.as_str())
    };
    found.map(|(at, _)| at)
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
    if unknown {
        if !PASS_ON.contains(&&*verb) {
            // It would be the name of a cluster, which no flag is.
            error.remove(ContextKind::Suggested);
        }
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
