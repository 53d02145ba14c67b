//! Patroni's `patroni.dynamic.json`: the dynamic configuration that a backup brings along.
//!
//! Patroni keeps a copy of its dynamic configuration in the data directory, and takes it where etcd has none, as in
//! a cluster that was made for the restore. What was about the old cluster's operation must not come back.

use serde_json::Value;

/// Name of the file in the data directory.
pub const DYNAMIC_FILE: &str = "patroni.dynamic.json";
/// Settings that would keep the restored node from leading.
const DROPPED: [&str; 2] = ["pause", "standby_cluster"];

/// That configuration without a pause and without a cluster to follow; `None` where it has neither, or is no
/// configuration.
pub fn without_operation(dynamic: &str) -> Option<String> {
    let Ok(Value::Object(mut settings)) = serde_json::from_str(dynamic) else { return None };
    let before = settings.len();
    settings.retain(|name, _| !DROPPED.contains(&name.as_str()));
    (settings.len() < before).then(|| Value::Object(settings).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pause_and_a_cluster_to_follow_go_and_the_rest_stays() {
        let paused = r#"{"ttl": 30, "pause": true, "standby_cluster": {"host": "a"}, "slots": {"pause": {}}}"#;
        let kept = without_operation(paused).expect("it was paused");
        let kept: Value = serde_json::from_str(&kept).expect("JSON");
        assert_eq!(kept, json!({"ttl": 30, "slots": {"pause": {}}}));
        assert!(without_operation(r#"{"pause": false}"#).is_some());
        for other in [r#"{"ttl": 30}"#, "{}", "", "oops", "[1]", "null"] {
            assert_eq!(without_operation(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_and_nothing_is_left_to_drop(text: String, ttl: u32, pause: bool) {
            let _ = without_operation(&text);
            let paused = json!({"ttl": ttl, "pause": pause, "loop_wait": text});
            let kept = without_operation(&paused.to_string()).expect("it has a pause");
            prop_assert_eq!(without_operation(&kept), None);
            let kept: Value = serde_json::from_str(&kept).expect("JSON");
            prop_assert_eq!(kept, json!({"ttl": ttl, "loop_wait": text}));
        }
    }
}
