//! The command line through the real binary; Docker is not asked.

use std::process::{Command, Output, Stdio};

/// Every verb. A new one belongs here; `every_verb_is_tested_here` says so.
const VERBS: &[&str] = &[
    "plan",
    "generate",
    "build",
    "up",
    "stop",
    "start",
    "down",
    "list",
    "status",
    "add",
    "remove",
    "scale",
    "watch",
    "wan",
    "connect",
    "psql",
    "patronictl",
    "pgbackrest",
    "switchover",
    "failover",
    "restart",
    "reload",
    "reinit",
    "pause",
    "resume",
    "maintenance",
    "passwd",
    "certs",
    "history",
    "config",
    "kill",
    "pause-container",
    "fault",
    "heal",
    "repair",
    "drill",
    "learn",
    "prove",
    "load",
    "bench",
    "backup",
    "backups",
    "restore-point",
    "restore",
    "logs",
    "events",
    "metrics",
    "export",
    "web",
    "exec",
    "shell",
    "bundle",
    "doctor",
    "completions",
    "man",
];

/// Verbs that do nothing without an engine, with the arguments they need.
const DOCKER_VERBS: &[&[&str]] = &[
    &["add", "node", "demo", "DC2"],
    &["add", "etcd", "DC1", "--count", "2", "--dry-run"],
    &["add", "data-center", "-c", "2", "--json"],
    &["remove", "demo3-DC2", "--yes"],
    &["scale", "demo", "-c", "3,2", "-e", "2"],
    &["scale", "--resume"],
    &["switchover"],
    &["failover"],
    &["restart", "--rolling"],
    &["reload"],
    &["reinit", "demo2-DC1"],
    &["pause"],
    &["resume"],
    &["maintenance", "on", "demo"],
    &["passwd"],
    &["passwd", "demo", "app", "--dry-run", "--json"],
    &["certs", "show", "demo", "--json"],
    &["certs", "rotate", "--ca", "--days", "90", "--dry-run"],
    &["history"],
    &["config", "show"],
    &["config", "set", "demo", "work_mem=64MB"],
    &["config", "unset", "work_mem"],
    &["config", "edit", "demo"],
    &["config", "diff", "--exit-code"],
    &["config", "export"],
    &["build"],
    &["stop"],
    &["stop", "demo", "DC2"],
    &["stop", "demo1-DC1", "--dry-run", "--yes"],
    &["start"],
    &["start", "demo", "DC2"],
    &["down"],
    &["list"],
    &["status"],
    &["watch"],
    &["watch", "demo", "--once", "--json"],
    &["wan", "show"],
    &["wan", "set", "DC1", "DC2", "--latency", "40ms"],
    &["wan", "cut", "demo", "DC1", "DC2"],
    &["wan", "isolate", "DC1"],
    &["wan", "heal"],
    &["wan", "reset", "DC1"],
    &["wan", "watch"],
    &["connect"],
    &["connect", "demo", "--format", "jdbc", "-U", "app", "-d", "shop", "--site", "DC2"],
    &["connect", "--service"],
    &["psql"],
    &["psql", "demo", "--site", "DC2", "other", "-c", "select 1"],
    &["psql", "--node", "demo1-DC1"],
    &["psql", "demo", "-c", "select 1"],
    &["psql", "-Atc", "select 1"],
    &["psql", "demo", "--read-only", "other", "--", "-x"],
    &["patronictl", "demo", "list"],
    &["pgbackrest", "info", "--output=json"],
    &["kill", "DC1"],
    &["pause-container", "demo1-DC1"],
    &["fault", "inject", "kill", "leader"],
    &["fault", "show"],
    &["heal", "demo"],
    &["repair", "etcd"],
    &["repair", "etcd", "demo", "--abort", "--yes"],
    &["drill", "run", "leader-killed"],
    &["drill", "list", "demo"],
    &["learn", "quorum", "demo"],
    &["learn", "split-brain", "demo", "--yes", "--json"],
    &["prove", "demo"],
    &["load"],
    &["bench"],
    &["bench", "demo", "--from", "DC2", "--", "-c", "4"],
    &["backup"],
    &["backup", "verify", "demo"],
    &["backup", "list"],
    &["backup", "schedule", "0 1 * * 0 full"],
    &["backups"],
    &["restore-point", "demo", "before"],
    &["restore", "demo", "--latest", "--dry-run"],
    &["logs", "demo1-DC1"],
    &["logs", "--since", "10m"],
    &["events", "demo", "--since", "10m", "--json"],
    &["metrics", "demo"],
    &["export", "prometheus", "demo", "-o", "monitoring"],
    &["export", "proxysql", "demo", "--site", "DC2", "-o", "dc2.cnf"],
    &["web", "demo", "--json"],
    &["web", "--allow-changes", "--port", "7432", "--token-file", "token"],
    &["exec", "demo1-DC1", "--", "true"],
    &["exec", "demo1-DC1", "ls", "-l"],
    &["shell", "demo1-DC1"],
    &["up"],
    &["up", "demo-2"],
    &["ls"],
    &["ps"],
    &["rm", "demo"],
    &["status", "demo", "--watch"],
];

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgha"));
    command.args(arguments).env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    command
}

