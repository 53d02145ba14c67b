//! What is known of a cluster as metrics in Prometheus's text format (version 0.0.4).
//!
//! Names are those of the programs' own exporters, so that dashboards and rules made for them work: Patroni's
//! `/metrics`, `postgres_exporter`, etcd's `/metrics`, `pgbackrest_exporter`. All members come in one text, so each series
//! has the labels `cluster`, `site` and `name` besides its own. What no program has a name for is `pgha_*`.
//!
//! A value that is not known has no series: nothing is carried over and nothing is guessed. Families and series stand in
//! a fixed order. Asks nobody and knows no clock.

mod etcd;
mod exposition;
mod links;
mod own;
mod patroni;
mod pgbackrest;
mod postgres;
#[cfg(test)]
pub(crate) mod tests;

use std::time::Duration;

use crate::links::view::WanView;
use crate::repository::Repository;
use crate::status::{ClusterView, MemberView, Observed};

use exposition::{Exposition, Label};

/// The content type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is known of a cluster at one moment.
#[derive(Debug)]
pub struct Seen<'a> {
    /// What was observed.
    pub observed: &'a Observed,
    /// What follows from it.
    pub view: &'a ClusterView,
    /// The WAN; `None` where the router did not say.
    pub links: Option<&'a WanView>,
    /// The repository; `None` where the backup host did not say.
    pub repository: Option<&'a Repository>,
    /// A write that was tried; `None` where none was.
    pub write: Option<Write>,
}

/// A transaction that writes and commits, as a client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// How long until the commit was acknowledged; `None` where it was not.
    pub took: Option<Duration>,
}

/// The metrics of a cluster.
pub fn text(seen: &Seen<'_>) -> String {
    let mut out = Exposition::default();
    patroni::add(&mut out, seen);
    postgres::add(&mut out, seen);
    etcd::add(&mut out, seen);
    pgbackrest::add(&mut out, seen);
    own::add(&mut out, seen);
    links::add(&mut out, seen);
    out.text()
}

impl Seen<'_> {
    /// Name and number of the cluster, such as `demo-1`.
    fn cluster(&self) -> Label {
        ("cluster", format!("{}-{}", self.view.cluster, self.view.instance))
    }

    /// The labels of a member's series.
    fn of_member(&self, member: &MemberView) -> Vec<Label> {
        let mut labels = vec![self.cluster(), ("name", member.name.clone())];
        labels.extend(member.site.clone().map(|site| ("site", site)));
        labels
    }
}

/// 1 for true.
fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// A count or a position; exact up to 2^53, which no WAL reaches.
#[allow(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn number(value: u64) -> f64 {
    value as f64
}
