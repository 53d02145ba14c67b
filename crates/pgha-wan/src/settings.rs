//! What one direction between two sites is asked to be.
//!
//! [`LinkSettings`] is complete, [`LinkChange`] says only what differs: a `[[link]]` of the
//! specification and `pgha wan set` are both changes. Values that are merely unwise are kept here
//! and judged by the lint.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::service::Service;

mod cut;
mod table;
mod values;

pub use cut::{Cut, FLAP_PERIOD_MAX, FLAP_PERIOD_MIN, Flap};
pub use table::{Argument, SETTINGS, Setting, differences};
pub use values::{BadSetting, Distribution, MTU_MAX, MTU_MIN, QueueLimit, Rate, RateLimit, Share};

/// One direction between two sites.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkSettings {
    /// Delay of this direction.
    #[serde(with = "as_text")]
    pub latency: Duration,
    /// Spread of the delay around `latency`; what it measures depends on the distribution.
    #[serde(with = "as_text")]
    pub jitter: Duration,
    /// How the delay is spread.
    pub distribution: Distribution,
    /// Share of packets that is lost.
    pub loss: Share,
    /// Mean number of packets of a bad spell, for loss in bursts (Gilbert-Elliott: the good state
    /// loses nothing, the bad one loses `burst_loss`); `None` loses each packet independently.
    pub burst: Option<u32>,
    /// Packet loss within a burst; all of them by default.
    pub burst_loss: Share,
    /// Packet duplication.
    pub duplicate: Share,
    /// Share of packets that is not delayed, and so overtakes the others.
    pub reorder: Share,
    /// Bits that pass in a second; `None` for as many as the machine can.
    pub rate: Option<Rate>,
    /// What waits at most for a link with a rate; the newest is dropped beyond (drop tail).
    pub queue: QueueLimit,
    /// Largest IP packet, in bytes.
    pub mtu: u16,
    /// Nothing passes.
    pub cut: Cut,
    /// Services of which nothing passes, though other packets do; none that is not cut is in it.
    pub cut_ports: BTreeMap<Service, Cut>,
}

impl LinkSettings {
    /// How the whole link is cut, or one service alone.
    pub fn cuts(&self, port: Option<Service>) -> Cut {
        match port {
            None => self.cut,
            Some(service) => self.cut_ports.get(&service).copied().unwrap_or_default(),
        }
    }

    /// Something of it is cut, now or later.
    pub fn is_cut(&self) -> bool {
        self.cut.is_asked() || !self.cut_ports.is_empty()
    }
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            distribution: Distribution::default(),
            loss: Share::ZERO,
            burst: None,
            burst_loss: Share::ALL,
            duplicate: Share::ZERO,
            reorder: Share::ZERO,
            rate: None,
            queue: QueueLimit::default(),
            mtu: MTU_MAX,
            cut: Cut::No,
            cut_ports: BTreeMap::new(),
        }
    }
}

/// What of a link is to differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkChange {
    /// See [`LinkSettings::latency`].
    #[serde(with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub latency: Option<Duration>,
    /// See [`LinkSettings::jitter`].
    #[serde(with = "as_optional_text", skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Duration>,
    /// See [`LinkSettings::distribution`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
    /// See [`LinkSettings::loss`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Share>,
    /// See [`LinkSettings::burst`]; 0 and 1 mean independent loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// See [`LinkSettings::burst_loss`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst_loss: Option<Share>,
    /// See [`LinkSettings::duplicate`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicate: Option<Share>,
    /// See [`LinkSettings::reorder`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reorder: Option<Share>,
    /// See [`LinkSettings::rate`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<RateLimit>,
    /// See [`LinkSettings::queue`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueLimit>,
    /// See [`LinkSettings::mtu`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u16>,
    /// See [`LinkSettings::cut`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// See [`LinkSettings::cut_ports`]; services that are not named stay as they are.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cut_ports: BTreeMap<Service, Cut>,
}

impl LinkChange {
    /// Cuts a link, or one service alone, or takes that back.
    pub fn cutting(port: Option<Service>, cut: Cut) -> Self {
        match port {
            None => Self { cut: Some(cut), ..Self::default() },
            Some(service) => {
                Self { cut_ports: BTreeMap::from([(service, cut)]), ..Self::default() }
            }
        }
    }

    /// Takes every cut of a link back.
    pub fn healing() -> Self {
        Self {
            cut: Some(Cut::No),
            cut_ports: Service::ALL.map(|service| (service, Cut::No)).into(),
            ..Self::default()
        }
    }

    /// Applies what is named, and leaves the rest.
    pub fn apply(&self, to: &mut LinkSettings) {
        fn set<T: Clone>(to: &mut T, value: Option<&T>) {
            if let Some(value) = value {
                to.clone_from(value);
            }
        }
        set(&mut to.latency, self.latency.as_ref());
        set(&mut to.jitter, self.jitter.as_ref());
        set(&mut to.distribution, self.distribution.as_ref());
        set(&mut to.loss, self.loss.as_ref());
        if let Some(packets) = self.burst {
            to.burst = (packets > 1).then_some(packets);
        }
        set(&mut to.burst_loss, self.burst_loss.as_ref());
        set(&mut to.duplicate, self.duplicate.as_ref());
        set(&mut to.reorder, self.reorder.as_ref());
        if let Some(RateLimit(rate)) = self.rate {
            to.rate = rate;
        }
        set(&mut to.queue, self.queue.as_ref());
        set(&mut to.mtu, self.mtu.as_ref());
        set(&mut to.cut, self.cut.as_ref());
        to.cut_ports.extend(&self.cut_ports);
        to.cut_ports.retain(|_, cut| cut.is_asked());
    }
}

/// Durations as text with their unit, `"40ms"`.
mod as_text {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    use crate::units::{format_duration, parse_duration};

    pub(super) fn serialize<S: Serializer>(d: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format_duration(*d))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        parse_duration(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// The same for what may be absent.
mod as_optional_text {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de};

    use crate::units::{format_duration, parse_duration};

    #[allow(clippy::ref_option, reason = "serde hands over a reference to the field")]
    pub(super) fn serialize<S: Serializer>(d: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match d {
            Some(d) => to.serialize_str(&format_duration(*d)),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|t| parse_duration(&t)).transpose().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_touches_only_what_it_names() {
        let mut link = LinkSettings { latency: Duration::from_millis(40), ..Default::default() };
        let change = LinkChange { loss: Some(Share::per_million(5000)), ..Default::default() };
        change.apply(&mut link);
        assert_eq!(link.latency, Duration::from_millis(40));
        assert_eq!(link.loss.to_string(), "0.5%");
        LinkChange { rate: Some(RateLimit(None)), burst: Some(1), ..Default::default() }
            .apply(&mut link);
        assert_eq!((link.rate, link.burst), (None, None));
    }

    #[test]
    fn each_service_is_cut_and_healed_by_itself() {
        let mut link = LinkSettings::default();
        for port in [Some(Service::Etcd), Some(Service::Postgres), None] {
            LinkChange::cutting(port, Cut::Yes).apply(&mut link);
            assert_eq!(link.cuts(port), Cut::Yes);
        }
        LinkChange::cutting(Some(Service::Etcd), Cut::No).apply(&mut link);
        LinkChange::cutting(Some(Service::Patroni), Cut::No).apply(&mut link);
        assert_eq!(link.cut_ports, BTreeMap::from([(Service::Postgres, Cut::Yes)]));
        assert!(link.is_cut() && link.cut == Cut::Yes);
        LinkChange::healing().apply(&mut link);
        assert_eq!(link, LinkSettings::default());
    }
}
