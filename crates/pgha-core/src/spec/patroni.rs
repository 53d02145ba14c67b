//! What Patroni's dynamic configuration starts with: the table `[patroni]` of the cluster file.
//!
//! Its keys and values are Patroni's own, over those that follow from `timers` and `durability`; `failsafe` is short for
//! `failsafe_mode`. Whether Patroni takes them is judged by [`crate::lint`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The key that is short for `failsafe_mode`.
const FAILSAFE: &str = "failsafe";

/// Keys of Patroni's dynamic configuration, as they stand in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PatroniSpec(pub BTreeMap<String, Value>);

impl PatroniSpec {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each setting by Patroni's own name.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| match key.as_str() {
            FAILSAFE => ("failsafe_mode", value),
            key => (key, value),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::spec::Spec;

    #[test]
    fn every_key_reads_back_as_it_was() {
        let text = "[patroni]\nfailsafe = true\nprimary_start_timeout = 25\n\
            [patroni.slots.cdc]\ntype = \"logical\"\ndatabase = \"shop\"\nplugin = \"pgoutput\"\n";
        let spec = Spec::from_toml(text).expect("a spec");
        let names: Vec<_> = spec.patroni.settings().map(|(name, _)| name).collect();
        assert_eq!(names, ["failsafe_mode", "primary_start_timeout", "slots"]);
        assert_eq!(Spec::from_toml(&spec.to_toml()), Ok(spec));
    }
}
