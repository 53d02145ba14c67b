//! What a database administrator should be told about a spec before anything runs.
//!
//! [`check`] says everything at once, as [`Finding`]s. The first stage (`range`, `links`, `backup`) looks at
//! numbers and names alone; where it finds no number that no topology can have, the second
//! (`placement`, `operation`) works out the topology and looks at that. So nothing is ever
//! computed, or allocated, for absurd numbers.
//!
//! An error stops, a warning is something to think about, an info explains. The lint knows nothing
//! of the host; [`crate::estimate`] compares needs with what a host has.

mod backup;
mod links;
mod operation;
mod placement;
mod range;

use serde::Serialize;

use crate::spec::Spec;
use crate::topology::Topology;

pub use links::of_change;
pub use range::SUPPORTED_POSTGRES;

/// How much a finding matters; the order is that of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// There can be no such cluster.
    Error,
    /// The cluster works, and something about it is probably not what is wanted.
    Warning,
    /// Nothing is wrong; it is good to know.
    Info,
}

impl Severity {
    /// The word in listings and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// One remark about a spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Stable word for programs, in snake case.
    pub code: &'static str,
    /// What is the matter: one sentence, without a full stop.
    pub message: String,
    /// What can be done, or why it is so: one sentence, without a full stop.
    pub hint: String,
}

impl Finding {
    pub(crate) fn error(
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Error, code, message: message.into(), hint: hint.into() }
    }

    pub(crate) fn warning(
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, hint) }
    }

    pub(crate) fn info(
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Info, ..Self::error(code, message, hint) }
    }
}

/// Everything there is to say about the spec, errors first.
pub fn check(spec: &Spec) -> Vec<Finding> {
    let mut findings = range::counts(spec);
    let is_possible = findings.is_empty();
    findings.extend(range::words(spec));
    findings.extend(backup::check(&spec.backup));
    let links = links::check(spec, is_possible);
    if is_possible {
        let topology = Topology::new(spec.clone(), 1);
        findings.extend(placement::check(&topology));
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
