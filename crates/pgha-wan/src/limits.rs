//! What a link can be at most, whoever asks: the specification, the command, or the control socket.

use std::fmt;
use std::time::Duration;

use crate::settings::{LinkSettings, MTU_MAX, MTU_MIN, QueueLimit, Rate, Share};
use crate::units::format_duration;

/// Longer delays are taken for a slip of the unit; a signal circles the earth in 0.3 s.
pub const LATENCY_MAX: Duration = Duration::from_secs(10);

/// The same for the spread of the delay.
pub const JITTER_MAX: Duration = LATENCY_MAX;

/// Longer bad spells are an outage: with full packets, minutes on a link of 100 Mbit/s.
pub const BURST_MAX: u32 = 1_000_000;

/// The lowest rate for an MTU: one packet in a second.
pub fn rate_min(mtu: u16) -> Rate {
    Rate::bits_per_second(u64::from(mtu) * 8)
}

/// Longer queues are taken for a slip of the unit: a second is already what people call bufferbloat.
pub const QUEUE_TIME_MAX: Duration = Duration::from_secs(60);

/// And so are these: a minute at 10 Gbit/s.
pub const QUEUE_BYTES_MAX: u64 = 75_000_000_000;

/// What no link can be. Its text says what can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impossible {
    /// More than [`LATENCY_MAX`].
    Latency(Duration),
    /// More than [`JITTER_MAX`].
    Jitter(Duration),
    /// Below [`MTU_MIN`] or above [`MTU_MAX`].
    Mtu(u16),
    /// Less than [`rate_min`] of the MTU.
    Rate(Rate, u16),
    /// More than [`QUEUE_TIME_MAX`] or [`QUEUE_BYTES_MAX`].
    Queue(QueueLimit),
    /// More than [`BURST_MAX`].
    Burst(u32),
    /// More loss of all packets than bad spells can make.
    Loss {
        /// Asked for.
        loss: Share,
        /// Packets of a bad spell.
        burst: u32,
        /// Lost within it.
        burst_loss: Share,
        /// What of all packets can be lost so.
        most: Share,
    },
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |what, asked, most| {
            let (asked, most) = (format_duration(asked), format_duration(most));
            format!("{what} {asked} is too large; maximum {most}")
        };
        match *self {
            Self::Latency(asked) => f.write_str(&time("latency", asked, LATENCY_MAX)),
            Self::Jitter(asked) => f.write_str(&time("jitter", asked, JITTER_MAX)),
            Self::Mtu(mtu) => write!(
                f,
                "an MTU of {mtu} is not possible; it is from {MTU_MIN} to {MTU_MAX} bytes"
            ),
            Self::Rate(rate, mtu) => write!(
                f,
                "a rate of {rate} does not pass one packet of {mtu} bytes in a second; {} is the \
                 least",
                rate_min(mtu)
            ),
            Self::Queue(queue) => {
                let time = QueueLimit::Time(QUEUE_TIME_MAX);
                let bytes = QueueLimit::Bytes(QUEUE_BYTES_MAX);
                write!(f, "a queue of {queue} is too much; {time} or {bytes} is the most")
            }
            Self::Burst(packets) => {
                write!(f, "bursts of {packets} packets are too long; {BURST_MAX} is the most")
            }
            Self::Loss { loss, burst, burst_loss, most } => write!(
                f,
                "bursts of {burst} packets that lose {burst_loss} of them do not lose {loss} of \
                 all; {most} is the most"
            ),
        }
    }
}

