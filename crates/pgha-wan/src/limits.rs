//! What a link can be at most, whoever asks: the specification, the command, or the control socket.

use std::time::Duration;

use crate::settings::{LinkSettings, MTU_MAX, MTU_MIN, Rate, Share};
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

/// Whether a link can be so. The error says what cannot be, and what can.
///
/// The MTU goes down to [`MTU_MIN`], 68, since a packet that has to pass can always be fragmented
/// to that. Linux takes no "fragmentation needed" below 552 to heart (`ip route … min_pmtu`) and
/// sends fragments from there on.
pub fn check(link: &LinkSettings) -> Result<(), String> {
    for (what, asked, most) in
        [("latency", link.latency, LATENCY_MAX), ("jitter", link.jitter, JITTER_MAX)]
    {
        if asked > most {
            let (asked, most) = (format_duration(asked), format_duration(most));
            return Err(format!("a {what} of {asked} is too much; {most} is the most"));
        }
    }
    if !(MTU_MIN..=MTU_MAX).contains(&link.mtu) {
        let mtu = link.mtu;
        return Err(format!(
            "an MTU of {mtu} is not possible; it is from {MTU_MIN} to {MTU_MAX} bytes"
        ));
    }
    if let Some(rate) = link.rate.filter(|&rate| rate < rate_min(link.mtu)) {
        return Err(format!(
            "a rate of {rate} does not pass one packet of {} bytes in a second; {} is the least",
            link.mtu,
            rate_min(link.mtu)
        ));
    }
    check_bursts(link)
}

/// Whether bad spells of that length can lose so much.
fn check_bursts(link: &LinkSettings) -> Result<(), String> {
    let Some(packets) =
        link.burst.filter(|&packets| packets > 1 && link.loss.parts_per_million() > 0)
    else {
        return Ok(());
    };
    if packets > BURST_MAX {
        return Err(format!("bursts of {packets} packets are too long; {BURST_MAX} is the most"));
    }
    // Spells of n packets in the mean, with one good packet between them, are n of n + 1 packets.
    let (lost, in_bad) = (link.loss.parts_per_million(), link.burst_loss.parts_per_million());
    let most = u64::from(in_bad) * u64::from(packets) / (u64::from(packets) + 1);
    if u64::from(lost) > most {
        let most = Share::per_million(u32::try_from(most).unwrap_or(u32::MAX));
        return Err(format!(
            "bursts of {packets} packets that lose {} of them do not lose {} of all; {most} is the \
             most",
            link.burst_loss, link.loss
        ));
    }
    Ok(())
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
        ];
        for (link, word) in cases {
            let error = check(&link).expect_err("it is beyond a limit");
            assert!(error.contains(word), "{error}");
        }
        assert_eq!(check(&fine), Ok(()));
        assert_eq!(check(&LinkSettings { loss: Share::ALL, ..fine }), Ok(()));
    }
}
