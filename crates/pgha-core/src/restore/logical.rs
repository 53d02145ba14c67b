//! Logical replication of a database: what a restore does to it.
//!
//! A backup has no replication slots, so a restore loses them with what their consumers have not got yet.
//! It has subscriptions: those of a copy would go on with the publisher's slots of the original.

use serde::{Deserialize, Serialize};

/// What the leader is asked; it answers with a [`LogicalReplication`] in JSON.
pub const LOGICAL_SQL: &str = "select json_build_object(\
    'slots', (select coalesce(json_agg(json_build_object('name', slot_name, 'plugin', plugin, \
    'database', database, 'active', active) order by slot_name), '[]') \
    from pg_replication_slots where slot_type = 'logical' and not temporary), \
    'subscriptions', (select coalesce(json_agg(json_build_object('name', subname, \
    'database', datname, 'enabled', subenabled) order by datname, subname), '[]') \
    from pg_subscription join pg_database d on d.oid = subdbid))";

/// Logical slots and subscriptions of a database.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogicalReplication {
    /// Its logical slots, which feed others.
    pub slots: Vec<LogicalSlot>,
    /// Its own subscriptions.
    pub subscriptions: Vec<Subscription>,
}

/// A logical replication slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogicalSlot {
    /// Its name.
    pub name: String,
    /// The output plugin.
    pub plugin: String,
    /// The database.
    pub database: String,
    /// Whether a consumer is connected.
    pub active: bool,
}

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its name.
    pub name: String,
    /// The database.
    pub database: String,
    /// Whether it is enabled.
    pub enabled: bool,
}

impl std::fmt::Display for LogicalSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, plugin, database, active } = self;
        let active = if *active { "active" } else { "inactive" };
        write!(f, "{name} ({plugin}, database {database}, {active})")
    }
}

impl std::fmt::Display for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, database, enabled } = self;
        let enabled = if *enabled { "enabled" } else { "disabled" };
        write!(f, "{name} (database {database}, {enabled})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_leader_answers_is_read_and_said() {
        let answer = r#"{"slots" : [{"name" : "orders", "plugin" : "pgoutput", "database" : "shop", "active" : true}],
            "subscriptions" : [{"name" : "prices", "database" : "shop", "enabled" : false}]}"#;
        let read: LogicalReplication = serde_json::from_str(answer).expect("an answer");
        assert_eq!(read.slots[0].to_string(), "orders (pgoutput, database shop, active)");
        assert_eq!(read.subscriptions[0].to_string(), "prices (database shop, disabled)");
    }
}
