//! How faults are written down: each is an empty volume whose labels say what was done.
//!
//! The engine makes and removes a volume as a whole, keeps it over a restart of the machine, and shows it to everybody who
//! can undo the fault, from whatever folder.

use bollard::models::Volume;
use pgha_core::fault::Injected;
use pgha_core::ownership::LABEL_UID;

use super::{Cluster, LABEL_CLUSTER, LABEL_INSTANCE};

/// Label of a volume that is a fault: an [`Injected`] as JSON.
const LABEL_FAULT: &str = "pgha.fault";

/// A fault that was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// The volume that it is.
    pub(crate) volume: String,
    /// What was done.
    pub(crate) fault: Injected,
}

impl Recorded {
    /// The fault that a volume is; `None` where it is another volume, or one that this pgha cannot read.
    pub(super) fn by(volume: &Volume) -> Option<Self> {
        let fault = serde_json::from_str(volume.labels.get(LABEL_FAULT)?).ok()?;
        Some(Self { volume: volume.name.clone(), fault })
    }

    /// A fault of a cluster as it is to be written down, with the labels of its volume.
    pub(crate) fn of(cluster: &Cluster, fault: Injected) -> (Self, Vec<(&'static str, String)>) {
        let id = &cluster.id;
        let volume = format!("pgha-fault-{}-{}-{}", id.name, fault.id, id.instance);
        let mut labels = vec![
            (LABEL_CLUSTER, id.name.clone()),
            (LABEL_INSTANCE, id.instance.to_string()),
            (LABEL_FAULT, serde_json::to_string(&fault).expect("plain data is JSON")),
        ];
        let uid = cluster.uids.iter().flatten().next();
        labels.extend(uid.map(|uid| (LABEL_UID, uid.clone())));
        (Self { volume, fault }, labels)
    }
}
