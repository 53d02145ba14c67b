//! What Prometheus and Grafana are given to watch a cluster: a scrape configuration, alert rules under the names people
//! know, and one dashboard. Text only: where it is written to is not its concern.

mod alerts;
mod dashboard;
#[cfg(test)]
mod tests;

use crate::topology::ClusterId;

/// Alert rules for any cluster. They use only metrics of [`crate::metrics`].
pub const RULES: &str = include_str!("prometheus/rules.yml");

pub use alerts::{demand, firing};
pub use dashboard::dashboard;

/// A configuration with one job, which reads the token from a file beside it.
pub fn configuration(id: &ClusterId, port: u16, token_file: &str, rules_file: &str) -> String {
    format!(
        "# Prometheus for the pgha cluster {id}: prometheus --config.file=prometheus.yml\n\
         # The metrics are those of: pgha web {id} --port {port} --token-file {token_file}\n\
         global:\n  scrape_interval: 15s\n  evaluation_interval: 15s\n\
         rule_files:\n  - {rules_file}\n\
         scrape_configs:\n  - job_name: pgha-{id}\n    metrics_path: /metrics\n    scrape_timeout: 10s\n    \
         authorization:\n      credentials_file: {token_file}\n    \
         static_configs:\n      - targets: ['127.0.0.1:{port}']\n"
    )
}

/// A configuration for the time of a drill: metrics that are there for the asking, looked at every other second, so that an
/// alert fires hardly later than its `for` says.
pub fn drill_configuration(id: &ClusterId, port: u16, rules_file: &str) -> String {
    format!(
        "global:\n  scrape_interval: 2s\n  scrape_timeout: 2s\n  evaluation_interval: 2s\n\
         rule_files:\n  - {rules_file}\n\
         scrape_configs:\n  - job_name: pgha-{id}\n    metrics_path: /metrics\n    \
         static_configs:\n      - targets: ['127.0.0.1:{port}']\n"
    )
}