fn pgha(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is text")
}

#[test]
fn every_verb_is_tested_here() {
    let help = stdout(&pgha(&["--help"]));
    let listed = help.split("Commands:").nth(1).expect("the help lists the verbs");
    let listed: Vec<&str> = listed
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(listed, VERBS);
}

#[test]
fn the_help_of_every_verb_has_an_example() {
    for verb in VERBS {
        for help in [pgha(&[verb, "--help"]), pgha(&[verb, "-h"])] {
            assert!(help.status.success(), "{verb}: {}", stderr(&help));
            let help = stdout(&help);
            let examples = help.split("Example").nth(1).unwrap_or_default();
            assert!(examples.contains(&format!("pgha {verb}")), "{verb} has no example:\n{help}");
        }
    }
    let help = stdout(&pgha(&["--help"]));
    assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
}

#[test]
fn the_version_is_told() {
    let version = pgha(&["--version"]);
    assert_eq!(stdout(&version), format!("pgha {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(stdout(&pgha(&["version"])), stdout(&version));
}

#[test]
fn what_is_mistyped_is_suggested() {
    for (typed, meant) in [
        (["connect", "--no-pasword"].as_slice(), "--no-password"),
        (&["psql", "--readonly"], "--read-only"),
        (&["logs", "demo1", "--folow"], "--follow"),
        (&["doctor", "--jsn"], "--json"),
        (&["down", "--volume"], "--volumes"),
        (&["conect"], "connect"),
        (&["completions", "bassh"], "bash"),
    ] {
        let output = pgha(typed);
        assert_eq!(output.status.code(), Some(2), "{typed:?}");
        let said = stderr(&output);
        assert!(said.contains("error:") && said.contains(&format!("'{meant}'")), "{said}");
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn what_is_missing_or_senseless_is_bad_input() {
    for arguments in [
        [].as_slice(),
        &["exec", "demo1-DC1"],
        &["exec", "demo1-DC1", "--"],
        &["patronictl"],
        &["logs", "--since", "noon"],
        &["up", "demo", "-n", "shop"],
        &["up", "demo-0"],
        &["status", "--watch", "--json"],
        &["logs", "demo1-DC1", "--tail", "some"],
        &["logs", "demo1-DC1", "--tail", "-1"],
        &["psql", "demo", "--readonly"],
        &["completions"],
    ] {
        let output = pgha(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!stderr(&output).is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_drill_step_by_step_is_refused_without_a_terminal_and_before_the_engine_is_asked() {
    let output = pgha(&["drill", "run", "leader-killed", "demo", "--step"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("is not a terminal") && said.contains("hint: leave --step out"),
        "{said}"
    );
    let output = pgha(&["drill", "run", "leader-killed", "--step", "--dry-run"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn a_drill_that_expects_an_alert_is_refused_without_prometheus_and_before_the_engine_is_asked() {
    let nothing = tempfile::tempdir().expect("a temporary folder");
    let mut command = command(&["drill", "run", "majority-lost-alert", "demo"]);
    let output = command.env("PATH", nothing.path()).output().expect("the binary runs");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("no `prometheus` on PATH") && said.contains("hint: install"), "{said}");
    assert!(!said.contains("docker.sock"), "{said}");
}

#[test]
fn lessons_are_listed_planned_and_shown_without_an_engine() {
    let listed = stdout(&pgha(&["learn"]));
    for lesson in ["quorum", "async-loses-writes", "table-dropped", "failsafe"] {
        assert!(listed.contains(lesson), "{listed}");
        let planned = pgha(&["learn", lesson, "--dry-run"]);
        assert_eq!(planned.status.code(), Some(0), "{}", stderr(&planned));
        assert!(stdout(&planned).contains("Expected with"), "{}", stdout(&planned));
        let shown = pgha(&["drill", "show", lesson]);
        assert!(stdout(&shown).contains("[[step]]\nask = "), "{}", stdout(&shown));
    }
    // The cluster that a lesson is written for can be another one.
    let other =
        ["drill", "run", "failover", "--fresh", "-d", "2", "--durability", "sync", "--dry-run"];
    let planned = stdout(&pgha(&other));
    assert!(planned.contains("Expected with sync, timers 30/10/10"), "{planned}");
    for (arguments, code, said) in [
        (["learn", "quorums"].as_slice(), 2, "there is no lesson `quorums`"),
        (&["learn", "--yes"], 2, "LESSON"),
        (
            &["drill", "run", "failsafe", "--fresh", "-d", "2", "--dry-run"],
            2,
            "wants failsafe_mode",
        ),
    ] {
        let output = pgha(arguments);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(said), "{arguments:?}: {told}");
    }
}

#[test]
fn a_drill_on_a_cluster_of_its_own_is_planned_without_an_engine_and_writes_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let drill = |arguments: &[&str]| {
        let arguments = [&["drill", "run", "site-lost"], arguments].concat();
        command(&arguments).current_dir(folder.path()).output().expect("the binary runs")
    };
    let flags = ["-d", "2", "-c", "2", "--durability", "quorum", "--timers", "fast"];
    let output = drill(&[&["--fresh", "--dry-run"], flags.as_slice()].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let planned = stdout(&output);
    assert!(planned.contains("Expected with quorum, timers 20/5/5"), "{planned}");
    for (arguments, code, said) in [
        (["--fresh", "--dry-run"].as_slice(), 2, "it wants 2 data centers"),
        (&["-d", "2"], 2, "--fresh makes one"),
        (&["demo", "--fresh"], 2, "--fresh"),
        (&["--fresh", "-d", "0"], 2, "invalid cluster configuration"),
        (&["--fresh", "-d", "2"], 3, "/nonexistent/docker.sock"),
        (&["--compare", "async", "-d", "2"], 2, "two or more values of one setting"),
        (&["--compare", "async,fast", "-d", "2"], 2, "two or more values of one setting"),
        (&["--compare", "async,fats", "-d", "2"], 2, "unknown value"),
        (&["demo", "--compare", "async,quorum"], 2, "--compare"),
    ] {
        let output = drill(arguments);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
        assert!(told.contains(said), "{arguments:?}: {told}");
    }
    let compared = ["--compare", "async,quorum", "--dry-run", "-d", "2", "-c", "2"];
    let output = drill(&compared);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let planned = stdout(&output);
    assert!(planned.contains("with async") && planned.contains("with quorum"), "{planned}");
    let left = std::fs::read_dir(folder.path()).expect("the folder is there").count();
    assert_eq!(left, 0, "a drill that made no cluster left files behind");

    let file = "data_centers = 3\ndurability = \"strict\"\n[backup.repo2]\ntype = \"posix\"\npath = \"/srv/other\"\n";
    std::fs::write(folder.path().join("cluster.toml"), file).expect("a file");
    let output = drill(&["--fresh", "--dry-run"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("Expected with strict"), "{}", stdout(&output));
    let told = stderr(&output);
    assert!(told.contains("./cluster.toml") && told.contains("repository is left out"), "{told}");
}

#[test]
fn bad_settings_of_a_link_are_refused_before_the_engine_is_asked() {
    for (flag, value, said) in [
        ("--latency", "40", "it has no unit, such as 40ms"),
        ("--latency", "-1ms", "negative"),
        ("--jitter", "fast", "no length of time"),
        ("--loss", "101%", "0% to 100%"),
        ("--loss", "-1%", "0% to 100%"),
        ("--loss", "5", "such as 0.5%"),
        ("--burst", "-3", "not in 0.."),
        ("--duplicate", "1e3%", "0% to 100%"),
        ("--rate", "0mbit", "such as 100mbit"),
        ("--rate", "-1mbit", "such as 100mbit"),
        ("--queue", "much", "such as 256kb"),
        ("--mtu", "70000", "65535"),
        ("--distribution", "gamma", "none, uniform, normal, pareto"),
        ("--preset", "moon", "lan, metro, continental, global"),
        ("--for", "0s", "some time"),
        ("--for", "2000h", "24 h"),
    ] {
        let output = pgha(&["wan", "set", "DC1", "DC2", flag, value]);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{flag} {value}: {told}");
        assert!(told.contains(said), "{flag} {value}: {told}");
    }
    for (arguments, said) in [
        (["set", "DC1", "DC2"].as_slice(), "--latency 40ms"),
        (&["set", "DC1", "--latency", "1ms"], "`pgha wan set DC1 DC2`"),
        (&["cut", "DC1"], "`pgha wan cut DC1 DC2`"),
        (&["cut", "demo", "DC1"], "`pgha wan isolate demo DC1` cuts all links of DC1"),
        (&["cut", "demo"], "no site is named"),
        (&["cut", "DC1", "DC2", "DC3"], "a link is between two"),
        (&["isolate", "demo"], "`pgha wan isolate demo DC1`"),
        (&["isolate"], "SITE"),
        (&["heal", "DC1", "DC2", "DC3"], "between two"),
        (&["heal", "DC1", "--all"], "leave one of them out"),
        (&["show", "demo", "DC1"], "unexpected argument"),
    ] {
        let output = pgha(&[&["wan"], arguments].concat());
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(said), "{arguments:?}: {told}");
    }
}

#[test]
fn the_help_of_every_verb_of_wan_has_an_example() {
    for verb in ["show", "set", "cut", "isolate", "heal", "reset", "watch"] {
        let help = stdout(&pgha(&["wan", verb, "--help"]));
        assert!(help.contains(&format!("pgha wan {verb}")), "{verb} has no example:\n{help}");
    }
}

#[test]
fn the_help_of_every_verb_of_config_has_an_example() {
    for verb in ["show", "set", "unset", "edit", "diff", "export"] {
        let help = stdout(&pgha(&["config", verb, "--help"]));
        assert!(help.contains(&format!("pgha config {verb}")), "{verb} has no example:\n{help}");
    }
    let said = stderr(&pgha(&["config", "get"]));
    assert!(said.contains("pgha config show"), "{said}");
}

#[test]
fn without_an_engine_every_verb_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for arguments in DOCKER_VERBS {
        let output = command(arguments).current_dir(folder.path()).output().expect("it runs");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{arguments:?}: {said}");
        assert!(said.starts_with("error: ") && said.contains("\nhint: "), "{arguments:?}: {said}");
        assert!(said.contains("/nonexistent/docker.sock"), "{arguments:?}: {said}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
    }
    let left = std::fs::read_dir(folder.path()).expect("the folder is there").count();
    assert_eq!(left, 0, "a verb that failed left files behind");
}

#[test]
fn an_engine_elsewhere_is_refused() {
    let output = command(&["list"]).env("DOCKER_HOST", "tcp://db:2376").output().expect("it runs");
    assert_eq!(output.status.code(), Some(3));
    let said = stderr(&output);
    assert!(said.contains("tcp://db:2376") && said.contains("hint:"), "{said}");
}

#[test]
fn a_bundle_is_made_without_an_engine_and_over_no_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bundle = || {
        let mut command = command(&["bundle", "-o", "b.tar.gz"]);
        command.current_dir(folder.path()).output().expect("it runs")
    };
    let made = bundle();
    assert_eq!((made.status.code(), stdout(&made).as_str()), (Some(0), "b.tar.gz\n"));
    assert!(stderr(&made).contains("missing.txt"), "{}", stderr(&made));
    let archive = folder.path().join("b.tar.gz");
    let permissions = std::fs::metadata(&archive).expect("it is there").permissions();
    assert_eq!(permissions.mode() & 0o777, 0o600);
    let again = bundle();
    assert_eq!(again.status.code(), Some(2), "{}", stderr(&again));
}

#[test]
fn the_doctor_goes_on_without_an_engine() {
    let output = pgha(&["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["ok"], false);
    let checks = report["checks"].as_array().expect("a list");
    let engine = checks.iter().find(|c| c["name"] == "engine").expect("the engine is looked at");
    assert_eq!(engine["state"], "failed");
    assert!(engine["hint"].is_string(), "{engine}");
    for name in ["compose", "memory", "ports", "user", "docker", "psql", "cargo"] {
        assert!(checks.iter().any(|c| c["name"] == name), "{name} is not looked at");
    }
    for check in checks {
        let state = check["state"].as_str().expect("a state is text");
        assert!(["ok", "info", "warning", "failed"].contains(&state), "{check}");
        let hinted = ["warning", "failed"].contains(&state);
        assert_eq!(check["hint"].is_string(), hinted, "{check}");
    }

    let shown = pgha(&["doctor"]);
    assert_eq!(shown.status.code(), Some(3));
    assert!(stdout(&shown).contains("failed   engine"), "{}", stdout(&shown));
    assert!(!stdout(&shown).contains('\u{1b}'), "colours without a terminal");
}

fn completions(shell: &str) -> String {
    let output = pgha(&["completions", shell]);
    assert!(output.status.success(), "{shell}: {}", stderr(&output));
    stdout(&output)
}

#[test]
fn completions_know_every_verb() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = completions(shell);
        for verb in VERBS {
            assert!(script.contains(verb), "{shell} does not know {verb}");
        }
    }
}

#[test]
fn bash_takes_its_completions() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("pgha");
    std::fs::write(&script, completions("bash")).expect("the folder is ours");
    let checked = Command::new("bash").arg("-n").arg(&script).output().expect("bash runs");
    assert!(checked.status.success(), "{}", stderr(&checked));

    let ask = "source \"$1\"; COMP_WORDS=(pgha connect --no); COMP_CWORD=2; \
        _pgha pgha --no connect; echo \"${COMPREPLY[*]}\"";
    let asked = Command::new("bash").args(["-c", ask, "bash"]).arg(&script).output();
    assert_eq!(stdout(&asked.expect("bash runs")).trim(), "--no-password");
}

#[test]
fn there_is_a_man_page_for_every_verb() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pages = folder.path().join("share/man1");
    let output = pgha(&["man", pages.to_str().expect("text")]);
    assert!(output.status.success(), "{}", stderr(&output));
    let page = |name: &str| {
        std::fs::read_to_string(pages.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    };
    for verb in VERBS {
        let text = page(&format!("pgha-{verb}.1"));
        assert!(text.contains(".SH SYNOPSIS") && text.contains("Example"), "{verb}: {text}");
    }
    assert!(page("pgha.1").contains("Exit codes"));
}

#[test]
fn man_pages_do_not_go_into_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("page");
    std::fs::write(&file, "mine").expect("the folder is ours");
    let output = pgha(&["man", file.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(&file).ok().as_deref(), Some("mine"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", stderr(&output));
}

#[test]
fn a_target_that_cannot_be_meant_is_refused_before_the_engine_is_asked() {
    for (arguments, part) in [
        (["restore", "--time", "noon"].as_slice(), "is not a usable time"),
        (&["restore", "--time", "2026-11-23 10:00:00"], "names no time zone"),
        (&["restore", "--lsn", "12"], "is no position"),
        (&["restore", "--xid", "one"], "is no number of a transaction"),
        (&["restore", "--latest", "--xid", "745"], "--latest and --xid are two"),
        (&["restore", "--latest", "--exclusive"], "--exclusive goes with"),
        (&["restore", "--latest", "--timeline", "0"], "counted from 1"),
        (&["restore", "--abort", "--latest"], "cannot be used with"),
        (&["restore", "--latest", "--node", "a/b"], "a number, or a word"),
    ] {
        let output = pgha(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(part), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_repository_that_cannot_be_meant_is_refused_before_the_engine_is_asked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "\n").expect("the folder is ours");
    let empty = empty.to_str().expect("text");
    let here = folder.path().to_str().expect("text");
    let s3 = "s3://shop?endpoint=localhost&region=r";
    for (arguments, part) in [
        (["--from", here].as_slice(), "--into"),
        (&["demo", "--from", here, "--into", "new"], "cannot be used with"),
        (&["--key", empty, "--into", "new"], "--from"),
        (&["--from", here, "--into", "new", "--repo", "2"], "cannot be used with"),
        (&["--from", here, "--into", "new"], "--latest"),
        (&["--from", "posix", "--into", "new", "--latest"], "names no folder"),
        (&["--from", "/no/such/folder", "--into", "new", "--latest"], "there is no folder"),
        (&["--from", "s3://shop?region=r", "--into", "new", "--latest"], "names no endpoint"),
        (&["--from", s3, "--into", "new", "--latest"], "wants credentials"),
        (&["--from", here, "--key", empty, "--into", "new", "--latest"], "has no key"),
        (&["--from", here, "--key", "/no/key", "--into", "new", "--latest"], "cannot read key"),
        (&["--from", here, "--s3-key", empty, "--into", "new", "--latest"], "has no access key"),
    ] {
        let arguments = [&["restore"], arguments].concat();
        let output = pgha(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(part), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn bad_input_about_backups_is_refused_before_the_engine_is_asked() {
    for (arguments, part) in [
        (["backup", "--type", "whole"].as_slice(), "none of: full, diff, incr"),
        (&["backup", "--annotate", "note"], "a key and a value"),
        (&["backup", "--repo", "3"], "1..=2"),
        (&["backup", "schedule", "60 1 * * * full"], "minute is `60`"),
        (&["backup", "schedule", "0 1 * * 0 full", "--clear"], "leave one of them out"),
        (&["restore-point", ""], "1 to 63 bytes"),
        (&["up", "--repo2", "tape"], "posix:PATH"),
    ] {
        let output = pgha(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(part), "{arguments:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn words_of_other_programs_lead_to_the_verb_that_is_meant() {
    for (typed, verb) in [
        ("create", "pgha up"),
        ("init", "pgha up"),
        ("destroy", "pgha down"),
        ("delete", "pgha down"),
        ("top", "pgha status"),
        ("info", "pgha status"),
        ("bash", "pgha shell MEMBER"),
        ("sql", "pgha psql"),
        ("log", "pgha logs"),
        ("promote", "pgha switchover"),
        ("edit-config", "pgha config"),
        ("check", "pgha doctor"),
        ("help", "pgha --help"),
        ("partition", "pgha wan"),
    ] {
        let output = pgha(&[typed, "demo"]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{typed}: {said}");
        assert!(said.contains("tip: ") && said.contains(verb), "{typed}: {said}");
        assert!(!said.contains("similar"), "{typed}: {said}");
    }
    for (typed, verb) in
        [("status", "pgha wan show"), ("delay", "pgha wan set"), ("undo", "pgha wan heal")]
    {
        let said = stderr(&pgha(&["wan", typed]));
        assert!(said.contains(verb), "{typed}: {said}");
    }
}

#[test]
fn no_slip_is_answered_with_a_verb_that_takes_something_away() {
    for typed in ["restroy", "hop", "flop", "town", "own", "drestore", "crop", "é", ""] {
        let said = stderr(&pgha(&[typed]));
        for verb in ["'stop'", "'down'", "'restore'"] {
            let similar = verb.get(1..2) == typed.get(..1);
            assert!(similar || !said.contains(verb), "{typed}: {said}");
        }
    }
    assert!(stderr(&pgha(&["stpo"])).contains("'stop'"), "one's own slip is still understood");
}

#[test]
fn a_refused_command_line_shows_the_usage_of_its_verb() {
    for (arguments, usage, why) in [
        (["up", "-d", "two"].as_slice(), "", "a whole number"),
        (&["up", "-d", "-1"], "", "a whole number"),
        (&["up", "--datacenters", "2"], "Usage: pgha up [OPTIONS] [NAME]", "--data-centers"),
        (&["up", "demo", "two"], "Usage: pgha up [OPTIONS] [NAME]", "two"),
        (&["up", "--timeout", "5m"], "", "a number of seconds"),
        (&["plan", "-d"], "", "a value is required"),
        (&["down", "demo", "--force"], "Usage: pgha down [OPTIONS] [NAME]", "--force"),
        (&["status", "demo", "demo2"], "Usage: pgha status [OPTIONS] [NAME]", "demo2"),
        (
            &["psql", "demo", "--readonly"],
            "Usage: pgha psql [OPTIONS] [NAME] [PSQL ARGUMENTS]...",
            "--read-only",
        ),
        (&["logs", "--all"], "Usage: pgha logs [OPTIONS] [NAME|MEMBER]", "--all"),
        (&["exec", "bash"], "Usage: pgha exec <MEMBER> <COMMAND>...", "COMMAND"),
        (
            &["wan", "cut", "--one-way", "--x"],
            "Usage: pgha wan cut [OPTIONS] [NAME] <SITE> <SITE>",
            "--x",
        ),
        (&["backup", "check", "--full"], "Usage: pgha backup check [OPTIONS] [NAME]", "--full"),
        (&["up", "--durability", "synchronous"], "", "async, sync, strict, quorum"),
        (&["up", "--timers", "slow"], "", "default, fast, norm, safe, wide"),
    ] {
        let output = pgha(arguments);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(usage) && said.contains(why), "{arguments:?}: {said}");
        let passed_on = arguments[0] == "psql";
        assert_eq!(said.contains("as a value"), passed_on, "{arguments:?}: {said}");
    }
}
