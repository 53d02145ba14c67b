//! What `pgha plan` shows to people: placement, survival and findings.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::Style;
use pgha_core::disk::DiskUse;
use pgha_core::dynamic::LAG_MAX_BYTES;
use pgha_core::plan::{Plan, PlannedSite, PlannedWan};
use pgha_core::spec::{Acknowledge, Durability, SiteRole};
use pgha_core::survival::{self, SmallestLosses, Survival, SurvivalRow};
use pgha_core::topology::{SiteKind, Topology};
use pgha_core::words::{bytes, either, standbys};
use pgha_wan::settings::{Cut, LinkSettings, RateLimit};
use pgha_wan::units::format_duration;

use crate::screen::table::{WIDTH_MAX, bad, wrapped};
use crate::screen::text::wrap;

const BOLD: Style = Style::new().bold();
/// Most of the smallest losses that are listed.
const SETS_SHOWN: usize = 6;

/// Placement and survival; `all` has each set of sites in a row of its own.
pub(crate) fn tables(topology: &Topology, plan: &Plan, all: bool) -> String {
    let mut out = String::new();
    put(&mut out, format_args!("{BOLD}Cluster {}{BOLD:#}", plan.cluster));
    put(
        &mut out,
        format_args!(
            "PostgreSQL {}, durability {}{}",
            plan.postgres,
            plan.durability,
            acknowledging(plan)
        ),
    );
    let timers = &plan.timers;
    put(
        &mut out,
        format_args!(
            "Patroni ttl {} s, loop_wait {} s, retry_timeout {} s ({})",
            timers.ttl_s, timers.loop_wait_s, timers.retry_timeout_s, timers.preset
        ),
    );
    if let Some(etcd) = &plan.etcd {
        put(
            &mut out,
            format_args!(
                "etcd {} members, quorum {}, heartbeat {} ms, election {} ms",
                etcd.total, etcd.quorum, etcd.heartbeat_ms, etcd.election_ms
            ),
        );
    }

    if let Some(disk) = &plan.disk {
        put(&mut out, format_args!("Disk {}", disk_use(disk)));
        put(&mut out, format_args!("  not counted: {}", disk.not_counted()));
    }

    put(&mut out, format_args!("\n{BOLD}Placement{BOLD:#}"));
    put(&mut out, format_args!("{}", placement(plan)));

    if let Some(wan) = &plan.wan {
        put(&mut out, format_args!("\n{BOLD}Distances{BOLD:#}"));
        put(&mut out, format_args!("{}", distances(wan)));
        let when =
            if wan.from_start { "From the start" } else { "In force once the cluster is ready" };
        put(&mut out, format_args!("{when}; seed {}.", wan.seed));
    }

    put(&mut out, format_args!("\n{BOLD}Survival{BOLD:#}"));
    let rows = if all {
        survival::explicit(topology, &plan.survival)
    } else {
        survival::grouped(topology)
    };
    if let Some(smallest) = &plan.smallest_losses {
        out.push_str(&in_short(&plan.survival, smallest));
    }
    put(&mut out, format_args!("{}", survival_table(&rows)));
    let sets = plan.survival.len();
    if topology.sites.len() > survival::ALL_SETS_MAX_SITES {
        put(&mut out, format_args!("Losses of more than two sites are not listed."));
    } else if rows.len() < sets {
        put(&mut out, format_args!("All {sets} sets of sites, grouped; --all lists each."));
    }
    put(
        &mut out,
        format_args!(
            "Worst case over the leader's location; sites are lost together and permanently."
        ),
    );
    if plan.survival.iter().any(|row| row.outcome.writes_go_on != row.outcome.writes_go_on_failsafe)
    {
        put(&mut out, format_args!("failsafe: only with Patroni's failsafe_mode."));
    }
    if plan.durability == Durability::Async {
        let condition = format!(
            "Promotion with async: a replica at most {} MiB behind the leader's last position in etcd \
             (maximum_lag_on_failover).",
            LAG_MAX_BYTES >> 20
        );
        put(&mut out, format_args!("{}", wrap(&condition, 0, WIDTH_MAX.into())));
    }
    out
}

