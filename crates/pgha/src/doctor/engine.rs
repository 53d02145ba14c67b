//! What the Docker engine says of itself, and what it holds.

use bollard::models::{SystemInfo, SystemVersionComponents};
use jiff::{SignedDuration, Timestamp};
use pgha_core::disk::{self, DiskUse};
use pgha_core::spec::Spec;
use pgha_core::topology::Topology;
use pgha_core::words::bytes;

use super::Check;
use crate::docker::{Engine, disk_of};
use crate::images;

/// The oldest API that pgha speaks, that of engine 20.10.
const API_MIN: [u32; 3] = [1, 41, 0];
/// The first engine whose ports on the loopback are for this machine alone (moby/moby#45610).
const LOOPBACK_IS_CLOSED: [u32; 3] = [28, 0, 0];
/// The major version whose images are looked for.
const POSTGRES_MAJOR: u32 = 17;
/// How far the engine's clock may be from this one.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(2);
/// A clock before this (2025-01-01) was never set.
const CLOCK_EARLIEST_UNIX_S: i64 = 1_735_689_600;

/// Asks the engine; gives whether containers share this machine's kernel.
pub(super) async fn examine(engine: &Engine, checks: &mut Vec<Check>) -> bool {
    let mut said = Said::default();
    match engine.api().version().await {
        Ok(version) => {
            said.version = version.version.unwrap_or_default();
            said.components = version.components.unwrap_or_default();
            checks.push(api(&said.version, &version.api_version.unwrap_or_default()));
        }
        Err(error) => checks.push(Check::failed(
            "engine",
            format!("it does not say its version: {error}"),
            "sudo systemctl restart docker",
        )),
    }
    let info = engine.api().info().await.unwrap_or_default();
    let now = Timestamp::now();
    let system = info.operating_system.as_deref().unwrap_or_default();
    let local = !system.contains("Docker Desktop");
    said.security = info.security_options.clone().unwrap_or_default();
    checks.extend(kind(&said, local, enforces_selinux()));
    checks.push(disk(&info));
    checks.push(layers(info.driver.as_deref().unwrap_or_default()));
    checks.push(clock(now, info.system_time.as_deref()));
    checks.push(cgroup(&info));
    let missing =
        images::missing(engine, &Spec { postgres: POSTGRES_MAJOR, ..Spec::default() }).await;
    checks.push(if missing.is_empty() {
        Check::ok("images", format!("all there for PostgreSQL {POSTGRES_MAJOR}"))
    } else {
        let found = format!("not there yet: {}", missing.join(", "));
        Check::warning("images", found, "`pgha build` makes them, and so does `pgha up`")
    });
    local
}

fn api(version: &str, api: &str) -> Check {
    let found = format!("Docker {version}, API {api}");
    match super::numbers(api) {
        Some(numbers) if numbers >= API_MIN => Check::ok("engine", found),
        _ => Check::failed("engine", found, "pgha needs API 1.41: Docker 20.10 or later"),
    }
}

/// What an engine says of the way it runs.
#[derive(Debug, Default)]
struct Said {
    /// Such as `20.10.24+dfsg1`.
    version: String,
    /// The programs it is made of.
    components: Vec<SystemVersionComponents>,
    /// Such as `name=seccomp,profile=default`.
    security: Vec<String>,
}

impl Said {
    fn has(&self, option: &str) -> bool {
        let name = format!("name={option}");
        self.security.iter().any(|one| one.split(',').next() == Some(&name))
    }
}

/// Whether this machine's `SELinux` forbids, and not only logs, what no rule allows.
fn enforces_selinux() -> bool {
    std::fs::read_to_string("/sys/fs/selinux/enforce").is_ok_and(|text| text.trim() == "1")
}

