//! `--compare`: clusters that differ in one setting.

use std::mem::discriminant;

use pgha_core::spec::{Durability, Spec};

use crate::cli::Variant;
use crate::error::{Error, Result};

/// The cluster of each value, by the value.
///
/// # Errors
/// When there are fewer than two values, they are of different settings, or the setting has no effect in this cluster.
pub(crate) fn of(spec: &Spec, values: &[Variant]) -> Result<Vec<(String, Spec)>> {
    let one_setting =
        values.windows(2).all(|pair| discriminant(&pair[0]) == discriminant(&pair[1]));
    if values.len() < 2 || !one_setting {
        return Err(Error::bad_input("--compare takes two or more values of one setting")
            .hint("--compare async,quorum, --compare remote,local or --compare fast,norm"));
    }
    if matches!(values[0], Variant::Acknowledge(_)) && spec.durability == Durability::Async {
        return Err(Error::bad_input("with durability async no standby acknowledges")
            .hint("--durability quorum, or sync, goes with --compare remote,local"));
    }
    let with = |value: &Variant| match *value {
        Variant::Durability(durability) => {
            (durability.to_string(), Spec { durability, ..spec.clone() })
        }
        Variant::Acknowledge(acknowledge) => {
            (acknowledge.to_string(), Spec { acknowledge, ..spec.clone() })
        }
        Variant::Timers(timers) => (timers.to_string(), Spec { timers, ..spec.clone() }),
    };
    Ok(values.iter().map(with).collect())
}