/// What the loss of any one site does, and the smallest losses that stop writes or may lose some.
fn in_short(table: &[Survival], smallest: &SmallestLosses) -> String {
    let single = |is: &dyn Fn(&Survival) -> bool| -> Vec<String> {
        let one = table.iter().filter(|row| row.lost.len() == 1 && is(row));
        one.map(|row| row.lost[0].clone()).collect()
    };
    let stop = single(&|row| row.outcome.stops_writes());
    let lose = single(&|row| row.outcome.acknowledged_loss);
    let may_lose = match lose.as_slice() {
        [] => "no acknowledged write is lost".to_owned(),
        some => format!("acknowledged writes may be lost with {}", either(some)),
    };
    let any_one = match stop.as_slice() {
        [] => {
            format!("Any single site lost: writes continue, at most after a failover; {may_lose}.")
        }
        some => format!("Any single site lost: writes stop without {}; {may_lose}.", either(some)),
    };
    let all = |sets: &[String]| match sets {
        [] => "none".to_owned(),
        some if some.len() <= SETS_SHOWN => some.join("; "),
        some => {
            let more = some.len() - SETS_SHOWN;
            format!("{}; and {more} more", some[..SETS_SHOWN].join("; "))
        }
    };
    let larger = if smallest.complete { "" } else { " Larger ones are not listed." };
    let smallest = format!(
        "Smallest losses that stop writes: {}. That may lose acknowledged writes: {}.{larger}",
        all(&smallest.stop_writes),
        all(&smallest.may_lose_writes)
    );
    format!("{}\n{}\n", wrap(&any_one, 0, WIDTH_MAX.into()), wrap(&smallest, 0, WIDTH_MAX.into()))
}

fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(out, "{line}").expect("writing to a string cannot fail");
}

/// `up to 5.5 GB beside data and backups, 38 GB free`.
pub(crate) fn disk_use(disk: &DiskUse) -> String {
    let free = disk.free_bytes.map(|free| format!(", {} free", bytes(free))).unwrap_or_default();
    format!("up to {} beside data and backups{free}", bytes(disk.may_take_bytes))
}

/// ` (2 standbys acknowledge each write)`, by the leader's data center where that differs.
fn acknowledging(plan: &Plan) -> String {
    let whose = match plan.acknowledge {
        Acknowledge::Remote => "",
        Acknowledge::Local => " in the leader's data center",
        Acknowledge::Any => " in any data center",
    };
    let each: Vec<(&str, u32)> = plan
        .sites
        .iter()
        .filter_map(|site| Some((site.name.as_str(), site.acknowledging_standbys?)))
        .collect();
    match each.as_slice() {
        [] | [(_, 0), ..] => String::new(),
        [(_, count), rest @ ..] if rest.iter().all(|(_, other)| other == count) => {
            let verb = if *count == 1 { "acknowledges" } else { "acknowledge" };
            format!(" ({}{whose} {verb} each write)", standbys(*count))
        }
        each => {
            let each =
                each.iter().map(|(site, count)| format!("{count} with the leader in {site}"));
            format!(
                "\n  standbys that acknowledge each write: {}",
                each.collect::<Vec<_>>().join(", ")
            )
        }
    }
}

fn placement(plan: &Plan) -> String {
    let row = |site: &PlannedSite| {
        let kind = match (site.kind, site.role) {
            (SiteKind::External, _) => "external".to_owned(),
            (SiteKind::DataCenter, Some(SiteRole::Standby)) => "standby data center".to_owned(),
            (SiteKind::DataCenter, _) => match site.priority {
                Some(priority) => format!("data center, priority {priority}"),
                None => "data center".to_owned(),
            },
        };
        let (postgres, etcd) = (site.postgres.to_string(), site.etcd.to_string());
        vec![site.name.clone(), kind, postgres, etcd]
    };
    wrapped(&["SITE", "KIND", "POSTGRES", "ETCD"], &[2, 3], plan.sites.iter().map(row))
}