/// Ways to run an engine under which a cluster does not work, or not as it does elsewhere.
fn kind(said: &Said, local: bool, enforcing: bool) -> Vec<Check> {
    let mut checks = Vec::new();
    let podman = said.components.iter().any(|one| one.name.to_lowercase().contains("podman"));
    if podman {
        checks.push(Check::warning(
            "podman",
            "Podman answers in place of Docker; pgha is tested with Docker alone",
            "run Docker's engine, or expect that networks, restarts and limits differ",
        ));
    }
    let known = super::numbers(&said.version);
    if local && !podman && known.is_some_and(|version| version < LOOPBACK_IS_CLOSED) {
        checks.push(Check::warning(
            "loopback",
            format!(
                "Docker {} lets hosts on the same network segment reach ports of 127.0.0.1, those of \
                 Postgres among them; a password is still needed",
                said.version
            ),
            "Docker 28 closes that, and so does `iptables -t raw -I PREROUTING ! -i lo -d 127.0.0.0/8 \
             -j DROP`",
        ));
    }
    if enforcing && said.has("selinux") {
        checks.push(Check::warning(
            "selinux",
            "SELinux confines containers: members cannot read the files of secrets, nor a folder that is \
             the second repository, before these have its label",
            "`chcon -R -t container_file_t FOLDER`, for `docker-compose.secrets` and the repository",
        ));
    } else if enforcing {
        checks.push(Check::info(
            "selinux",
            "SELinux is enforcing and the engine does not confine containers by it: nothing is in the way",
        ));
    }
    if said.has("userns") {
        checks.push(Check::warning(
            "userns",
            "the engine remaps users (userns-remap): root in a member is nobody on this machine and cannot \
             read secrets of mode 0600",
            "remove `userns-remap` from /etc/docker/daemon.json for this engine, or give the folder of \
             secrets to the remapped root (/etc/subuid)",
        ));
    }
    if said.has("rootless") {
        checks.push(Check::warning(
            "rootless",
            "the engine is rootless: the router cannot go before other processes, so latencies are less \
             exact on a busy machine, and the engine's networks cannot be seen from here",
            "`--subnets` names a range where a subnet turns out to be taken; a rootful engine has neither",
        ));
    }
    checks
}

fn disk(info: &SystemInfo) -> Check {
    let name = "disk";
    let root = info.docker_root_dir.as_deref().unwrap_or_default();
    let Some(disk) = disk_of(info) else {
        return Check::info(name, "the engine's disk cannot be seen from here");
    };
    let free = disk.free_bytes;
    let usual = Topology::new(Spec { data_centers: 2, ..Spec::default() }, 1);
    let found = format!(
        "{} free in {root}; a cluster of 2 x 2 nodes takes up to {} beside data and backups",
        bytes(free),
        bytes(DiskUse::of(&usual, Some(disk)).may_take_bytes)
    );
    let hint = "`docker system df -v` shows what takes it, `pgha list` the clusters that there are";
    if free < disk::NEEDED_BYTES {
        Check::failed(name, found, hint)
    } else if free < disk::WANTED_BYTES {
        Check::warning(name, found, hint)
    } else {
        Check::ok(name, found)
    }
}

/// By what the engine keeps the layers of images.
fn layers(driver: &str) -> Check {
    let name = "layers";
    let slow = match driver {
        "fuse-overlayfs" => "in user space: a cluster takes half again as long to come up",
        "vfs" => "as whole copies: each member takes the disk of its whole image",
        "" => return Check::info(name, "the engine does not say how it keeps layers"),
        _ => return Check::ok(name, driver),
    };
    Check::warning(
        name,
        format!("{driver} keeps layers of images {slow}"),
        "where the kernel has overlay file systems: `\"storage-driver\": \"overlay2\"` in \
         /etc/docker/daemon.json, and a restart of the engine; its images and containers are not there then",
    )
}

fn clock(now: Timestamp, engine: Option<&str>) -> Check {
    let name = "clock";
    if now.as_second() < CLOCK_EARLIEST_UNIX_S {
        let found = format!("it says {now}");
        return Check::warning(name, found, "set it: certificates and backups go by it");
    }
    let Some(engine) = engine.and_then(|text| text.parse::<Timestamp>().ok()) else {
        return Check::info(name, "the engine does not report its time");
    };
    let apart = now.duration_since(engine).abs();
    if apart > CLOCK_TOLERANCE {
        let found = format!("the engine's is {} s away from this one", apart.as_secs());
        return Check::warning(name, found, "restart Docker Desktop, or let the machine sync time");
    }
    Check::ok(name, "the engine's and this one agree")
}

