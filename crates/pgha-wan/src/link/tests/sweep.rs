//! Loss and queue against each other under load, as a table that a change of the engine changes.

#![allow(clippy::cast_precision_loss, reason = "counts of a test are far below 2^52")]

use super::*;
use std::fmt::Write as _;

const BYTES: u32 = 1250;
const RATE: u64 = 10_000_000;
const SECONDS: u32 = 20;

/// Packets that come by chance (Poisson), at a share of the rate. Gives the columns of the table.
fn load(percent: u32, loss: Share, burst: Option<u32>, queue: QueueLimit) -> String {
    let mut link = link(LinkSettings { loss, burst, ..rated(RATE, queue) });
    let mut chance = Stream::new(1, 1, 2, Purpose::Delay);
    let mean = Rate::bits_per_second(RATE * u64::from(percent) / 100).time_of(BYTES.into());
    let end = Duration::from_secs(SECONDS.into());
    let mut came = Vec::new();
    let (mut waited, mut longest, mut out) = (Duration::ZERO, Duration::ZERO, 0);
    let mut took = |link: &mut Link<u32>, came: &[Duration], until| {
        for (at, n) in drain(link, until) {
            let took = at.saturating_sub(came[n as usize]);
            (waited, longest, out) = (waited + took, longest.max(took), out + 1);
        }
    };
    let mut now = Duration::ZERO;
    loop {
        now += mean.mul_f64(-(1.0 - chance.fraction()).ln());
        if now > end {
            break;
        }
        took(&mut link, &came, now);
        came.push(now);
        put(&mut link, now, BYTES, u32::try_from(came.len() - 1).expect("few"));
    }
    took(&mut link, &came, end);
    let passed = link.counters().delivered_bytes;
    took(&mut link, &came, end + Duration::from_secs(10));
    let c = link.counters();
    let share = |part: u64| part as f64 * 100.0 / c.packets as f64;
    let passed = passed as f64 * 8.0 * 100.0 / (RATE as f64 * f64::from(SECONDS));
    format!(
        "{:>7.1}% {:>7.1}% {:>7.1}% {:>8.1} {:>8.1}",
        share(c.lost),
        share(c.queue_full),
        passed,
        (waited / out).as_secs_f64() * 1e3,
        longest.as_secs_f64() * 1e3,
    )
}

#[test]
fn loss_and_queue_under_load_give_this_table() {
    let mut table =
        String::from("load  loss  burst  queue      lost     full   passed  mean ms   max ms\n");
    for percent in [80, 100, 120] {
        for (loss, burst) in [("0%", None), ("1%", None), ("5%", None), ("5%", Some(20))] {
            for queue in ["3kb", "10ms", "50ms", "200ms"] {
                let (share, limit) = (loss.parse(), queue.parse());
                let columns =
                    load(percent, share.expect("a share"), burst, limit.expect("a limit"));
                let spell = burst.map_or_else(|| "-".to_owned(), |packets| packets.to_string());
                writeln!(table, "{percent:>3}%  {loss:>4}  {spell:>5}  {queue:>5}  {columns}")
                    .expect("a text takes everything");
            }
        }
    }
    insta::assert_snapshot!(table);
}
