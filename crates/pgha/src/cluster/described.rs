//! What labels say of a cluster: its specification, and its newest layout.

use std::collections::HashMap;

use pgha_core::layout::{LABEL_LAYOUT, Layout};
use pgha_core::placement::Placement;
use pgha_core::spec::Spec;
use pgha_core::topology::{MAX_ETCD_PER_SITE, MAX_NODES_PER_SITE, MAX_SITES};

use super::LABEL_SPEC;

/// A cluster as the labels of one thing have it.
#[derive(Debug, Clone)]
pub(super) struct Described {
    pub(super) spec: Spec,
    pub(super) layout: Layout,
}

impl Described {
    /// Reads labels; without a layout they are of an earlier pgha, and the cluster is in generation 1.
    pub(super) fn by(labels: &HashMap<String, String>) -> Option<Self> {
        let spec = Spec::from_toml(labels.get(LABEL_SPEC)?).ok().filter(has_addresses)?;
        let layout = labels.get(LABEL_LAYOUT).map_or("1", String::as_str);
        let layout = Layout::parse(layout, &spec).ok()?;
        Some(Self { spec, layout })
    }
}

/// Keeps the newer of two layouts; where one cannot be read, nobody knows which that is.
pub(super) fn keep_newer(known: &mut Option<Described>, next: Option<Described>) {
    let generation = |of: &Option<Described>| of.as_ref().map(|of| of.layout.generation());
    if next.is_none() || known.is_some() && generation(&next) > generation(known) {
        *known = next;
    }
}

/// The same for what is no container: it may be without labels, of an earlier pgha or by hand.
pub(super) fn keep_newer_where_said(
    known: Option<&mut Option<Described>>,
    labels: &HashMap<String, String>,
) {
    if labels.contains_key(LABEL_LAYOUT)
        && let Some(known) = known
    {
        keep_newer(known, Described::by(labels));
    }
}

/// Labels are anybody's to write: only a spec for which there are addresses may become a topology.
fn has_addresses(spec: &Spec) -> bool {
    (1..MAX_SITES).contains(&spec.data_centers)
        && spec.each.len() <= spec.data_centers as usize
        && (1..=spec.data_centers)
            .all(|number| (1..=MAX_NODES_PER_SITE).contains(&spec.nodes_in(number)))
        && Placement::of(spec).per_site().into_iter().all(|etcd| etcd <= MAX_ETCD_PER_SITE)
}
