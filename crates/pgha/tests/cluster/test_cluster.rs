//! One cluster of a test: its files, its commands, and its end.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::docker::{docker, inspect, labelled, try_docker};
use crate::process::{Ran, run};
use crate::waiting::{tell, until};

/// Instance numbers of tests; one test run at a time has each.
const INSTANCES: std::ops::RangeInclusive<u32> = 9000..=9099;
/// The instance number of the recorded cluster.
const RECORDED: u32 = 8999;
/// How long any command of pgha may take on a busy machine.
pub(crate) const PGHA_DEADLINE_S: u64 = 400;
/// How long a cluster may take to be whole again.
pub(crate) const HEAL_DEADLINE_S: u64 = 180;

/// A cluster under a name and number of its own, which is gone when this value is.
#[derive(Debug)]
pub(crate) struct TestCluster {
    /// The name.
    pub(crate) name: String,
    /// The instance number.
    pub(crate) instance: u32,
    test: &'static str,
    dir: TempDir,
    /// Held as long as the instance number is used, also against other test runs.
    _lock: File,
}

impl TestCluster {
    /// Reserves a name and a number, and removes what an aborted run has left of that number.
    pub(crate) fn reserve(test: &'static str) -> Self {
        let free = INSTANCES.into_iter().find_map(|instance| {
            let lock = lock(instance)?;
            sweep(instance);
            // Docker 20.10 at times counts a connection to a network that nobody has, and keeps the network until it restarts.
            let left = left(instance);
            if !left.is_empty() {
                tell(&format!(
                    "instance {instance} is not used: the engine keeps {}",
                    left.join(", ")
                ));
            }
            left.is_empty().then_some((instance, lock))
        });
        let (instance, lock) = free.expect("an instance number is free");
        let letters = instance.to_string().bytes().map(|d| char::from(d - b'0' + b'a')).collect();
        Self::named(test, letters, instance, lock)
    }

    /// The cluster of an earlier pgha, by its files.
    pub(crate) fn recorded(test: &'static str) -> Self {
        let lock = lock(RECORDED).expect("one test run at a time has the recorded cluster");
        let cluster = Self::named(test, "recorded".to_owned(), RECORDED, lock);
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/recorded");
        let mut files = BTreeMap::new();
        collect(&from, &mut files);
        for (path, content) in files {
            let to = cluster.dir().join(path.strip_prefix(&from).expect("it was found there"));
            fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
            fs::write(&to, content).expect("a file");
            // What a version control system keeps of a mode is whether a file can be run.
            fs::set_permissions(&to, Permissions::from_mode(0o600)).expect("its own file");
        }
        fs::set_permissions(cluster.secrets_dir(), Permissions::from_mode(0o700)).expect("its own");
        cluster
    }

    fn named(test: &'static str, letters: String, instance: u32, lock: File) -> Self {
        sweep(instance);
        let dir = tempfile::Builder::new().prefix("pgha-e2e-").tempdir().expect("a folder");
        tell(&format!("cluster {letters}-{instance} in {}", dir.path().display()));
        Self { name: letters, instance, test, dir, _lock: lock }
    }

    /// Reserves, and brings up with these flags.
    pub(crate) fn up(test: &'static str, flags: &[&str]) -> Self {
        let cluster = Self::reserve(test);
        let started = Instant::now();
        cluster.pgha_up(flags).ok();
        tell(&format!("up {}: {:.1} s", flags.join(" "), started.elapsed().as_secs_f64()));
        cluster
    }

    /// `demo-1`: what commands call it.
    pub(crate) fn id(&self) -> String {
        format!("{}-{}", self.name, self.instance)
    }

    /// Folder of its files.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its compose file.
    pub(crate) fn compose_file(&self) -> PathBuf {
        self.dir().join("docker-compose.yaml")
    }

    /// The folder of its secrets.
    pub(crate) fn secrets_dir(&self) -> PathBuf {
        self.dir().join("docker-compose.secrets")
    }

