//! The few questions PID 1 asks of Patroni's REST API.

use std::time::Duration;

use pgha_core::topology::{Member, PATRONI_PORT};

/// How long Patroni may take to answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(1);

/// Whether `GET /<check>` of the member's Patroni answers 200.
pub(crate) fn says_yes(member: &Member, check: &str) -> bool {
    ureq::get(format!("http://{}:{PATRONI_PORT}/{check}", member.address))
        .config()
        .timeout_global(Some(ANSWER_DEADLINE))
        .build()
        .call()
        .is_ok_and(|answer| answer.status() == 200)
}
