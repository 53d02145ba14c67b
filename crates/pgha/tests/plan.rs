//! `pgha plan` through the real binary; Docker is not asked.

#[path = "cluster/consoles.rs"]
mod consoles;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn pgha(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pgha"))
        .args(arguments)
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        .output()
        .expect("the binary runs")
}

fn plan(arguments: &[&str]) -> Output {
    pgha(&[&["plan"], arguments].concat())
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is text")
}

/// The JSON of a plan, and whether it is one without errors.
fn json(arguments: &[&str]) -> (Value, Option<i32>) {
    let output = plan(&[arguments, &["--json"]].concat());
    let value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}{}", stdout(&output), stderr(&output)));
    (value, output.status.code())
}

fn codes(plan: &Value) -> Vec<&str> {
    let findings = plan["findings"].as_array().expect("findings are a list");
    findings.iter().map(|f| f["code"].as_str().expect("a code is text")).collect()
}

fn file(dir: &Path, text: &str) -> String {
    let path = dir.join("cluster.toml");
    std::fs::write(&path, text).expect("the folder is ours");
    path.to_str().expect("the path is text").to_owned()
}

#[test]
fn data_centers_differ_by_flags_and_by_the_file() {
    let (flags, code) = json(&["-c", "3,1", "-e", "2,1", "--durability", "quorum"]);
    assert_eq!(code, Some(0));
    let sites = |key: &str| -> Vec<u64> {
        let sites = flags["sites"].as_array().expect("sites are a list").iter();
        sites.filter_map(|site| site[key].as_u64()).collect()
    };
    assert_eq!(sites("postgres"), [3, 1, 0]);
    assert_eq!(sites("etcd"), [2, 1, 2]);
    assert_eq!(sites("acknowledging_standbys"), [3, 1]);

    let dir = tempfile::tempdir().expect("a folder");
    let text = "external = false\n[[data_center]]\n[[data_center]]\nrole = \"standby\"\n";
    let (document, code) = json(&["-f", &file(dir.path(), text)]);
    assert_eq!((code, document["sites"].as_array().map(Vec::len)), (Some(0), Some(2)));
    assert_eq!(document["sites"][1]["role"], "standby");
    assert!(codes(&document).contains(&"data_center_single_point_of_failure"), "{document}");

    let refused = plan(&["-d", "3", "-c", "3,1"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("-c 3,1 and -d 3 do not fit together"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn variants_of_one_setting_are_compared() {
    let output = plan(&["-d", "2", "--compare", "async,quorum"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        text.contains("async") && text.contains("quorum") && text.contains("node loss"),
        "{text}"
    );
    for bad in ["async", "async,fast", "async,fats"] {
        assert_eq!(plan(&["--compare", bad]).status.code(), Some(2), "{bad}");
    }
}

#[test]
fn the_json_has_the_documented_fields() {
    let (plan, code) = json(&["-d", "2", "-c", "2"]);
    assert_eq!(code, Some(0));
    assert_eq!(plan["cluster"], "demo");
    assert_eq!(plan["etcd"]["total"], 3);
    assert_eq!(plan["etcd"]["quorum"], 2);
    assert_eq!(plan["etcd"]["external"], 1);
    assert_eq!(
        plan["sites"][0],
        serde_json::json!({
            "name": "DC1", "kind": "data_center", "role": "primary", "priority": null, "tags": {},
            "acknowledging_standbys": 0, "etcd": 1, "postgres": 2
        })
    );
    assert_eq!(plan["sites"][2]["kind"], "external");
    assert_eq!(plan["sites"][2]["postgres"], 0);
    assert_eq!(
        plan["survival"][0],
        serde_json::json!({
            "lost": ["DC1"], "quorum": true, "promotable": true, "acknowledged_loss": true,
            "writes_go_on": true, "writes_go_on_failsafe": true
        })
    );
    assert_eq!(plan["survival"].as_array().map(Vec::len), Some(7));
    for finding in plan["findings"].as_array().expect("findings are a list") {
        for field in ["severity", "code", "message", "hint"] {
            assert!(finding[field].is_string(), "{field} of {finding}");
        }
    }
}

#[test]
fn numbers_of_which_no_cluster_can_be_made_are_bad_input() {
    for (flag, number, finding) in [
        ("-d", "0", "no_data_center"),
        ("-d", "4294967295", "too_many_data_centers"),
        ("-c", "0", "too_few_nodes"),
        ("-c", "1", "too_few_nodes"),
        ("-c", "4294967295", "too_many_nodes_per_site"),
        ("-e", "0", "no_etcd"),
        ("-e", "4294967295", "too_many_etcd_per_site"),
        ("-m", "0", "none_must_suffice"),
        ("-m", "4294967295", "more_must_suffice_than_exist"),
        ("-v", "9", "postgres_unsupported"),
    ] {
        let (plan, code) = json(&[flag, number]);
        assert_eq!(code, Some(2), "{flag} {number}");
        assert_eq!(codes(&plan)[0], finding, "{flag} {number}");
        assert_eq!(plan["findings"][0]["severity"], "error");
        assert_eq!(plan["survival"], serde_json::json!([]));
        assert_eq!(plan["sites"], serde_json::json!([]));
    }
}

#[test]
fn what_is_no_number_is_bad_input_and_names_the_flag() {
    for flag in ["-d", "-c", "-e", "-m", "-v"] {
        for number in ["-1", "4294967296", "99999999999999999999999", "two", "1.5", ""] {
            let output = plan(&[&format!("{flag}{number}"), "--json"]);
            assert_eq!(output.status.code(), Some(2), "{flag}{number}");
            assert!(stdout(&output).is_empty(), "{flag}{number}");
            assert!(stderr(&output).starts_with("error:"), "{}", stderr(&output));
        }
    }
}

#[test]
fn all_findings_are_shown_at_once() {
    let bad = ["-d", "0", "-c", "0", "-e", "0", "-m", "0", "-n", "Demo", "-v", "8"];
    let (plan_json, code) = json(&bad);
    assert_eq!(code, Some(2));
    assert_eq!(codes(&plan_json).len(), 6, "{plan_json}");

    let output = plan(&bad);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output), "");
    let talk = stderr(&output);
    assert_eq!(talk.lines().filter(|l| l.starts_with("error:")).count(), 7, "{talk}");
    assert_eq!(talk.lines().filter(|l| l.trim_start().starts_with("hint:")).count(), 6, "{talk}");
}

#[test]
fn a_name_with_capitals_is_refused_with_a_hint() {
    let output = plan(&["-n", "Demo"]);
    assert_eq!(output.status.code(), Some(2));
    let talk = stderr(&output);
    assert!(talk.contains("\"Demo\"") && talk.contains("hint:"), "{talk}");
}

#[test]
fn a_name_that_collides_with_members_of_every_cluster_is_refused() {
    let (plan, code) = json(&["-n", "etcd"]);
    assert_eq!((codes(&plan)[0], code), ("name_reserved", Some(2)));
}

#[test]
fn a_file_that_cannot_be_read_as_a_cluster_is_bad_input() {
    let dir = tempfile::tempdir().expect("a folder");
    for (text, told) in [
        ("data_centers = = 2\n", "line 1"),
        ("name = \"demo\"\ndatacenters = 2\n", "datacenters"),
        ("data_centers = -1\n", "line 1"),
        ("data_centers = 4294967296\n", "line 1"),
        ("data_centers = \"two\"\n", "line 1"),
        ("durability = \"always\"\n", "always"),
        ("version = 2\n", "version"),
        ("[[link]]\nbetween = [\"DC1\"]\nlatency = \"1ms\"\n", "DC1"),
        ("[[link]]\nbetween = [\"DC1\", \"DC2\"]\nlatency = \"40\"\n", "40"),
    ] {
        let output = plan(&["-f", &file(dir.path(), text)]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        let talk = stderr(&output);
        assert!(talk.starts_with("error:") && talk.contains(told), "{text}: {talk}");
        assert_eq!(stdout(&output), "");
    }
    let bytes = dir.path().join("binary.toml");
    std::fs::write(&bytes, [0xff, 0xfe, 0]).expect("the folder is ours");
    for path in [bytes.as_path(), dir.path(), &dir.path().join("absent.toml")] {
        let output = plan(&["-f", path.to_str().expect("the path is text")]);
        assert_eq!(output.status.code(), Some(2), "{}", path.display());
        assert!(stderr(&output).starts_with("error:"), "{}", stderr(&output));
    }
}

#[test]
fn flags_win_over_the_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = file(dir.path(), "name = \"filed\"\ndata_centers = 3\nnodes = 4\n");
    let (plan, _) = json(&["-f", &path, "-d", "2"]);
    assert_eq!(plan["cluster"], "filed");
    assert_eq!(plan["sites"].as_array().map(Vec::len), Some(3));
    assert_eq!(plan["sites"][0]["postgres"], 4);
}

#[test]
fn links_of_the_file_decide_timers_and_are_checked() {
    let dir = tempfile::tempdir().expect("a folder");
    let link = |to: &str, latency: &str| {
        format!(
            "data_centers = 2\n[[link]]\nbetween = [\"DC1\", \"{to}\"]\nlatency = \"{latency}\"\n"
        )
    };
    let (plan, code) = json(&["-f", &file(dir.path(), &link("DC2", "60ms"))]);
    assert_eq!(code, Some(0));
    assert_eq!(plan["etcd"]["election_ms"], 2000);
    assert!(codes(&plan).contains(&"timers_too_tight"));
    let (plan, code) = json(&["-f", &file(dir.path(), &link("DC9", "60ms"))]);
    assert_eq!((codes(&plan)[0], code), ("link_unknown_site", Some(2)));
    let (plan, code) = json(&["-f", &file(dir.path(), &link("DC2", "999999999h"))]);
    assert_eq!((codes(&plan)[0], code), ("link_latency_absurd", Some(2)));
}

#[test]
fn an_unknown_flag_or_choice_is_bad_input() {
    for arguments in [&["--frobnicate"][..], &["--durability", "always"], &["extra", "more"]] {
        let output = plan(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).starts_with("error:"), "{}", stderr(&output));
    }
}

#[test]
fn the_documented_classic_examples_have_their_totals() {
    let (one, code) = json(&["-d1", "-c2", "-e1", "--placement", "classic"]);
    assert_eq!(code, Some(0));
    assert_eq!(one["etcd"]["total"], 5);
    assert_eq!(one["etcd"]["quorum"], 3);
    assert_eq!(one["etcd"]["external"], 4);
    let (three, code) = json(&["-d3", "-c2", "-e2", "--placement", "classic"]);
    assert_eq!(code, Some(0));
    assert_eq!(three["etcd"]["total"], 9);
    assert_eq!(three["etcd"]["quorum"], 5);
    assert_eq!(three["etcd"]["external"], 3);
    assert!(codes(&three).contains(&"etcd_many"));
}

#[test]
fn the_survival_table_shows_the_difference_durability_makes() {
    for (durability, loss) in
        [("async", true), ("sync", false), ("strict", false), ("quorum", false)]
    {
        let (plan, _) = json(&["-d", "2", "--durability", durability]);
        assert_eq!(plan["survival"][0]["acknowledged_loss"], loss, "{durability}");
    }
}

#[test]
fn twelve_data_centers_are_planned_with_every_set() {
    let (plan, code) = json(&["-d", "12", "-c", "4", "--durability", "quorum"]);
    assert_eq!(code, Some(0));
    assert_eq!(plan["survival"].as_array().map(Vec::len), Some(8191));
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb"), ("LC_ALL", "C")] {
        let output = Command::new(env!("CARGO_BIN_EXE_pgha"))
            .args(["plan", "-d", "2"])
            .env(name, value)
            .output()
            .expect("the binary runs");
        assert!(!stdout(&output).contains('\u{1b}'), "{name}");
        assert!(!stderr(&output).contains('\u{1b}'), "{name}");
    }
    let forced = Command::new(env!("CARGO_BIN_EXE_pgha"))
        .args(["plan", "-d", "2"])
        .env("CLICOLOR_FORCE", "1")
        .env_remove("NO_COLOR")
        .output()
        .expect("the binary runs");
    assert!(stdout(&forced).contains('\u{1b}'));
}

#[test]
fn people_get_tables_on_stdout_and_remarks_on_stderr() {
    let output = plan(&["-d", "2"]);
    assert_eq!(output.status.code(), Some(0));
    let data = stdout(&output);
    for word in ["DC3", "external", "LOST", "QUORUM", "DC1 + DC2 + external"] {
        assert!(data.contains(word), "{word} in {data}");
    }
    assert!(data.lines().all(|line| line.chars().count() <= 80), "{data}");
    assert!(!data.contains("hint:"));
    assert!(stderr(&output).contains("info:") && stderr(&output).contains("hint:"));
}

#[test]
fn every_set_is_listed_where_all_are_asked_for() {
    let some = stdout(&plan(&["-d", "6"]));
    let all = stdout(&plan(&["-d", "6", "--all"]));
    assert!(some.contains("127 sets"), "{some}");
    assert!(all.contains("DC2 + DC5 + external"), "{all}");
    assert!(all.lines().count() > some.lines().count() + 80);
}

#[test]
fn the_picture_goes_to_stdout_or_into_a_file_and_spares_other_files() {
    let to_stdout = plan(&["-d", "2", "--svg", "-"]);
    assert!(stdout(&to_stdout).starts_with("<svg") && stdout(&to_stdout).ends_with("</svg>\n"));

    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("topology.svg");
    let name = path.to_str().expect("the path is text");
    for _ in 0..2 {
        assert_eq!(plan(&["-d", "2", "--svg", name]).status.code(), Some(0));
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), stdout(&to_stdout));
    }

    let other = file(dir.path(), "name = \"demo\"\n");
    assert_eq!(plan(&["--svg", &other]).status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(&other).expect("it is there"), "name = \"demo\"\n");
    let nowhere = dir.path().join("nowhere/topology.svg");
    let nowhere = nowhere.to_str().expect("the path is text");
    assert_eq!(plan(&["--svg", nowhere]).status.code(), Some(2));
    assert_eq!(plan(&["--svg", "-", "--json"]).status.code(), Some(2));

    let absent = dir.path().join("absent.svg");
    let output = plan(&["-d", "0", "--svg", absent.to_str().expect("the path is text")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!absent.exists(), "nothing is written for a cluster that cannot be");
}

#[test]
fn consoles_about_survival_print_what_they_show() {
    for typed in consoles::of("docs/survival.md") {
        let words: Vec<&str> = typed.command.split(' ').collect();
        assert_eq!(words[0], "pgha", "{}", typed.at);
        let output = pgha(&words[1..]);
        assert_eq!(output.status.code(), Some(0), "{}: {}", typed.at, stderr(&output));
        let printed = stdout(&output) + &stderr(&output);
        typed.compare(&printed).unwrap_or_else(|differs| panic!("{}: {differs}", typed.at));
    }
}
