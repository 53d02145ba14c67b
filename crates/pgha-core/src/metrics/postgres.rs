//! What is known of each Postgres, under the names of `postgres_exporter`.

use super::exposition::Exposition;
use super::patroni::{answers, runs};
use super::{Seen, flag, number};
use crate::status::ContainerState;

pub(super) fn add(out: &mut Exposition, seen: &Seen<'_>) {
    let family = out.gauge("pg_up", "Whether the server runs (1 for yes, 0 for no).");
    for node in seen.view.nodes() {
        let answered = answers(seen).find(|(member, _)| member.name == node.name);
        let up = match (node.container_state, answered) {
            (ContainerState::Running, Some((_, patroni))) => Some(runs(patroni)),
            // Its Patroni is not started, and nobody else starts it.
            (ContainerState::Running, None) if node.state.is_some() => Some(false),
            (ContainerState::Running, None) => None,
            _ => Some(false),
        };
        family.set_some(seen.of_member(node), up.map(flag));
    }
    let running: Vec<_> = answers(seen).filter(|(_, patroni)| runs(patroni)).collect();
    let family = out.gauge("pg_replication_is_replica", "Indicates if the server is a replica");
    for (member, patroni) in &running {
        family.set(seen.of_member(member), flag(!patroni.is_running_primary()));
    }
    let family = out
        .gauge("pg_postmaster_start_time_seconds", "Time at which postmaster started (Unix epoch)");
    for (member, patroni) in &running {
        family.set_some(seen.of_member(member), patroni.started_s.map(number));
    }
    let leader = running.iter().find(|(m, _)| seen.view.leader.as_deref() == Some(m.name.as_str()));
    let family = out.gauge(
        "pg_stat_replication_pg_wal_lsn_diff",
        "Lag in bytes between the leader and this replica (replayed)",
    );
    for (member, patroni) in &running {
        let leads = patroni.is_running_primary();
        let same = leader.filter(|(_, own)| !leads && own.timeline == patroni.timeline);
        let location = same.and_then(|(_, own)| own.location);
        if let (Some(location), Some(replayed)) = (location, patroni.replayed) {
            let mut labels = seen.of_member(member);
            labels.push(("application_name", member.name.clone()));
            family.set(labels, number(location.saturating_sub(replayed)));
        }
    }
    archiver(out, seen);
}

/// What the leader says of its archive.
fn archiver(out: &mut Exposition, seen: &Seen<'_>) {
    let leader = seen.view.leader.as_deref().and_then(|leader| seen.view.member(leader));
    let (Some(archive), Some(leader)) = (&seen.view.archive, leader) else { return };
    out.counter(
        "pg_stat_archiver_failed_count",
        "Number of failed attempts for archiving WAL files",
    )
    .set(seen.of_member(leader), number(archive.failed_count));
    if let Some(age) = archive.last_age_s {
        out.gauge(
            "pg_stat_archiver_last_archive_age",
            "Time in seconds since last WAL segment was successfully archived",
        )
        .set(seen.of_member(leader), number(age));
    }
    if let Some(behind) = archive.behind_segments {
        out.gauge("pgha_archive_ready_segments", "WAL segments that wait to be archived")
            .set(seen.of_member(leader), number(behind));
    }
    out.gauge("pgha_archive_failing", "Value is 1 if the last attempt to archive failed")
        .set(seen.of_member(leader), flag(archive.failing));
}
