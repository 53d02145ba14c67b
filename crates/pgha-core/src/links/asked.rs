//! What the specification asks of every direction between two sites.
//!
//! The one place that everybody asks: the router, the timers, the plan, the picture and the
//! command. The preset comes first; over it go the regions of the two sites, then a link `between`
//! them, then one `from` the one `to` the other.

use std::time::Duration;

use pgha_wan::regions;
use pgha_wan::settings::{Distribution, LinkSettings};

use crate::spec::{LinkEnds, Spec};
use crate::topology::Topology;

/// One direction, by the numbers of its sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedLink {
    /// Where packets come from.
    pub from: u8,
    /// Where they go.
    pub to: u8,
    /// What the specification says.
    pub settings: LinkSettings,
}

/// Every ordered pair of sites of a cluster, by number.
pub fn links(topology: &Topology) -> Vec<AskedLink> {
    let sites = || topology.sites.iter().map(|site| site.number);
    sites()
        .flat_map(|from| sites().filter(move |to| *to != from).map(move |to| (from, to)))
        .map(|(from, to)| AskedLink {
            from,
            to,
            settings: settings(&topology.spec, &name(from), &name(to)),
        })
        .collect()
}

/// Whether the specification asks for any distance at all.
pub fn any(spec: &Spec) -> bool {
    spec.wan.preset.is_some() || !spec.wan.regions.is_empty() || !spec.links.is_empty()
}

/// What the specification asks of the direction between two sites, by name.
pub fn settings(spec: &Spec, from: &str, to: &str) -> LinkSettings {
    let mut settings = LinkSettings::default();
    if let Some(preset) = spec.wan.preset {
        preset.change().apply(&mut settings);
    }
    let region = |site: &str| spec.wan.regions.get(site).and_then(|text| regions::find(text));
    if let (Some(a), Some(b)) = (region(from), region(to)) {
        if let Some(round_trip) = regions::round_trip(a, b) {
            settings.latency = round_trip / 2;
        }
    }
    let mut apply = |one_way: bool| {
        for link in &spec.links {
            if matches!(link.ends, LinkEnds::OneWay { .. }) == one_way && link.ends.covers(from, to)
            {
                link.change.apply(&mut settings);
            }
        }
    };
    apply(false);
    apply(true);
    settings
}

/// A delay that few packets of this direction exceed, queues aside: the latency and all of an even
/// jitter, or twice the jitter where that is a standard deviation.
pub fn slow_delay(settings: &LinkSettings) -> Duration {
    let beyond = match settings.distribution {
        Distribution::None => Duration::ZERO,
        Distribution::Uniform => settings.jitter,
        Distribution::Normal | Distribution::Pareto => settings.jitter.saturating_mul(2),
    };
    settings.latency.saturating_add(beyond)
}

/// The largest round trip between two sites that is asked for, by [`slow_delay`] of both
/// directions; zero without distances.
pub fn largest_round_trip(spec: &Spec) -> Duration {
    if !any(spec) {
        return Duration::ZERO;
    }
    directions(spec)
        .filter(|(from, to)| from < to)
        .map(|(a, b)| {
            let (a, b) = (name(a), name(b));
            slow_delay(&settings(spec, &a, &b)).saturating_add(slow_delay(&settings(spec, &b, &a)))
        })
        .max()
        .unwrap_or_default()
}

fn directions(spec: &Spec) -> impl Iterator<Item = (u8, u8)> + use<> {
    let sites = u8::try_from(spec.sites()).unwrap_or(u8::MAX);
    (1..=sites)
        .flat_map(move |from| (1..=sites).filter(move |to| *to != from).map(move |to| (from, to)))
}

fn name(site: u8) -> String {
    format!("DC{site}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::LinkSpec;
    use pgha_wan::preset::WanPreset;
    use pgha_wan::settings::{LinkChange, Share};

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn two(links: Vec<LinkSpec>) -> Spec {
        Spec { data_centers: 2, links, ..Spec::default() }
    }

    #[test]
    fn every_ordered_pair_of_sites_is_listed_by_number() {
        let topology = Topology::new(two(Vec::new()), 1);
        let pairs: Vec<_> = links(&topology).iter().map(|l| (l.from, l.to)).collect();
        assert_eq!(pairs, [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)]);
    }

    #[test]
    fn one_direction_goes_before_both_and_these_before_regions_and_the_preset() {
        let mut spec = two(vec![
            LinkSpec::one_way("DC2", "DC1", ms(9)),
            LinkSpec::between("DC1", "DC2", ms(5)),
        ]);
        spec.wan.preset = Some(WanPreset::Global);
        for site in ["DC1", "DC2", "DC3"] {
            let region = regions::names().nth(usize::from(site == "DC3")).expect("two regions");
            spec.wan.regions.insert(site.to_owned(), region.to_string());
        }
        let preset = WanPreset::Global.change();
        assert_eq!(settings(&spec, "DC1", "DC2").latency, ms(5));
        assert_eq!(settings(&spec, "DC2", "DC1").latency, ms(9));
        assert_eq!(Some(settings(&spec, "DC2", "DC1").loss), preset.loss);
        let by_region = settings(&spec, "DC1", "DC3").latency;
        assert!(!by_region.is_zero() && Some(by_region) != preset.latency, "{by_region:?}");
        spec.wan.regions.clear();
        assert_eq!(Some(settings(&spec, "DC1", "DC3").latency), preset.latency);
    }

    #[test]
    fn a_round_trip_is_both_directions_with_what_jitter_adds() {
        assert_eq!(largest_round_trip(&two(Vec::new())), Duration::ZERO);
        let mut spec = two(vec![LinkSpec::one_way("DC1", "DC2", ms(30))]);
        assert_eq!(largest_round_trip(&spec), ms(30));
        spec.links.push(LinkSpec::one_way("DC2", "DC1", ms(10)));
        spec.links[1].change.jitter = Some(ms(3));
        assert_eq!(largest_round_trip(&spec), ms(46));
        spec.links[1].change.distribution = Some(Distribution::Uniform);
        assert_eq!(largest_round_trip(&spec), ms(43));
    }

    #[test]
    fn a_link_that_names_no_latency_keeps_that_of_the_preset() {
        let loss = LinkChange { loss: Some(Share::per_million(7)), ..LinkChange::default() };
        let ends = LinkEnds::Between(["DC1".into(), "DC2".into()]);
        let mut spec = two(vec![LinkSpec { ends, change: loss }]);
        spec.wan.preset = Some(WanPreset::Metro);
        let settings = settings(&spec, "DC1", "DC2");
        assert_eq!(settings.latency, ms(1));
        assert_eq!(settings.loss, Share::per_million(7));
    }
}
