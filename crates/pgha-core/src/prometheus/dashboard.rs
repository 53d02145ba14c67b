//! One Grafana dashboard, as it is imported: rows of panels from a table.

use serde_json::{Value, json};

/// How a panel draws.
#[derive(Debug, Clone, Copy)]
enum Draw {
    /// One figure for each series, green from this value on.
    Figure(u32),
    /// Lines over time, with this unit of Grafana's.
    Lines(&'static str),
}

/// A panel: title, expression, legend, and how it draws.
type Panel = (&'static str, &'static str, &'static str, Draw);

const C: &str = "cluster=~\"$cluster\"";
/// Rows from top to bottom; `$` stands for the chosen cluster.
const ROWS: &[(&str, &[Panel])] = &[
    (
        "Now",
        &[
            ("Leader", "pgha_has_leader{$}", "{{cluster}}", Draw::Figure(1)),
            ("Durability met", "pgha_durability_met{$}", "{{cluster}}", Draw::Figure(1)),
            ("Survives the loss of", "pgha_survives_site_loss{$}", "{{site}}", Draw::Figure(1)),
            (
                "Running members",
                "sum by (site) (pgha_member_running{$})",
                "{{site}}",
                Draw::Figure(1),
            ),
        ],
    ),
    (
        "Roles and replication",
        &[
            ("Primary", "patroni_primary{$}", "{{name}} ({{site}})", Draw::Lines("none")),
            (
                "Replication lag",
                "pgha_replication_lag_bytes{$}",
                "{{name}} ({{site}})",
                Draw::Lines("bytes"),
            ),
            ("Timeline", "patroni_postgres_timeline{$}", "{{name}}", Draw::Lines("none")),
            (
                "WAL written",
                "sum by (cluster) (rate(patroni_xlog_location{$}[1m]))",
                "{{cluster}}",
                Draw::Lines("Bps"),
            ),
        ],
    ),
    (
        "WAN",
        &[
            (
                "Round trips",
                "pgha_round_trip_measured_seconds{$}",
                "{{site}} – {{to}}",
                Draw::Lines("s"),
            ),
            (
                "Throughput",
                "rate(pgha_link_delivered_bytes_total{$}[1m])",
                "{{from}} → {{to}}",
                Draw::Lines("Bps"),
            ),
            (
                "Dropped packets",
                "sum by (from, to) (rate(pgha_link_dropped_packets_total{$}[1m]))",
                "{{from}} → {{to}}",
                Draw::Lines("pps"),
            ),
            ("Blocked links", "pgha_link_cut{$}", "{{from}} → {{to}}", Draw::Lines("none")),
        ],
    ),
    (
        "etcd and backups",
        &[
            ("etcd read", "pgha_etcd_read_seconds{$}", "{{name}} ({{site}})", Draw::Lines("s")),
            ("etcd leader", "etcd_server_is_leader{$}", "{{name}} ({{site}})", Draw::Lines("none")),
            (
                "Age of the last backup",
                "pgbackrest_backup_since_last_completion_seconds{$}",
                "{{backup_type}}",
                Draw::Lines("s"),
            ),
            ("Recovery window", "pgha_recovery_window_seconds{$}", "{{cluster}}", Draw::Lines("s")),
        ],
    ),
];

/// The dashboard; it asks for the data source when it is imported.
pub fn dashboard() -> String {
    let source = json!({"type": "prometheus", "uid": "${DS_PROMETHEUS}"});
    let mut panels: Vec<Value> = Vec::new();
    let mut y = 0;
    for (title, row) in ROWS {
        panels.push(json!({
            "id": panels.len() + 1, "type": "row", "title": title, "collapsed": false, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": 24, "h": 1},
        }));
        y += 1;
        let mut height = 0;
        for (place, panel) in row.iter().enumerate() {
            height = if matches!(panel.3, Draw::Figure(_)) { 5 } else { 8 };
            let at = json!({"x": place * 6, "y": y, "w": 6, "h": height});
            panels.push(drawn(panel, panels.len() + 1, &at, &source));
        }
        y += height;
    }
    let dashboard = json!({
        "__inputs": [{
            "name": "DS_PROMETHEUS", "label": "Prometheus", "type": "datasource",
            "pluginId": "prometheus", "pluginName": "Prometheus",
        }],
        "title": "pgha", "uid": "pgha", "tags": ["postgresql", "patroni"], "schemaVersion": 39, "version": 1,
        "editable": true, "refresh": "15s", "time": {"from": "now-30m", "to": "now"}, "timezone": "",
        "templating": {"list": [{
            "name": "cluster", "label": "Cluster", "type": "query", "datasource": source,
            "query": {"query": "label_values(pgha_has_leader, cluster)", "refId": "cluster"},
            "definition": "label_values(pgha_has_leader, cluster)",
            "includeAll": true, "multi": true, "refresh": 2, "sort": 1,
            "current": {"text": "All", "value": "$__all"},
        }]},
        "annotations": {"list": [{
            "name": "Faults", "enable": true, "iconColor": "red", "datasource": source,
            "expr": format!("changes(pgha_faults{{{C}}}[1m]) > 0"), "titleFormat": "fault of {{cluster}}",
        }]},
        "panels": panels,
    });
    format!("{dashboard:#}\n")
}

fn drawn(panel: &Panel, id: usize, at: &Value, source: &Value) -> Value {
    let (title, expression, legend, draw) = panel;
    let expression = expression.replace('$', C);
    let (kind, defaults, options) = match draw {
        Draw::Figure(good) => (
            "stat",
            json!({"thresholds": {"mode": "absolute", "steps": [
                {"color": "red", "value": null}, {"color": "green", "value": good},
            ]}}),
            json!({"colorMode": "background", "textMode": "value_and_name", "reduceOptions": {"calcs": ["lastNotNull"]}}),
        ),
        Draw::Lines(unit) => (
            "timeseries",
            json!({"unit": unit, "min": 0}),
            json!({"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}),
        ),
    };
    json!({
        "id": id, "type": kind, "title": title, "gridPos": at, "datasource": source,
        "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options,
        "targets": [{"refId": "A", "expr": expression, "legendFormat": legend, "datasource": source}],
    })
}

#[cfg(test)]
pub(super) fn expressions() -> Vec<String> {
    let panels = ROWS.iter().flat_map(|(_, row)| row.iter());
    panels.map(|panel| panel.1.replace('$', C)).collect()
}
