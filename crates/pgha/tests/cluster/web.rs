//! The live page in a real browser (Chromium, driven by its own driver): what it shows, and what its buttons may do.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::docker::sql;
use crate::process::run;
use crate::test_cluster::TestCluster;
use crate::waiting::{claim, tell, until};

/// How long the browser may take to answer, and the page to show something.
const BROWSER_DEADLINE_S: u64 = 60;
/// All that the page loads: the bound of its documentation.
const PAGE_MAX_BYTES: u64 = 300_000;

/// A program that says where it can be reached, ended when this is dropped.
struct Server(Child);

impl Server {
    /// Starts it, and gives what `find` makes of the first line that it finds something in.
    fn start<T>(command: &mut Command, find: impl Fn(&str) -> Option<T>) -> (Self, T) {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = child.spawn().unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        let server = Self(child);
        let found = out.lines().map_while(Result::ok).find_map(|line| find(&line));
        let found = found.unwrap_or_else(|| panic!("{command:?} does not say where it listens"));
        (server, found)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.0.wait();
    }
}

/// One window of a browser.
struct Browser {
    session: String,
    _driver: Server,
    _profile: tempfile::TempDir,
}

impl Browser {
    fn open() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("chromedriver");
        let (driver, port) = Server::start(command.arg("--port=0"), |line| {
            let port = line.split("successfully on port ").nth(1)?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let sessions = format!("http://127.0.0.1:{port}/session");
        // The tests of CI run as root in a container, where Chromium's own sandbox cannot be had.
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        let options = json!({"goog:chromeOptions": {"args": arguments}});
        let made = post(&sessions, &json!({"capabilities": {"alwaysMatch": options}}));
        let id = made["sessionId"].as_str().expect("an id");
        Self { session: format!("{sessions}/{id}"), _driver: driver, _profile: profile }
    }

    fn go(&self, url: &str) {
        post(&format!("{}/url", self.session), &json!({"url": url}));
    }

    /// What a script gives in the page.
    fn run(&self, script: &str) -> Value {
        post(&format!("{}/execute/sync", self.session), &json!({"script": script, "args": []}))
    }

    fn wait(&self, what: &str, condition: &str) {
        until(what, BROWSER_DEADLINE_S, || match self.run(&format!("return {condition}")) {
            Value::Bool(true) => Ok(()),
            other => {
                Err(format!("{condition}: {other}; {}", self.run("return document.body.innerText")))
            }
        });
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let end = ["--silent", "--max-time", "20", "--request", "DELETE", &self.session];
        let _ = Command::new("curl").args(end).stdout(Stdio::null()).status();
    }
}

/// The value that the driver answers.
fn post(url: &str, body: &Value) -> Value {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--json", &body.to_string(), url]);
    let answer = run(&mut command, BROWSER_DEADLINE_S);
    let mut answer: Value = serde_json::from_str(answer.ok()).expect("JSON");
    let value = answer["value"].take();
    assert!(value.get("error").is_none(), "{body}: {value}");
    value
}

/// `pgha web` of the cluster, and the address of the page.
fn serve(cluster: &TestCluster, flags: &[&str]) -> (Server, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgha"));
    command.args(["web", &cluster.id()]).args(flags);
    Server::start(&mut command, |line| line.starts_with("http://").then(|| line.to_owned()))
}

/// The text of the card of a member, such as `web1-DC2 replica TL 1`.
fn card(member: &str) -> String {
    format!(
        "[...document.querySelectorAll('#topology .member')].map(c => c.textContent).find(t => t.includes('{member},'))"
    )
}

#[test]
#[ignore = "needs a Docker engine; ./test.sh runs it"]
fn a_page_shows_what_happens_and_its_buttons_need_permission() {
    let cluster = TestCluster::up("web", &["-d", "2", "-c", "1", "--timers", "fast"]);
    cluster.wait_whole();
    let (id, leader) = (cluster.id(), cluster.leader());
    let browser = Browser::open();
    let leads = |node: &str| format!("{}?.includes('{node}, leader')", card(node));

    claim("a read-only page shows roles and offers nothing", || {
        let (_server, url) = serve(&cluster, &[]);
        browser.go(&url);
        browser.wait("the leader is on the page", &leads(&leader));
        let in_a_site = |member: &String| !member.contains("-wan-");
        for member in cluster.members().into_iter().filter(in_a_site) {
            browser.wait("each member is on the page", &format!("{} !== undefined", card(&member)));
        }
        assert_eq!(browser.run("return document.getElementById('changing').hidden"), true);
        let asked = "const answer = await fetch('/run', {method: 'POST', body: 'pgha heal'}); return answer.status";
        assert_eq!(browser.run(asked), 403, "a change was carried out without permission");
        let loaded = "return performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))\
            .reduce((sum, entry) => sum + entry.encodedBodySize, 0)";
        let bytes = browser.run(loaded).as_u64().expect("a number");
        let painted = "return performance.getEntriesByName('first-contentful-paint')[0].startTime";
        tell(&format!("  {bytes} bytes, first paint after {} ms", browser.run(painted)));
        assert!((1..PAGE_MAX_BYTES).contains(&bytes), "{bytes}");
    });

    let (_server, url) = serve(&cluster, &["--allow-changes"]);
    browser.go(&url);
    browser.wait("the leader is on the page", &leads(&leader));
    claim("a link that is cut by hand is drawn cut, and healed again", || {
        browser.wait(
            "no link is cut",
            "document.querySelectorAll('#topology .link.cut').length === 0",
        );
        browser.run(
            "window.cutAt = null; new MutationObserver(() => {
               if (!window.cutAt && document.querySelector('#topology .link.cut')) window.cutAt = Date.now();
             }).observe(document.getElementById('topology'), {subtree: true, attributes: true, childList: true})",
        );
        let begun = browser.run("return Date.now()").as_f64().expect("a time");
        cluster.pgha(&["wan", "cut", &id, "DC1", "DC2"]).ok();
        browser.wait("the link is drawn cut", "window.cutAt !== null");
        let drawn = browser.run("return window.cutAt").as_f64().expect("a time");
        tell(&format!("  drawn {} ms after `pgha wan cut` was called", drawn - begun));
        browser.wait(
            "it is said",
            "document.getElementById('topology').getAttribute('aria-label').includes('blocked: ')",
        );
        cluster.pgha(&["wan", "heal", &id, "DC1", "DC2"]).ok();
        browser
            .wait("it is whole", "document.querySelectorAll('#topology .link.cut').length === 0");
    });
    claim("a button shows its command line, asks, and moves the leader", || {
        browser.wait("a switchover is offered", "document.getElementById('command-switchover')?.textContent.startsWith('pgha switchover ')");
        let press = "document.getElementById('do-switchover').click(); return document.getElementById('ask-command').textContent";
        let command = browser.run(press);
        assert_eq!(
            command,
            browser.run("return document.getElementById('command-switchover').textContent")
        );
        assert_eq!(cluster.leader(), leader, "it did not wait for the answer");
        browser.run("document.getElementById('ask-run').click()");
        let other =
            cluster.wait_leader_other_than(std::slice::from_ref(&leader), BROWSER_DEADLINE_S);
        browser.wait("the new leader is on the page", &leads(&other));
        browser.wait(
            "its end is on the page",
            "document.getElementById('run-code').textContent === 'done'",
        );
        browser.wait("the old one follows", &format!("!({})", leads(&leader)));
        sql(&other, "create table written as select 1");
    });
}
