//! Kinds of faults, and the faults of a cluster.

use std::collections::BTreeMap;

use pgha_core::fault::{ClockNow, Injected, Kind, On};
use serde::Serialize;

use crate::screen::table;

/// One kind, as `pgha fault list --json` has it.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    kind: Kind,
    lasts: bool,
    does: &'static str,
    means: &'static str,
}

/// Every kind.
pub(crate) fn document() -> Vec<Row> {
    let row =
        |kind: Kind| Row { kind, lasts: kind.lasts(), does: kind.about(), means: kind.means() };
    Kind::all().map(row).collect()
}

/// Every kind as a table.
pub(crate) fn kinds() -> String {
    let row = |kind: Kind| {
        let lasts = if kind.lasts() { "yes" } else { "no" };
        vec![kind.to_string(), lasts.to_owned(), kind.about().to_owned(), kind.means().to_owned()]
    };
    table::wrapped(&["FAULT", "LASTS", "DOES", "MEANS"], &[], Kind::all().map(row)) + "\n"
}

/// A fault as `pgha fault show --json` has it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown<'a> {
    /// What was injected.
    #[serde(flatten)]
    pub(crate) fault: &'a Injected,
    /// How the clocks are that it has put off, by member.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) clocks: BTreeMap<String, ClockNow>,
}

impl Shown<'_> {
    /// What is no longer as it was injected.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let (On::Clock(program), Some(offset)) = (self.fault.kind.on(), self.fault.offset) else {
            return Vec::new();
        };
        let each = self.clocks.iter().filter_map(|(name, now)| now.remark(name, program, offset));
        each.collect()
    }
}

/// What a cluster has to live with.
pub(crate) fn injected(faults: &[Shown<'_>]) -> String {
    if faults.is_empty() {
        return "no fault\n".to_owned();
    }
    let row = |Shown { fault, .. }: &Shown<'_>| {
        let until = fault.until.as_deref().map_or("healed", seconds);
        vec![
            fault.id.clone(),
            fault.deed().to_string(),
            fault.targets.join(" "),
            seconds(&fault.at).to_owned(),
            until.to_owned(),
        ]
    };
    table::wrapped(&["ID", "FAULT", "TARGETS", "SINCE (UTC)", "UNTIL"], &[], faults.iter().map(row))
        + "\n"
        + &faults.iter().flat_map(Shown::remarks).map(|remark| remark + "\n").collect::<String>()
}

/// A time of day out of RFC 3339 in UTC.
fn seconds(at: &str) -> &str {
    at.split_once('T').map_or(at, |(_, time)| time.get(..8).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use pgha_core::fault::Offset;
    use pgha_wan::service::Service;

    use super::*;

    #[test]
    fn what_is_injected_is_listed_with_its_id_and_its_end() {
        let fault = |port, until: Option<&str>| Injected {
            id: "5b1c22d0".to_owned(),
            kind: Kind::Isolate,
            port,
            flap: None,
            delay: None,
            offset: None,
            targets: vec!["DC1".to_owned()],
            links: Vec::new(),
            at: "2026-11-28T03:00:01.123Z".to_owned(),
            until: until.map(str::to_owned),
        };
        let shown = |fault| Shown { fault, clocks: BTreeMap::new() };
        let etcd = Some(Service::Etcd);
        let (open, timed) = (fault(None, None), fault(etcd, Some("2026-11-28T03:00:31.123Z")));
        let text =
            anstream::adapter::strip_str(&injected(&[shown(&open), shown(&timed)])).to_string();
        insta::assert_snapshot!(text, @r"
        ID        FAULT                TARGETS  SINCE (UTC)  UNTIL
        5b1c22d0  isolate              DC1      03:00:01     healed
        5b1c22d0  isolate --port etcd  DC1      03:00:01     03:00:31
        ");
        assert_eq!(injected(&[]), "no fault\n");
    }

    #[test]
    fn a_clock_that_is_the_machines_again_is_told_below_and_in_json() {
        let fault = |id: &str| Injected {
            id: id.to_owned(),
            kind: Kind::EtcdClock,
            port: None,
            flap: None,
            delay: None,
            offset: Some(Offset::USUAL),
            targets: vec!["pgha-etcd1-DC1-1".to_owned()],
            links: Vec::new(),
            at: "2026-11-28T03:00:01.123Z".to_owned(),
            until: None,
        };
        let (off, restarted) = (fault("5b1c22d0"), fault("5b1c22d1"));
        let clock = |now| BTreeMap::from([("pgha-etcd1-DC1-1".to_owned(), now)]);
        let off = Shown { fault: &off, clocks: clock(ClockNow::Off(Offset::USUAL)) };
        let restarted = Shown { fault: &restarted, clocks: clock(ClockNow::Machine) };
        let json = serde_json::to_value([&off, &restarted]).expect("JSON");
        assert_eq!(json[0]["clocks"]["pgha-etcd1-DC1-1"], "+30s");
        assert_eq!(json[1]["clocks"]["pgha-etcd1-DC1-1"], "machine");
        assert_eq!(json[1]["kind"], "etcd-clock");
        let text = anstream::adapter::strip_str(&injected(&[off, restarted])).to_string();
        insta::assert_snapshot!(text, @r"
        ID        FAULT                     TARGETS           SINCE (UTC)  UNTIL
        5b1c22d0  etcd-clock --offset +30s  pgha-etcd1-DC1-1  03:00:01     healed
        5b1c22d1  etcd-clock --offset +30s  pgha-etcd1-DC1-1  03:00:01     healed
        pgha-etcd1-DC1-1: etcd has the machine's clock: it was restarted since, or another fault of its clock was healed
        ");
    }

    #[test]
    fn the_documentation_has_every_kind_as_it_is() {
        let text = include_str!("../../../../docs/faults.md");
        for kind in Kind::all() {
            let lasts = if kind.lasts() { "yes" } else { "no" };
            let line = format!("| `{kind}` | {lasts} | {} | {} |", kind.about(), kind.means());
            assert!(text.contains(&line), "{line}");
        }
    }

    #[test]
    fn the_kinds_fit_a_terminal_of_80_columns() {
        let text = anstream::adapter::strip_str(&kinds()).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("patroni-freeze") && text.contains("watchdog"), "{text}");
    }
}
