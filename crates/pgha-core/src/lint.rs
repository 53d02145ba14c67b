//! What a database administrator should be told about a spec before anything runs.
//!
//! [`check`] says everything at once, as [`Finding`]s. The first stage (`range`, `links`, `backup`,
//! `postgres`, `patroni`, `proxy`) looks at numbers and names alone; where it finds no number that no topology can have, the second
//! (`placement`, `data_centers`, `operation`) works out the topology and looks at that. So nothing is ever
//! computed, or allocated, for absurd numbers.
//!
//! An error stops, a warning is something to think about, an info explains. The lint knows nothing
//! of the host; [`crate::estimate`] compares needs with what a host has.

mod backup;
mod data_centers;
mod links;
mod operation;
mod patroni;
mod placement;
mod postgres;
mod proxy;
mod range;

pub use crate::finding::{Finding, Severity};
use crate::spec::Spec;
use crate::topology::Topology;

pub use links::of_change;
pub(crate) use patroni::known as patroni_settings;
pub use range::SUPPORTED_POSTGRES;

/// Everything there is to say about the spec, errors first.
pub fn check(spec: &Spec) -> Vec<Finding> {
    let mut findings = range::counts(spec);
    let is_possible = findings.is_empty();
    findings.extend(range::words(spec));
    findings.extend(backup::check(&spec.backup));
    findings.extend(postgres::check(spec, is_possible));
    findings.extend(patroni::check(spec, is_possible));
    findings.extend(proxy::check(spec));
    let links = links::check(spec, is_possible);
    if is_possible {
        let topology = Topology::new(spec.clone(), 1);
        findings.extend(placement::check(&topology));
        findings.extend(data_centers::check(spec));
        findings.extend(operation::nodes(&topology));
        if !has_errors(&links) {
            findings.extend(operation::distances(spec));
        }
    }
    findings.extend(links);
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// Whether any finding forbids the cluster.
pub fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

/// The start of a text that may be very long.
pub(crate) fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
