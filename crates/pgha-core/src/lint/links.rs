//! Distances that no cluster can have, or that do nothing: of the file, and of a change at run time.
//!
//! Nothing is computed from the numbers of the spec here but which sites there are.

use std::collections::{BTreeMap, BTreeSet};

use pgha_wan::limits::{self, BURST_MAX, Impossible, JITTER_MAX, LATENCY_MAX, rate_min};
use pgha_wan::regions;
use pgha_wan::settings::{
    Distribution, LinkChange, LinkSettings, MTU_MAX, MTU_MIN, RateLimit, Share,
};
use pgha_wan::units::format_duration;

use super::{Finding, shortened};
use crate::links::asked;
use crate::spec::{LinkEnds, Spec};

/// What there is to say about `[wan]` and every `[[link]]`. Which sites there are is known only
/// where the numbers are `possible`.
pub(super) fn check(spec: &Spec, possible: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sites: Option<BTreeSet<String>> =
        possible.then(|| (1..=spec.sites()).map(|n| format!("DC{n}")).collect());
    let known = |site: &str| sites.as_ref().is_none_or(|sites| sites.contains(site));
    let mut unknown = BTreeSet::new();
    for link in &spec.links {
        let [a, b] = link.ends.sites();
        if a == b {
            findings.push(Finding::error(
                "link_to_itself",
                format!("a link leads from {:?} to itself", shortened(a)),
                "a link is between two sites: between = [\"DC1\", \"DC2\"]",
            ));
        }
        unknown.extend([a, b].into_iter().filter(|site| !known(site)));
        let becomes = asked::settings(spec, a, b);
        let said = of_change(&link.change, &becomes, &name(&link.ends));
        let back = asked::settings(spec, b, a);
        if said.is_empty() && matches!(link.ends, LinkEnds::Between(_)) && back != becomes {
            findings.extend(of_change(&link.change, &back, &name(&link.ends)));
        }
        findings.extend(said);
    }
    unknown.extend(spec.wan.regions.keys().map(String::as_str).filter(|site| !known(site)));
    for site in unknown {
        findings.push(Finding::error(
            "link_unknown_site",
            format!(
                "a link or a region names the site {:?}, which this cluster does not have",
                shortened(site)
            ),
            format!(
                "{}{}",
                match spec.sites() {
                    1 => "the only site is DC1".to_owned(),
                    2 => "the sites are DC1 and DC2".to_owned(),
                    more => format!("the sites are DC1 to DC{more}"),
                },
                if spec.external { ", the last one external" } else { "" }
            ),
        ));
    }
    findings.extend(named_regions(spec));
    findings
}

fn name(ends: &LinkEnds) -> String {
    let [a, b] = ends.sites().map(shortened);
    match ends {
        LinkEnds::Between(_) => format!("between {a} and {b}"),
        LinkEnds::OneWay { .. } => format!("from {a} to {b}"),
    }
}

/// Regions that there is no table for, and pairs of regions without a published round trip.
fn named_regions(spec: &Spec) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = BTreeMap::new();
    for (site, text) in &spec.wan.regions {
        if let Some(region) = regions::find(text) {
            found.insert(site.as_str(), region);
            continue;
        }
        let nearest: Vec<_> = regions::nearest(text).iter().map(ToString::to_string).collect();
        findings.push(Finding::error(
            "region_unknown",
            format!(
                "{} is in the region {:?}, which no table has",
                shortened(site),
                shortened(text)
            ),
            format!("the nearest names are {}; docs/wan.md lists all", nearest.join(", ")),
        ));
    }
    for (site, a) in &found {
        for (other, b) in
            found.range::<str, _>((std::ops::Bound::Excluded(*site), std::ops::Bound::Unbounded))
        {
            let given = spec.links.iter().any(|link| {
                link.change.latency.is_some()
                    && (link.ends.covers(site, other) || link.ends.covers(other, site))
            });
            if !given && regions::round_trip(*a, *b).is_none() {
                findings.push(Finding::warning(
                    "region_pair_unknown",
                    format!("no table has the round trip between {a} ({site}) and {b} ({other})"),
                    format!(
                        "give it: [[link]] between = [\"{site}\", \"{other}\"], latency = \"40ms\""
                    ),
                ));
            }
        }
    }
    findings
}

/// What there is to say about a change of one link, where `becomes` is what it makes of it and
/// `link` names it (`between DC1 and DC2`). Errors are what no link can be; warnings are settings
/// that do nothing as they stand.
pub fn of_change(change: &LinkChange, becomes: &LinkSettings, link: &str) -> Vec<Finding> {
    let mut findings = impossible(change, becomes, link);
    if findings.is_empty() {
        findings = idle(change, becomes, link);
    }
    findings
}

/// What a change makes impossible, each setting by its own code; or, where the change is not to blame for
/// any by itself, the first.
fn impossible(change: &LinkChange, becomes: &LinkSettings, link: &str) -> Vec<Finding> {
    let all = limits::impossible(becomes);
    let named: Vec<_> = all.iter().filter_map(|what| of_setting(*what, change, link)).collect();
    if !named.is_empty() {
        return named;
    }
    let first = all.first().map(|why| {
        Finding::error(
            "link_impossible",
            format!("the link {link} cannot be so: {why}"),
            "docs/wan.md has the limits of every setting",
        )
    });
    first.into_iter().collect()
}

