//! What the Docker engine says of itself, and what it holds.

use bollard::models::SystemInfo;
use jiff::{SignedDuration, Timestamp};
use pgha_core::words::bytes;

use super::Check;
use crate::docker::Engine;
use crate::images;

/// The oldest API that pgha speaks, that of engine 20.10.
const API_MIN: [u32; 3] = [1, 41, 0];
/// The major version whose images are looked for.
const POSTGRES_MAJOR: u32 = 17;
/// Free disk below which a cluster may run out of it, and below which none starts.
const DISK_WANTED_BYTES: u64 = 5_000_000_000;
const DISK_NEEDED_BYTES: u64 = 1_000_000_000;
/// How far the engine's clock may be from this one.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(2);
/// A clock before this (2025-01-01) was never set.
const CLOCK_EARLIEST_UNIX_S: i64 = 1_735_689_600;

/// Asks the engine; gives whether containers share this machine's kernel.
pub(super) async fn examine(engine: &Engine, checks: &mut Vec<Check>) -> bool {
    match engine.api().version().await {
        Ok(version) => checks.push(api(
            &version.version.unwrap_or_default(),
            &version.api_version.unwrap_or_default(),
        )),
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
    checks.push(disk(&info, local));
    checks.push(clock(now, info.system_time.as_deref()));
    checks.push(cgroup(&info));
    let missing = images::missing(engine, POSTGRES_MAJOR).await;
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

fn disk(info: &SystemInfo, local: bool) -> Check {
    let name = "disk";
    let root = info.docker_root_dir.as_deref().unwrap_or_default();
    let free = rustix::fs::statvfs(root).ok().filter(|_| local);
    let Some(free) = free.map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize)) else {
        return Check::info(name, "the engine's disk cannot be seen from here");
    };
    let found = format!("{} free in {root}", bytes(free));
    let hint = "`docker system df` shows what takes it, `docker system prune` removes leftovers";
    if free < DISK_NEEDED_BYTES {
        Check::failed(name, found, hint)
    } else if free < DISK_WANTED_BYTES {
        Check::warning(name, found, hint)
    } else {
        Check::ok(name, found)
    }
}

fn clock(now: Timestamp, engine: Option<&str>) -> Check {
    let name = "clock";
    if now.as_second() < CLOCK_EARLIEST_UNIX_S {
        let found = format!("it says {now}");
        return Check::warning(name, found, "set it: certificates and backups go by it");
    }
    let Some(engine) = engine.and_then(|text| text.parse::<Timestamp>().ok()) else {
        return Check::info(name, "the engine does not tell its own");
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
    fn clocks_that_are_apart_are_told() {
        let now: Timestamp = "2026-01-01T00:00:10Z".parse().expect("a time");
        let state = |engine| clock(now, engine).state;
        assert_eq!(state(Some("2026-01-01T01:00:09.123456789+01:00")), State::Ok);
        assert_eq!(state(Some("2026-01-01T00:00:20Z")), State::Warning);
        assert_eq!(state(Some("noon")), State::Info);
        assert_eq!(clock(Timestamp::UNIX_EPOCH, None).state, State::Warning);
    }
}
