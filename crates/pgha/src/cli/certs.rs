//! The command line of `certs`.

use clap::{Args, Subcommand};
use pgha_core::certs::DAYS_MAX;

use crate::cli::ReportArgs;

/// Arguments of `certs`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha certs show demo\n  \
    pgha certs rotate demo --dry-run\n  \
    pgha certs rotate demo --ca")]
pub(crate) struct Certs {
    #[command(subcommand)]
    pub(crate) verb: CertsVerb,
    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertsVerb {
    /// Show each certificate: names, expiry, fingerprint, and whether its member serves it
    Show(ShowCerts),
    /// Replace all certificates, one member at a time, without an outage
    Rotate(RotateCerts),
}

/// Arguments of `certs show`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pgha certs show demo\n  \
    pgha certs show demo --json | jq '.certificates[] | {member, days_left, served}'\n\n\
    The files of the secrets folder, and what pgBackRest's server of each member shows.")]
pub(crate) struct ShowCerts {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `certs rotate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    pgha certs rotate demo --dry-run        the steps\n  \
    pgha certs rotate demo                  new certificates of the same CA\n  \
    pgha certs rotate demo --ca             a new CA, trusted beside the old one until nobody needs that\n  \
    pgha certs rotate demo --days 90        certificates that expire\n\n\
    Connections that are open stay open. Killed in between, the same command goes on.")]
pub(crate) struct RotateCerts {
    /// Cluster, such as `demo` or `demo-2` [default: this folder's, else the only one]
    #[arg(value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Replace the CA, too
    #[arg(long)]
    pub(crate) ca: bool,
    /// Days until the new certificates expire [default: they do not]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(DAYS_MAX)))]
    pub(crate) days: Option<u32>,
    /// Print the steps, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
