//! The engine, through the `docker` command: another way to it than pgha's own.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::process::{Ran, run};

/// How long a call to the engine may take on a busy machine.
const DEADLINE_S: u64 = 120;

/// Runs `docker`.
pub(crate) fn try_docker(arguments: &[&str]) -> Ran {
    run(Command::new("docker").args(arguments), DEADLINE_S)
}

/// Runs `docker`, which must succeed, and gives its standard output.
pub(crate) fn docker(arguments: &[&str]) -> String {
    try_docker(arguments).ok().to_owned()
}

/// `docker inspect` of one object.
pub(crate) fn inspect(name: &str) -> Value {
    let text = docker(&["inspect", name]);
    let list: Value = serde_json::from_str(&text).expect("docker inspect prints JSON");
    list[0].clone()
}

/// Runs a command in a member, as `docker exec` does.
pub(crate) fn try_exec(member: &str, argv: &[&str]) -> Ran {
    try_docker(&[&["exec", member], argv].concat())
}

/// Runs a command in a member, which must succeed.
pub(crate) fn exec(member: &str, argv: &[&str]) -> String {
    try_exec(member, argv).ok().to_owned()
}

/// Runs SQL on the Postgres of a member.
pub(crate) fn try_sql(member: &str, sql: &str) -> Result<String, String> {
    let psql = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-c", sql];
    try_exec(member, &psql).result()
}

/// Runs SQL on the Postgres of a member, which must succeed.
pub(crate) fn sql(member: &str, sql: &str) -> String {
    try_sql(member, sql).unwrap_or_else(|e| panic!("{e}"))
}

/// How long four commits took on that member, in milliseconds, as psql measures it.
pub(crate) fn commits_ms(leader: &str) -> Vec<f64> {
    sql(leader, "create table if not exists commits (n int)");
    let insert = ["-c", "insert into commits values (1)"];
    let psql = ["psql", "-XAtq", "-U", "postgres", "-c", "\\timing on"];
    let printed = exec(leader, &[psql.as_slice(), &insert, &insert, &insert, &insert].concat());
    let took_ms: Vec<f64> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("Time: ")?.split_whitespace().next()?.parse().ok())
        .collect();
    assert_eq!(took_ms.len(), 4, "{printed}");
    took_ms
}

/// How many objects of one kind go with drills that were run in a folder.
pub(crate) fn of_drills_in(folder: &Path, kind: &str) -> usize {
    let format = "{{.Label \"pgha.drill\"}}";
    let mut argv = vec![kind, "ls", "--filter", "label=pgha.drill", "--format", format];
    if kind == "container" {
        argv.push("--all");
    }
    docker(&argv).lines().filter(|theirs| Path::new(theirs).starts_with(folder)).count()
}

/// Names of the objects of one kind (`container`, `network`, `volume`) with a label.
pub(crate) fn labelled(kind: &str, label: &str) -> Vec<String> {
    let format = if kind == "container" { "{{.Names}}" } else { "{{.Name}}" };
    let filter = format!("label={label}");
    let mut argv = vec![kind, "ls", "--filter", &filter, "--format", format];
    if kind == "container" {
        argv.push("--all");
    }
    let mut names: Vec<_> = docker(&argv).lines().map(str::to_owned).collect();
    names.sort();
    names
}
