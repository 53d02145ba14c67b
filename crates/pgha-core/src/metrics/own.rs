//! What no program has a name for: what the cluster survives now, durability, etcd's majority, faults, the window that can
//! be recovered, the write that was tried.

use super::exposition::Exposition;
use super::{Seen, flag, number};
use crate::status::{ContainerState, Severity};
use crate::survival::present::losses;

pub(super) fn add(out: &mut Exposition, seen: &Seen<'_>) {
    let view = seen.view;
    let cluster = || vec![seen.cluster()];
    let count = |value: u32| f64::from(value);
    out.gauge("pgha_has_leader", "Value is 1 if a leader is confirmed by etcd and by itself.")
        .set(cluster(), flag(view.leader.is_some()));
    out.gauge("pgha_durability_met", "Value is 1 if as many standbys acknowledge as configured.")
        .set(cluster(), flag(view.acknowledging.reached()));
    out.gauge("pgha_acknowledging_standbys", "Standbys that may acknowledge commits.")
        .set(cluster(), count(view.acknowledging.have));
    out.gauge("pgha_acknowledging_standbys_configured", "Standbys that each commit waits for.")
        .set(cluster(), count(view.acknowledging.need));
    out.gauge("pgha_etcd_members_in_touch", "etcd members that are in touch with each other.")
        .set(cluster(), count(view.quorum.have));
    out.gauge("pgha_etcd_quorum", "etcd members that it takes for a quorum.")
        .set(cluster(), count(view.quorum.need));
    survival(out, seen);
    let family = out.gauge("pgha_site_reachable", "Value is 1 if the site runs and is reached.");
    for site in &view.sites {
        let labels = vec![seen.cluster(), ("site", site.name.clone())];
        family.set_some(labels, site.reachable.map(flag));
    }
    let family = out.gauge("pgha_member_running", "Value is 1 if the member's container runs.");
    for member in &view.members {
        let labels = [seen.of_member(member), vec![("kind", member.kind.to_string())]].concat();
        family.set(labels, flag(member.container_state == ContainerState::Running));
    }
    let family =
        out.gauge("pgha_replication_lag_bytes", "WAL that a replica has not received yet.");
    for node in view.nodes() {
        family.set_some(seen.of_member(node), node.lag_bytes.map(number));
    }
    let family = out.gauge("pgha_problems", "Problems as in `pgha status`, by severity.");
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        let there = view.problems.iter().filter(|p| p.severity == severity).count();
        let labels = vec![seen.cluster(), ("severity", severity.as_str().to_owned())];
        family.set(labels, number(there as u64));
    }
    out.gauge("pgha_faults", "Faults that were injected and not undone.")
        .set(cluster(), number(seen.observed.faults.len() as u64));
    if let Some(free) = view.disk.as_ref().and_then(|disk| disk.free_bytes) {
        out.gauge("pgha_disk_free_bytes", "Free space on the fullest disk of the members.")
            .set(cluster(), number(free));
    }
    recovery(out, seen);
    if let Some(write) = seen.write {
        out.gauge("pgha_write_probe_success", "Value is 1 if a commit was acknowledged in time.")
            .set(cluster(), flag(write.took.is_some()));
        if let Some(took) = write.took {
            out.gauge("pgha_write_probe_seconds", "How long a commit took, as a client sees it.")
                .set(cluster(), took.as_secs_f64());
        }
    }
}

/// What each site's loss would do now; not what the survival table promises of a healthy cluster.
fn survival(out: &mut Exposition, seen: &Seen<'_>) {
    let losses = losses(seen.view);
    let labels = |site: &str| vec![seen.cluster(), ("site", site.to_owned())];
    let family = out.gauge(
        "pgha_survives_site_loss",
        "Value is 1 if writes go on, after a failover if need be, were this site lost now.",
    );
    for loss in &losses {
        family.set(labels(&loss.site), flag(loss.writes_go_on));
    }
    let family = out.gauge(
        "pgha_site_loss_may_lose_writes",
        "Value is 1 if acknowledged writes may be lost, were this site lost now.",
    );
    for loss in &losses {
        family.set(labels(&loss.site), flag(loss.may_lose_writes));
    }
}

/// From the end of the oldest backup on the cluster can be restored to any time, as far as WAL is archived.
fn recovery(out: &mut Exposition, seen: &Seen<'_>) {
    let first = seen.repository.and_then(|r| r.backups.iter().map(|b| b.stopped_s).min());
    let (Some(first), Some(now_s)) = (first, seen.observed.now_s) else { return };
    let unarchived = seen.view.archive.as_ref().filter(|archive| archive.failing);
    let unarchived = unarchived.and_then(|archive| archive.last_age_s).unwrap_or_default();
    out.gauge("pgha_recovery_window_start_timestamp_seconds", "Earliest time to restore to.")
        .set(vec![seen.cluster()], number(first));
    out.gauge("pgha_recovery_window_seconds", "Length of the time that can be restored to.")
        .set(vec![seen.cluster()], number(now_s.saturating_sub(unarchived).saturating_sub(first)));
}
