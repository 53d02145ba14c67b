//! Losses and delays are as often and as long as asked, within five standard errors.

#![allow(clippy::cast_precision_loss, reason = "counts of a test are far below 2^52")]

use super::*;

const ERRORS: f64 = 5.0;

fn losses(settings: &LinkSettings, packets: u32) -> (u64, u64) {
    let mut link = link(settings.clone());
    let (mut spells, mut in_spell) = (0, false);
    for n in 0..packets {
        let lost = matches!(put(&mut link, n * US, 100, n), Offer::Dropped(_));
        spells += u64::from(lost && !in_spell);
        in_spell = lost;
    }
    (link.counters().lost, spells)
}

#[test]
fn each_packet_is_lost_with_the_probability_asked() {
    const N: u32 = 200_000;
    for parts in [100, 5_000, 50_000, 300_000, 999_000] {
        let loss = Share::per_million(parts);
        let (dropped, _) = losses(&LinkSettings { loss, ..LinkSettings::default() }, N);
        let (n, p) = (f64::from(N), loss.probability());
        let error = (n * p * (1.0 - p)).sqrt();
        assert!((dropped as f64 - n * p).abs() <= ERRORS * error, "{dropped} of {N} at {loss}");
    }
}

#[test]
fn bursts_lose_the_share_asked_in_spells_of_the_length_asked() {
    const N: u32 = 400_000;
    for (parts, burst, in_bad) in
        [(5_000, 5, 1_000_000), (50_000, 20, 1_000_000), (100_000, 10, 500_000)]
    {
        let loss = Share::per_million(parts);
        let burst_loss = Share::per_million(in_bad);
        let asked =
            LinkSettings { loss, burst: Some(burst), burst_loss, ..LinkSettings::default() };
        let (dropped, spells) = losses(&asked, N);
        let (n, p, h) = (f64::from(N), loss.probability(), burst_loss.probability());
        // Packets of one spell are lost together, which makes the sum less certain.
        let bad = p / h;
        let ends = 1.0 / f64::from(burst);
        let stays = 1.0 - ends - ends * bad / (1.0 - bad);
        let together = 2.0 * h * h * bad * (1.0 - bad) * stays / (1.0 - stays);
        let error = (n * (p * (1.0 - p) + together)).sqrt();
        assert!((dropped as f64 - n * p).abs() <= ERRORS * error, "{dropped} of {N} at {loss}");
        if burst_loss == Share::ALL {
            let mean = dropped as f64 / spells as f64;
            let length = f64::from(burst);
            let error = (length * (length - 1.0) / spells as f64).sqrt();
            assert!((mean - length).abs() <= ERRORS * error, "spells of {mean}, asked {burst}");
        }
    }
}

#[test]
fn duplicates_are_as_many_as_asked() {
    const N: u32 = 100_000;
    let duplicate = Share::per_million(20_000);
    let mut link = link(LinkSettings { duplicate, ..latency(MS) });
    for n in 0..N {
        put(&mut link, n * US, 100, n);
        drain(&mut link, n * US);
    }
    let (n, p) = (f64::from(N), duplicate.probability());
    let error = (n * p * (1.0 - p)).sqrt();
    assert!((link.counters().duplicated as f64 - n * p).abs() <= ERRORS * error);
}

/// Mean and standard deviation of the delay of packets with a gap between them, in microseconds.
fn delays(settings: &LinkSettings, gap: Duration, packets: u32) -> (f64, f64) {
    let mut link = link(settings.clone());
    let mut delays = Vec::new();
    let mut took = |link: &mut Link<u32>, until| {
        for (at, n) in drain(link, until) {
            delays.push(at.saturating_sub(gap * n).as_secs_f64() * 1e6);
        }
    };
    for n in 0..packets {
        took(&mut link, gap * n);
        put(&mut link, gap * n, 100, n);
    }
    took(&mut link, gap * packets + Duration::from_secs(10));
    let n = delays.len() as f64;
    let mean = delays.iter().sum::<f64>() / n;
    (mean, (delays.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / n).sqrt())
}

#[test]
fn delays_have_the_mean_and_the_deviation_asked() {
    const N: u32 = 40_000;
    for (distribution, deviation) in [
        (Distribution::None, 0.0),
        (Distribution::Uniform, 2_000.0 / 3.0_f64.sqrt()),
        (Distribution::Normal, 2_000.0),
        (Distribution::Pareto, 2_000.0),
    ] {
        let asked = LinkSettings { jitter: 2 * MS, distribution, ..latency(40 * MS) };
        let (mean, measured) = delays(&asked, 100 * MS, N);
        let error = deviation / f64::from(N).sqrt();
        assert!((mean - 40_000.0).abs() <= ERRORS * error + 0.001, "{distribution}: mean {mean}");
        // The fourth moment of the Pareto tail makes its deviation the least certain.
        let tolerance = 0.05 * deviation;
        assert!((measured - deviation).abs() <= tolerance, "{distribution}: {measured}");
    }
}

#[test]
fn a_stream_without_gaps_is_late_by_a_small_part_of_the_jitter() {
    for distribution in [Distribution::Uniform, Distribution::Normal, Distribution::Pareto] {
        let asked = LinkSettings { jitter: 2 * MS, distribution, ..latency(40 * MS) };
        let (mean, deviation) = delays(&asked, 50 * US, 400_000);
        assert!((39_900.0..40_400.0).contains(&mean), "{distribution}: mean {mean}");
        assert!((1_000.0..2_500.0).contains(&deviation), "{distribution}: {deviation}");
    }
}

#[test]
fn one_seed_loses_the_same_packets_whatever_else_is_asked() {
    let loss = Share::per_million(100_000);
    let fates = |asked: LinkSettings, gap: Duration| {
        let mut link = link(asked);
        let fate = |n| matches!(put(&mut link, gap * n, 100, n), Offer::Dropped(_));
        (0..1000).map(fate).collect::<Vec<bool>>()
    };
    let plain = fates(LinkSettings { loss, ..LinkSettings::default() }, US);
    let duplicate = Share::per_million(300_000);
    let more = LinkSettings { loss, duplicate, jitter: MS, ..latency(10 * MS) };
    assert_eq!(plain, fates(more, MS));
}
