//! The command line of `pgha metrics`, `export` and `web`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// The page's port where none is given to a configuration that names it.
const PORT: u16 = 7432;

/// Arguments of `metrics`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha metrics demo\n  \
    pgha metrics demo > /var/lib/prometheus/node-exporter/pgha.prom\n\n\
    `pgha web` serves the same text as /metrics. Names are those of Patroni, postgres_exporter, etcd and \
    pgbackrest_exporter; see docs/metrics.md.")]
pub(crate) struct Metrics {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(
    disable_help_subcommand = true,
    after_help = "Example:\n  pgha export prometheus demo -o monitoring"
)]
pub(crate) struct Export {
    #[command(subcommand)]
    pub(crate) what: ExportWhat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExportWhat {
    /// Write a scrape configuration, alert rules and a Grafana dashboard
    Prometheus(ExportPrometheus),
    /// Write a proxysql.cnf with this cluster's nodes and users
    Proxysql(ExportProxysql),
}

/// Arguments of `export proxysql`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha export proxysql demo\n  \
    pgha export proxysql demo --site DC2 -o dc2.cnf\n\n\
    The file has passwords and is for its owner alone (mode 0600). docs/proxies.md says how to run ProxySQL with it.")]
pub(crate) struct ExportProxysql {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Data center that it runs in, whose replicas it prefers [default: the first]
    #[arg(long, value_name = "SITE")]
    pub(crate) site: Option<String>,
    /// File to write
    #[arg(short = 'o', long = "output", value_name = "FILE", default_value = "proxysql.cnf")]
    pub(crate) file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// Arguments of `export prometheus`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha export prometheus demo\n  \
    pgha export prometheus demo -o monitoring --port 7433\n\n\
    prometheus.yml, rules.yml, dashboard.json (import it into Grafana) and token, which `pgha web --token-file` reads.")]
pub(crate) struct ExportPrometheus {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Folder to write to; it is created
    #[arg(short = 'o', long = "output", value_name = "DIR", default_value = "prometheus")]
    pub(crate) dir: PathBuf,
    /// Port of `pgha web`
    #[arg(long, value_name = "PORT", default_value_t = PORT, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// Replace files that were changed
    #[arg(long)]
    pub(crate) force: bool,
}

/// Arguments of `web`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha web demo\n  pgha web demo --allow-changes\n  \
    pgha web demo --port 7432 --token-file prometheus/token\n  pgha web demo --json | jq -r .url\n\n\
    The page listens on 127.0.0.1 only, and the address has its token. Without --allow-changes it can change nothing. \
    Ctrl-C ends it.")]
pub(crate) struct Web {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Port on 127.0.0.1 [default: a free one]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub(crate) port: u16,
    /// Offer switchover, faults and links as buttons, each with its command line
    #[arg(long)]
    pub(crate) allow_changes: bool,
    /// File with the token; it is created with a random one [default: a new token each time]
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Print the address as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
