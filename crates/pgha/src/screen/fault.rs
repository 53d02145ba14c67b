//! Kinds of faults, and the faults of a cluster.

use pgha_core::fault::{Injected, Kind};
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

/// What a cluster has to live with.
pub(crate) fn injected(faults: &[&Injected]) -> String {
    if faults.is_empty() {
        return "no fault\n".to_owned();
    }
    let row = |fault: &&Injected| {
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
}

/// A time of day out of RFC 3339 in UTC.
fn seconds(at: &str) -> &str {
    at.split_once('T').map_or(at, |(_, time)| time.get(..8).unwrap_or(time))
}

#[cfg(test)]
mod tests {
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
            targets: vec!["DC1".to_owned()],
            links: Vec::new(),
            at: "2026-11-28T03:00:01.123Z".to_owned(),
            until: until.map(str::to_owned),
        };
        let etcd = Some(Service::Etcd);
        let (open, timed) = (fault(None, None), fault(etcd, Some("2026-11-28T03:00:31.123Z")));
        let text = anstream::adapter::strip_str(&injected(&[&open, &timed])).to_string();
        insta::assert_snapshot!(text, @r"
        ID        FAULT                TARGETS  SINCE (UTC)  UNTIL
        5b1c22d0  isolate              DC1      03:00:01     healed
        5b1c22d0  isolate --port etcd  DC1      03:00:01     03:00:31
        ");
        assert_eq!(injected(&[]), "no fault\n");
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