fn cgroup(info: &SystemInfo) -> Check {
    let version = info.cgroup_version.map_or_else(|| "unknown".to_owned(), |v| v.to_string());
    let driver = info.cgroup_driver.map_or_else(String::new, |d| format!(", driver {d}"));
    let kernel = info.kernel_version.as_deref().unwrap_or("unknown");
    let cpus = info.ncpu.unwrap_or_default();
    Check::info(
        "cgroup",
        format!("version {version}{driver}; kernel {kernel}, {cpus} CPUs").to_lowercase(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn an_engine_before_20_10_fails() {
        assert_eq!(api("19.03", "1.40").state, State::Failed);
        assert_eq!(api("20.10.24", "1.41").state, State::Ok);
        assert_eq!(api("28.5.2", "1.51").state, State::Ok);
        assert_eq!(api("", "").state, State::Failed);
    }

    #[test]
    fn what_an_engine_says_of_itself_is_named_with_what_it_means() {
        let names = |version: &str, security: &[&str], local, enforcing| {
            let security = security.iter().map(|&one| one.to_owned()).collect();
            let said = Said { version: version.to_owned(), security, ..Said::default() };
            let found = kind(&said, local, enforcing);
            found.into_iter().map(|check| (check.name, check.state)).collect::<Vec<_>>()
        };
        let usual = ["name=apparmor", "name=seccomp,profile=default", "name=cgroupns"];
        assert_eq!(names("28.5.2", &usual, true, false), []);
        assert_eq!(names("27.5.1", &usual, true, false), [("loopback", State::Warning)]);
        assert_eq!(names("20.10.24+dfsg1", &usual, false, false), [], "a machine of its own");
        assert_eq!(names("", &[], true, false), []);
        assert_eq!(names("29.0.0", &["name=userns"], true, false), [("userns", State::Warning)]);
        assert_eq!(
            names("29.0.0", &["name=rootless"], true, false),
            [("rootless", State::Warning)]
        );
        assert_eq!(names("29.0.0", &["name=selinux"], true, true), [("selinux", State::Warning)]);
        assert_eq!(names("29.0.0", &["name=selinux"], true, false), [], "it only logs");
        assert_eq!(names("29.0.0", &usual, true, true), [("selinux", State::Info)]);
        let engine = SystemVersionComponents { name: "Podman Engine".into(), ..Default::default() };
        let podman = Said { version: "5.4.2".into(), components: vec![engine], ..Said::default() };
        let found = kind(&podman, true, false);
        assert_eq!(found.iter().map(|check| check.name).collect::<Vec<_>>(), ["podman"]);
    }

    #[test]
    fn layers_that_cost_time_or_disk_are_told() {
        assert_eq!(layers("overlay2").state, State::Ok);
        assert_eq!(layers("btrfs").state, State::Ok);
        assert_eq!(layers("").state, State::Info);
        for slow in ["fuse-overlayfs", "vfs"] {
            let check = layers(slow);
            assert_eq!(check.state, State::Warning);
            assert!(check.hint.is_some_and(|hint| hint.contains("overlay2")));
        }
    }

    #[test]
    fn clocks_that_are_apart_are_told() {
        let now: Timestamp = "2026-01-01T00:00:10Z".parse().expect("a time");
        let state = |engine| clock(now, engine).state;
        assert_eq!(state(Some("2026-01-01T01:00:09.123456789+01:00")), State::Ok);
        assert_eq!(state(Some("2026-01-01T00:00:20Z")), State::Warning);
        assert_eq!(state(Some("noon")), State::Info);
        assert_eq!(clock(Timestamp::UNIX_EPOCH, None).state, State::Warning);
    }
}
