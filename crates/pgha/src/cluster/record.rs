//! What is written down of a cluster's members: the newest layout, which no container may have in its labels once members were
//! removed, and how far a change is that goes on.
//!
//! It is an empty volume with labels, as a fault is: the engine makes it as a whole. Each word is a new volume with the next
//! number; the one before is removed afterwards, and the newest counts.

use bollard::models::Volume;
use pgha_core::layout::{LABEL_LAYOUT, Layout};
use pgha_core::ownership::LABEL_UID;
use pgha_core::scale::Journal;

use super::{Cluster, LABEL_CLUSTER, LABEL_INSTANCE, LABEL_SPEC};
use crate::error::{OrFail as _, Result};

/// Label of a volume that is a record: its number, and behind a blank the journal where a change goes on.
const LABEL_MEMBERS: &str = "pgha.members";

/// A record of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The volume that it is.
    pub(crate) volume: String,
    /// The newest has the highest.
    pub(crate) number: u64,
    journal: String,
}

impl Record {
    /// The record that a volume is; `None` where it is another volume.
    pub(super) fn by(volume: &Volume) -> Option<Self> {
        let text = volume.labels.get(LABEL_MEMBERS)?;
        let (number, journal) = text.split_once(' ').unwrap_or((text, ""));
        let (number, journal) = (number.parse().ok()?, journal.to_owned());
        Some(Self { volume: volume.name.clone(), number, journal })
    }

    /// The next record of a cluster, with the labels of its volume.
    pub(crate) fn after(
        cluster: &Cluster,
        layout: &Layout,
        journal: Option<&Journal>,
    ) -> (Self, Vec<(&'static str, String)>) {
        let id = &cluster.id;
        let number = cluster.records.last().map_or(1, |record| record.number + 1);
        let volume = format!("pgha-members-{}-{number}-{}", id.name, id.instance);
        let journal =
            journal.map(|journal| serde_json::to_string(journal).expect("plain data is JSON"));
        let journal = journal.unwrap_or_default();
        let mut labels = vec![
            (LABEL_CLUSTER, id.name.clone()),
            (LABEL_INSTANCE, id.instance.to_string()),
            (LABEL_LAYOUT, layout.to_string()),
            (LABEL_MEMBERS, format!("{number} {journal}").trim_end().to_owned()),
        ];
        let spec = cluster.topology.as_ref().map(|topology| topology.spec.to_toml());
        labels.extend(spec.map(|spec| (LABEL_SPEC, spec)));
        let uid = cluster.uids.iter().flatten().next();
        labels.extend(uid.map(|uid| (LABEL_UID, uid.clone())));
        (Self { volume, number, journal }, labels)
    }

    /// The change that goes on.
    ///
    /// # Errors
    /// When another version of pgha has begun it.
    pub(super) fn journal(&self) -> Result<Option<Journal>> {
        if self.journal.is_empty() {
            return Ok(None);
        }
        let read = serde_json::from_str(&self.journal);
        read.map(Some).or_fail("the journal of a change of members cannot be read")
    }
}