/// All that a link cannot be, in the order of its settings; nothing where it is possible.
///
/// The MTU goes down to [`MTU_MIN`], 68, since a packet that has to pass can always be fragmented
/// to that. Linux takes no "fragmentation needed" below 552 to heart (`ip route … min_pmtu`) and
/// sends fragments from there on.
pub fn impossible(link: &LinkSettings) -> Vec<Impossible> {
    let queue_too_long = match link.queue {
        QueueLimit::Time(time) => time > QUEUE_TIME_MAX,
        QueueLimit::Bytes(bytes) => bytes > QUEUE_BYTES_MAX,
    };
    let mtu_fits = (MTU_MIN..=MTU_MAX).contains(&link.mtu);
    let rate = link.rate.filter(|&rate| rate < rate_min(link.mtu));
    let burst = link.burst.filter(|&packets| packets > BURST_MAX);
    let found = [
        (link.latency > LATENCY_MAX).then_some(Impossible::Latency(link.latency)),
        (link.jitter > JITTER_MAX).then_some(Impossible::Jitter(link.jitter)),
        (!mtu_fits).then_some(Impossible::Mtu(link.mtu)),
        rate.map(|rate| Impossible::Rate(rate, link.mtu)),
        queue_too_long.then_some(Impossible::Queue(link.queue)),
        burst.map(Impossible::Burst),
        too_much_loss(link),
    ];
    found.into_iter().flatten().collect()
}

/// Whether bad spells of that length can lose so much.
fn too_much_loss(link: &LinkSettings) -> Option<Impossible> {
    let burst = link.burst.filter(|&packets| packets > 1)?;
    // Spells of n packets in the mean, with one good packet between them, are n of n + 1 packets.
    let in_bad = u64::from(link.burst_loss.parts_per_million());
    let most = in_bad * u64::from(burst) / (u64::from(burst) + 1);
    let most = Share::per_million(u32::try_from(most).unwrap_or(u32::MAX));
    let (loss, burst_loss) = (link.loss, link.burst_loss);
    (loss > most).then_some(Impossible::Loss { loss, burst, burst_loss, most })
}

/// Whether a link can be so.
///
/// # Errors
/// The first thing that it cannot be.
pub fn check(link: &LinkSettings) -> Result<(), Impossible> {
    impossible(link).first().map_or(Ok(()), |&what| Err(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_lose_as_much_as_they_can_and_no_more() {
        let bursts = |parts| LinkSettings {
            loss: Share::per_million(parts),
            burst: Some(4),
            burst_loss: Share::per_million(500_000),
            ..LinkSettings::default()
        };
        assert_eq!(check(&bursts(400_000)), Ok(()));
        assert!(check(&bursts(400_001)).is_err());
    }

    #[test]
    fn a_link_that_cannot_be_is_refused_with_what_can() {
        let fine = LinkSettings::default();
        let cases = [
            (
                LinkSettings { latency: LATENCY_MAX + Duration::from_nanos(1), ..fine.clone() },
                "10s",
            ),
            (LinkSettings { jitter: Duration::from_secs(11), ..fine.clone() }, "jitter"),
            (LinkSettings { mtu: 67, ..fine.clone() }, "68 to 1500"),
            (LinkSettings { mtu: 1501, ..fine.clone() }, "68 to 1500"),
            (LinkSettings { rate: Some(Rate::bits_per_second(11_999)), ..fine.clone() }, "12kbit"),
            (LinkSettings { loss: Share::ALL, burst: Some(9), ..fine.clone() }, "90%"),
            (LinkSettings { burst: Some(BURST_MAX + 1), ..fine.clone() }, "1000000"),
            (
                LinkSettings { queue: QueueLimit::Time(Duration::from_secs(61)), ..fine.clone() },
                "60s or 75000mb",
            ),
            (
                LinkSettings { queue: QueueLimit::Bytes(QUEUE_BYTES_MAX + 1), ..fine.clone() },
                "queue",
            ),
        ];
        for (link, word) in cases {
            let error = check(&link).expect_err("it is beyond a limit").to_string();
            assert!(error.contains(word), "{error}");
        }
        assert_eq!(check(&fine), Ok(()));
        assert_eq!(check(&LinkSettings { loss: Share::ALL, ..fine }), Ok(()));
    }
}
