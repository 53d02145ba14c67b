//! The drills that pgha brings with it, each a file in the folder of this module.

use super::Drill;

/// Name and text of each, in the order of a listing.
pub const CATALOGUE: [(&str, &str); 60] = [
    ("leader-killed", include_str!("catalogue/leader-killed.toml")),
    ("leader-killed-twice", include_str!("catalogue/leader-killed-twice.toml")),
    ("leader-stopped", include_str!("catalogue/leader-stopped.toml")),
    ("leader-restarted", include_str!("catalogue/leader-restarted.toml")),
    ("leader-frozen", include_str!("catalogue/leader-frozen.toml")),
    ("leader-blinks", include_str!("catalogue/leader-blinks.toml")),
    ("postgres-crash", include_str!("catalogue/postgres-crash.toml")),
    ("crash-burst", include_str!("catalogue/crash-burst.toml")),
    ("postgres-frozen", include_str!("catalogue/postgres-frozen.toml")),
    ("session-killed", include_str!("catalogue/session-killed.toml")),
    ("patroni-killed", include_str!("catalogue/patroni-killed.toml")),
    ("patroni-frozen", include_str!("catalogue/patroni-frozen.toml")),
    ("patroni-clock-ahead", include_str!("catalogue/patroni-clock-ahead.toml")),
    ("patroni-clock-behind", include_str!("catalogue/patroni-clock-behind.toml")),
    ("replica-killed", include_str!("catalogue/replica-killed.toml")),
    ("replica-frozen", include_str!("catalogue/replica-frozen.toml")),
    ("standby-frozen-leader-killed", include_str!("catalogue/standby-frozen-leader-killed.toml")),
    ("rolling-restart", include_str!("catalogue/rolling-restart.toml")),
    ("standby-killed", include_str!("catalogue/standby-killed.toml")),
    ("walreceiver-killed", include_str!("catalogue/walreceiver-killed.toml")),
    ("etcd-leader-killed", include_str!("catalogue/etcd-leader-killed.toml")),
    ("etcd-leader-frozen", include_str!("catalogue/etcd-leader-frozen.toml")),
    ("etcd-clock-ahead", include_str!("catalogue/etcd-clock-ahead.toml")),
    ("node-volume-lost", include_str!("catalogue/node-volume-lost.toml")),
    ("etcd-volume-lost", include_str!("catalogue/etcd-volume-lost.toml")),
    ("both-leaders-killed", include_str!("catalogue/both-leaders-killed.toml")),
    ("site-lost", include_str!("catalogue/site-lost.toml")),
    ("local-site-lost", include_str!("catalogue/local-site-lost.toml")),
    ("site-isolated", include_str!("catalogue/site-isolated.toml")),
    ("site-isolated-control", include_str!("catalogue/site-isolated-control.toml")),
    ("site-muted", include_str!("catalogue/site-muted.toml")),
    ("site-deafened", include_str!("catalogue/site-deafened.toml")),
    ("other-site-lost", include_str!("catalogue/other-site-lost.toml")),
    ("other-site-isolated", include_str!("catalogue/other-site-isolated.toml")),
    ("sites-cut", include_str!("catalogue/sites-cut.toml")),
    ("postgres-port-cut", include_str!("catalogue/postgres-port-cut.toml")),
    ("etcd-port-cut", include_str!("catalogue/etcd-port-cut.toml")),
    ("patroni-port-cut", include_str!("catalogue/patroni-port-cut.toml")),
    (
        "patroni-port-cut-leader-killed",
        include_str!("catalogue/patroni-port-cut-leader-killed.toml"),
    ),
    ("external-lost", include_str!("catalogue/external-lost.toml")),
    ("external-isolated", include_str!("catalogue/external-isolated.toml")),
    ("majority-lost-alert", include_str!("catalogue/majority-lost-alert.toml")),
    ("majority-isolated", include_str!("catalogue/majority-isolated.toml")),
    ("majority-lost", include_str!("catalogue/majority-lost.toml")),
    ("flapping", include_str!("catalogue/flapping.toml")),
    ("site-flaps", include_str!("catalogue/site-flaps.toml")),
    ("replication-flaps", include_str!("catalogue/replication-flaps.toml")),
    ("router-killed", include_str!("catalogue/router-killed.toml")),
    ("router-restarted", include_str!("catalogue/router-restarted.toml")),
    ("disk-full", include_str!("catalogue/disk-full.toml")),
    ("disk-hung", include_str!("catalogue/disk-hung.toml")),
    ("disk-slow", include_str!("catalogue/disk-slow.toml")),
    ("archive-broken", include_str!("catalogue/archive-broken.toml")),
    ("repository-away", include_str!("catalogue/repository-away.toml")),
    ("repository-full", include_str!("catalogue/repository-full.toml")),
    ("append-leader-killed", include_str!("catalogue/append-leader-killed.toml")),
    ("append-isolated-control", include_str!("catalogue/append-isolated-control.toml")),
    ("register-leader-killed", include_str!("catalogue/register-leader-killed.toml")),
    ("bank-leader-killed", include_str!("catalogue/bank-leader-killed.toml")),
    ("patroni-jepsen", include_str!("catalogue/patroni-jepsen.toml")),
];

/// The lessons that pgha brings with it, in the order in which they are taught.
pub const LESSONS: [(&str, &str); 9] = [
    ("quorum", include_str!("lessons/quorum.toml")),
    ("failover", include_str!("lessons/failover.toml")),
    ("async-loses-writes", include_str!("lessons/async-loses-writes.toml")),
    ("split-brain", include_str!("lessons/split-brain.toml")),
    ("sync-across-an-ocean", include_str!("lessons/sync-across-an-ocean.toml")),
    ("external-site", include_str!("lessons/external-site.toml")),
    ("switching-over", include_str!("lessons/switching-over.toml")),
    ("table-dropped", include_str!("lessons/table-dropped.toml")),
    ("failsafe", include_str!("lessons/failsafe.toml")),
];

/// The file of the drill or lesson of that name.
pub fn text_of(name: &str) -> Option<&'static str> {
    let mut all = CATALOGUE.iter().chain(&LESSONS);
    all.find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The drill or lesson of that name. A test reads every file.
pub fn by_name(name: &str) -> Option<Drill> {
    Drill::parse(name, text_of(name)?).ok()
}