    /// Every file of its folder with its content.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(self.dir(), &mut files);
        files
    }

    /// Removes its files, so that ports and subnets are chosen anew: other clusters of this machine
    /// may have taken them since.
    pub(crate) fn forget_files(&self) {
        for path in [self.compose_file(), self.secrets_dir()] {
            let gone =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            assert!(gone.is_ok() || !path.exists(), "{}: {gone:?}", path.display());
        }
    }

    /// `pgha` in the cluster's folder, ready to run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgha"));
        command.args(arguments).current_dir(self.dir());
        command
    }

    /// Runs `pgha` in the cluster's folder.
    pub(crate) fn pgha(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments), PGHA_DEADLINE_S)
    }

    /// The verb with the cluster's name, instance number and these flags: `up` and `generate`.
    pub(crate) fn made_by(&self, verb: &str, flags: &[&str]) -> Vec<String> {
        let instance = self.instance.to_string();
        [&[verb, "-n", &self.name, "--instance", &instance], flags]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    /// Runs `pgha up` with the cluster's name, instance number and these flags.
    pub(crate) fn pgha_up(&self, flags: &[&str]) -> Ran {
        let argv = self.made_by("up", flags);
        self.pgha(&argv.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Runs `pgha generate` likewise.
    pub(crate) fn generate(&self, flags: &[&str]) -> Ran {
        let argv = self.made_by("generate", flags);
        self.pgha(&argv.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Runs Compose on the cluster's file, without pgha.
    pub(crate) fn compose(&self, arguments: &[&str]) -> Ran {
        let v2 = try_docker(&["compose", "version"]).code == Some(0);
        let mut command = if v2 { Command::new("docker") } else { Command::new("docker-compose") };
        if v2 {
            command.arg("compose");
        }
        run(command.args(arguments).current_dir(self.dir()), PGHA_DEADLINE_S)
    }

    /// `pgha status --json` of it.
    pub(crate) fn status(&self) -> Value {
        let ran = self.pgha(&["status", &self.id(), "--json"]);
        serde_json::from_str(ran.ok()).expect("status prints JSON")
    }

    /// Waits until nothing is wrong with it, and gives that status.
    pub(crate) fn wait_whole(&self) -> Value {
        until("the cluster is whole", HEAL_DEADLINE_S, || {
            let view = self.status();
            whole(&view).map(|()| view)
        })
    }

    /// The faults that are injected now.
    pub(crate) fn faults(&self) -> Vec<Value> {
        let ran = self.pgha(&["fault", "show", &self.id(), "--json"]);
        serde_json::from_str(ran.ok()).expect("JSON")
    }

    /// The leader; there must be one.
    pub(crate) fn leader(&self) -> String {
        leader_of(&self.status()).expect("there is a leader")
    }

    /// The leader's name once there is one that is not in `except`.
    pub(crate) fn wait_leader_other_than(&self, except: &[String], deadline_s: u64) -> String {
        until("another node leads", deadline_s, || match leader_of(&self.status()) {
            Some(leader) if !except.contains(&leader) => Ok(leader),
            other => Err(format!("the leader is {other:?}")),
        })
    }

    /// Names of its containers, sorted.
    pub(crate) fn members(&self) -> Vec<String> {
        labelled("container", &self.label())
    }

    /// Names of its members of one kind: `postgres`, `etcd`, `backup` or `wan`.
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<String> {
        let format =
            format!("{{{{if eq (.Label \"pgha.role\") \"{kind}\"}}}}{{{{.Names}}}}{{{{end}}}}");
        let filter = format!("label={}", self.label());
        let listed =
            docker(&["container", "ls", "--all", "--filter", &filter, "--format", &format]);
        let mut names: Vec<_> =
            listed.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Its backup host.
    pub(crate) fn backup_host(&self) -> String {
        self.of_kind("backup").remove(0)
    }

    /// Its router.
    pub(crate) fn router(&self) -> String {
        format!("pgha-wan-{}", self.instance)
    }

    /// Id and start of every container: what a command that changes nothing leaves alone.
    pub(crate) fn containers(&self) -> BTreeMap<String, (String, String)> {
        let text = |v: &Value| v.as_str().expect("text").to_owned();
        self.members()
            .into_iter()
            .map(|name| {
                let seen = inspect(&name);
                (name, (text(&seen["Id"]), text(&seen["State"]["StartedAt"])))
            })
            .collect()
    }

    /// The password of the superuser.
    pub(crate) fn password(&self) -> String {
        let path = self.secrets_dir().join("postgres");
        fs::read_to_string(path).expect("the password is there").trim_end().to_owned()
    }

    /// The label that all of it has.
    pub(crate) fn label(&self) -> String {
        format!("pgha.instance={}", self.instance)
    }

    /// Everything the engine holds of it.
    pub(crate) fn left(&self) -> Vec<String> {
        left(self.instance)
    }

    /// Panics where the engine holds anything of it.
    pub(crate) fn assert_nothing_left(&self) {
        let left = self.left();
        assert!(left.is_empty(), "{} is not gone: {left:?}", self.id());
    }

    fn save_logs(&self) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/e2e-logs");
        let folder = folder.join(self.test);
        if fs::create_dir_all(&folder).is_err() {
            return;
        }
        for member in self.members() {
            let log = try_docker(&["logs", "--timestamps", &member]);
            let _ = fs::write(folder.join(format!("{member}.log")), log.stdout + &log.stderr);
        }
        let status = self.command(&["status", &self.id()]).output();
        let _ = fs::write(folder.join("status.txt"), status.map(|o| o.stdout).unwrap_or_default());
        tell(&format!("logs of {} are kept in {}", self.id(), folder.display()));
    }
}

impl Drop for TestCluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.save_logs();
        }
        if !left(self.instance).is_empty() {
            let _ = self.command(&["down", &self.id(), "--volumes", "--yes"]).output();
        }
        sweep(self.instance);
    }
}

/// The right to an instance number; `None` where another test has it.
fn lock(instance: u32) -> Option<File> {
    let path = std::env::temp_dir().join(format!("pgha-e2e-{instance}.lock"));
    let lock = File::create(path).expect("the temporary folder can be written to");
    lock.try_lock().is_ok().then_some(lock)
}

/// What is wrong with a cluster that should be whole.
pub(crate) fn whole(view: &Value) -> Result<(), String> {
    // How much room the machine has is no matter of the cluster's.
    let mut problems = view["problems"].as_array().expect("problems are a list").iter();
    if problems.any(|problem| !problem["code"].as_str().is_some_and(|c| c.starts_with("disk_"))) {
        return Err(format!("problems: {}", view["problems"]));
    }
    let leader = view["leader"].as_str().ok_or("nobody leads")?;
    let nodes: Vec<_> = nodes_of(view).collect();
    let timeline = &nodes.iter().find(|m| m["name"] == leader).ok_or("who leads?")?["timeline"];
    for node in &nodes {
        let expected = if node["name"] == leader { "running" } else { "streaming" };
        if node["state"] != expected || node["timeline"] != *timeline {
            return Err(format!("not {expected} on timeline {timeline}: {node}"));
        }
    }
    let (have, need) = (view["quorum"]["have"].as_u64(), view["quorum"]["need"].as_u64());
    if need.is_none_or(|need| need == 0) || have < need {
        return Err(format!("no quorum: {}", view["quorum"]));
    }
    match view["members"].as_array().expect("a list").iter().find(|m| {
        m["container_state"] != "running" || m["kind"] == "etcd" && m["state"] != "healthy"
    }) {
        None => Ok(()),
        Some(member) => Err(format!("not well: {member}")),
    }
}

/// The Postgres nodes of a status.
pub(crate) fn nodes_of(view: &Value) -> impl Iterator<Item = &Value> {
    view["members"].as_array().expect("a list").iter().filter(|m| m["kind"] == "postgres")
}

/// The leader of a status.
pub(crate) fn leader_of(view: &Value) -> Option<String> {
    view["leader"].as_str().map(str::to_owned)
}

/// The site of a member, as a status says.
pub(crate) fn site_of(view: &Value, member: &str) -> String {
    let members = view["members"].as_array().expect("a list");
    let found = members.iter().find(|m| m["name"] == member).expect("it is a member");
    found["site"].as_str().expect("it stands in a site").to_owned()
}

/// Codes of the problems of a status.
pub(crate) fn problem_codes(view: &Value) -> Vec<String> {
    let problems = view["problems"].as_array().expect("a list");
    problems.iter().map(|p| p["code"].as_str().expect("text").to_owned()).collect()
}

/// Members of the leader's site, the leader, and a replica in another site.
pub(crate) fn leader_site(view: &Value) -> (Vec<String>, String, String) {
    let leader = leader_of(view).expect("there is a leader");
    let site = site_of(view, &leader);
    let sites = view["sites"].as_array().expect("a list");
    let its = sites.iter().find(|s| s["name"] == site.as_str()).expect("a site of the cluster");
    let members = its["members"].as_array().expect("a list");
    let names = members.iter().map(|m| m.as_str().expect("text").to_owned()).collect();
    let far = nodes_of(view).find(|m| m["site"] != site.as_str()).expect("there is another site");
    (names, leader, far["name"].as_str().expect("text").to_owned())
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            let content = fs::read(&path).expect("a file");
            files.insert(path, content);
        }
    }
}

/// Everything the engine holds of an instance number.
fn left(instance: u32) -> Vec<String> {
    ["container", "network", "volume"]
        .into_iter()
        .flat_map(|kind| {
            labelled(kind, &format!("pgha.instance={instance}"))
                .into_iter()
                .map(move |name| format!("{kind} {name}"))
        })
        .collect()
}

/// Removes everything of an instance number, by label.
fn sweep(instance: u32) {
    for thing in left(instance) {
        let (kind, name) = thing.split_once(' ').expect("kind and name");
        let force: &[&str] = if kind == "network" { &[] } else { &["--force"] };
        try_docker(&[&[kind, "rm"], force, &[name]].concat());
    }
}
