//! One remark of a check, for people and for programs.

use serde::{Deserialize, Serialize};

/// How much a finding or a problem of a running cluster matters; the order is that of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// There can be no such cluster; or writes fail, or may be lost.
    Error,
    /// The cluster works, and something about it is probably not what is wanted, or less than it should have.
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