/// Pairs of sites with the same distance in one row.
fn distances(wan: &PlannedWan) -> String {
    let mut rows: Vec<([String; 4], Vec<String>)> = Vec::new();
    let mut pairs = 0;
    for (n, forth) in wan.links.iter().enumerate() {
        let later = wan.links[n..].iter();
        let Some(back) = later.clone().find(|l| (&l.from, &l.to) == (&forth.to, &forth.from))
        else {
            continue;
        };
        pairs += 1;
        let (a, b) = (&forth.settings, &back.settings);
        let both = |each: &dyn Fn(&LinkSettings) -> String| {
            let (there, back) = (each(a), each(b));
            if there == back { there } else { format!("{there} / {back}") }
        };
        let round_trip = match (a.cut == Cut::Yes || b.cut == Cut::Yes, a.latency + b.latency) {
            (true, _) => "cut".to_owned(),
            (false, Duration::ZERO) => "none".to_owned(),
            (false, sum) => format_duration(sum),
        };
        let what = [
            round_trip,
            both(&|link| {
                if link.jitter.is_zero() { "none".into() } else { format_duration(link.jitter) }
            }),
            both(&|link| link.loss.to_string()),
            both(&|link| RateLimit(link.rate).to_string()),
        ];
        let pair = format!("{}–{}", forth.from, forth.to);
        match rows.iter_mut().find(|(other, _)| *other == what) {
            Some((_, same)) => same.push(pair),
            None => rows.push((what, vec![pair])),
        }
    }
    let row = |(what, same): ([String; 4], Vec<String>)| {
        let all = same.len() == pairs && pairs > 1;
        let sites = if all { "any two".to_owned() } else { same.join(", ") };
        [vec![sites], what.to_vec()].concat()
    };
    wrapped(&["SITES", "ROUND TRIP", "JITTER", "LOSS", "RATE"], &[], rows.into_iter().map(row))
}

fn survival_table(rows: &[SurvivalRow]) -> String {
    let row = |row: &SurvivalRow| {
        vec![
            row.lost.clone(),
            answer(row.outcome.quorum, true),
            answer(row.outcome.promotable, true),
            match (row.outcome.writes_go_on, row.outcome.writes_go_on_failsafe) {
                (false, true) => "failsafe".to_owned(),
                (go_on, _) => answer(go_on, true),
            },
            answer(row.outcome.acknowledged_loss, false),
        ]
    };
    let header = ["LOST", "QUORUM", "FAILOVER", "WRITES GO ON", "WRITES MAY BE LOST"];
    wrapped(&header, &[], rows.iter().map(row))
}

/// The word, marked where it is not the `good` one.
fn answer(is: bool, good: bool) -> String {
    let word = if is { "yes" } else { "no" };
    if is == good { word.to_owned() } else { bad(word) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgha_core::spec::Spec;

    fn screen(spec: &Spec, all: bool) -> String {
        let text = tables(&Topology::new(spec.clone(), 1), &Plan::of(spec, None), all);
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn the_plan_of_two_data_centers_looks_like_this() {
        insta::assert_snapshot!(screen(&Spec { data_centers: 2, ..Spec::default() }, false));
    }

    #[test]
    fn the_plan_of_twelve_data_centers_is_grouped_and_fits_the_screen() {
        let spec = Spec {
            data_centers: 12,
            must_suffice: 8,
            durability: pgha_core::spec::Durability::Quorum,
            ..Spec::default()
        };
        let text = screen(&spec, false);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn every_set_of_many_sites_wraps_within_the_screen() {
        let text = screen(&Spec { data_centers: 9, ..Spec::default() }, true);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn distances_of_a_plan_are_grouped_by_pair() {
        let mut spec = Spec { data_centers: 3, ..Spec::default() };
        spec.wan.preset = Some(pgha_wan::preset::WanPreset::Continental);
        spec.timers = pgha_core::spec::TimerPreset::Safe;
        assert!(screen(&spec, false).contains("any two"), "{}", screen(&spec, false));
        let far = pgha_core::spec::LinkSpec::one_way("DC1", "DC3", Duration::from_millis(70));
        spec.links.push(far);
        insta::assert_snapshot!(screen(&spec, false));
    }

    #[test]
    fn bad_answers_are_coloured_and_columns_stay_where_they_are() {
        let spec = Spec { data_centers: 2, ..Spec::default() };
        let text = tables(&Topology::new(spec.clone(), 1), &Plan::of(&spec, None), false);
        assert!(text.contains("\u{1b}[31m") || text.contains("\u{1b}[1m\u{1b}[31m"), "{text:?}");
        assert!(!text.contains(['\u{e000}', '\u{e001}']), "{text:?}");
    }
}
