//! What one direction between two sites is asked to be.
//!
//! [`LinkSettings`] is complete, [`LinkChange`] says only what differs: a `[[link]]` of the
//! specification and `pgha wan set` are both changes. Values that are merely unwise are kept here
//! and judged by the lint.

use std::time::Duration;

use serde::{Deserialize, Serialize};

mod table;
mod values;

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
    /// Share of packets lost within a bad spell; all of them by default.
    pub burst_loss: Share,
    /// Share of packets that arrives twice.
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
    pub cut: bool,
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
            cut: false,
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
    pub cut: Option<bool>,
}

impl LinkChange {
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
}