/// `None` where the change names no setting that it is about.
fn of_setting(what: Impossible, change: &LinkChange, link: &str) -> Option<Finding> {
    let time = |key: &str, given, most, meaning: &str| {
        let (given, most) = (format_duration(given), format_duration(most));
        (
            format!("a {key} of {given}, and {most} is the most"),
            format!("{key} is {meaning}, with its unit: \"40ms\""),
        )
    };
    let (named, code, (has, hint)) = match what {
        Impossible::Latency(given) => (
            change.latency.is_some(),
            "link_latency_absurd",
            time("latency", given, LATENCY_MAX, "the delay of one direction"),
        ),
        Impossible::Jitter(given) => (
            change.jitter.is_some(),
            "link_jitter_absurd",
            time("jitter", given, JITTER_MAX, "the spread of the delay"),
        ),
        Impossible::Mtu(mtu) => (
            change.mtu.is_some(),
            "link_mtu_absurd",
            (
                format!("an MTU of {mtu} bytes"),
                format!("an MTU is from {MTU_MIN} to {MTU_MAX} bytes, headers of IP included"),
            ),
        ),
        Impossible::Rate(rate, mtu) => (
            change.rate.is_some() || change.mtu.is_some(),
            "link_rate_absurd",
            (
                format!("a rate of {rate}, less than one packet of {mtu} bytes in a second"),
                format!("the least is {}; rate is in bits in a second: \"100mbit\"", rate_min(mtu)),
            ),
        ),
        Impossible::Queue(queue) => (
            change.queue.is_some(),
            "link_queue_absurd",
            (
                format!("a queue of {queue}"),
                "a queue is in bytes or in the time they take to pass: \"256kb\" or \"50ms\""
                    .to_owned(),
            ),
        ),
        Impossible::Burst(packets) => (
            change.burst.is_some(),
            "link_burst_absurd",
            (
                format!("burst = {packets} packets; the maximum is {BURST_MAX}"),
                "for a link that passes nothing for a while: `pgha wan cut --for 30s`".to_owned(),
            ),
        ),
        Impossible::Loss { .. } => return None,
    };
    named.then(|| Finding::error(code, format!("the link {link} has {has}"), hint))
}

fn idle(change: &LinkChange, becomes: &LinkSettings, link: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut idle = |named: bool, key: &str, why: &str, hint: &str| {
        if named {
            findings.push(Finding::warning(
                "link_setting_idle",
                format!("the {key} of the link {link} does nothing {why}"),
                hint,
            ));
        }
    };
    let bursts = change.burst.is_some_and(|packets| packets > 1);
    let jitters = change.jitter.is_some_and(|jitter| !jitter.is_zero());
    idle(bursts && becomes.loss == Share::ZERO, "burst", "without loss", "add loss = \"1%\"");
    idle(
        change.burst_loss.is_some() && becomes.burst.is_none(),
        "burst_loss",
        "without burst",
        "add burst = 10 (mean burst length in packets)",
    );
    idle(
        jitters && becomes.distribution == Distribution::None,
        "jitter",
        "with distribution = \"none\"",
        "distribution is uniform, normal or pareto where delays are to differ",
    );
    idle(
        change.distribution.is_some_and(|d| d != Distribution::None) && becomes.jitter.is_zero(),
        "distribution",
        "without jitter",
        "add jitter = \"1ms\"",
    );
    idle(
        change.reorder.is_some_and(|share| share > Share::ZERO) && becomes.latency.is_zero(),
        "reorder",
        "without latency",
        "a packet overtakes others by not being delayed: add latency = \"10ms\"",
    );
    idle(
        change.queue.is_some() && becomes.rate.is_none(),
        "queue",
        "without rate",
        "add rate = \"100mbit\"",
    );
    if jitters && becomes.distribution != Distribution::None && becomes.jitter > becomes.latency {
        findings.push(Finding::warning(
            "link_jitter_exceeds_latency",
            format!(
                "the link {link} has a jitter of {}, more than its latency of {}",
                format_duration(becomes.jitter),
                format_duration(becomes.latency)
            ),
            "delays are cut off at zero, so the mean is higher than configured",
        ));
    }
    if becomes.loss == Share::ALL && change.loss.is_some() {
        findings.push(Finding::warning(
            "link_loses_all",
            format!("the link {link} loses every packet"),
            "`cut` says so more clearly, and `pgha wan heal` undoes it",
        ));
    }
    if change.rate.is_some_and(|RateLimit(rate)| rate.is_some_and(|r| r.bits() < 1_000_000)) {
        findings.push(Finding::warning(
            "link_rate_low",
            format!("the link {link} carries less than 1mbit, too little for a stream of WAL"),
            "replicas behind it fall behind under any load",
        ));
    }
    findings
}
