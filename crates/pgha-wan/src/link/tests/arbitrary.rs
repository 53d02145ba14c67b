//! Properties that hold for any traffic and any changes.

use super::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Step {
    Offer { bytes: u32 },
    Change(LinkSettings),
}

fn settings(reordering: bool) -> impl Strategy<Value = LinkSettings> {
    let share = || prop_oneof![Just(Share::ZERO), (0u32..500_000).prop_map(Share::per_million)];
    let queue = prop_oneof![
        (0u64..50_000).prop_map(QueueLimit::Bytes),
        (0u32..200).prop_map(|ms| QueueLimit::Time(ms * MS)),
    ];
    let distribution = proptest::sample::select(&Distribution::ALL[..]);
    let delay = (0u32..40_000, 0u32..10_000, distribution);
    let chances = (share(), proptest::option::of(2u32..20), share(), share());
    let rate = proptest::option::of(12_000u64..200_000_000);
    (delay, chances, rate, queue, any::<bool>()).prop_map(
        move |(delay, chances, rate, queue, cut)| {
            let (latency, jitter, distribution) = delay;
            let (loss, burst, duplicate, reorder) = chances;
            LinkSettings {
                latency: latency * US,
                jitter: jitter * US,
                distribution,
                loss,
                burst,
                burst_loss: Share::ALL,
                duplicate,
                reorder: if reordering { reorder } else { Share::ZERO },
                rate: rate.map(Rate::bits_per_second),
                queue,
                cut: (cut && loss > Share::per_million(250_000)).into(),
                ..LinkSettings::default()
            }
        },
    )
}

fn steps(reordering: bool) -> impl Strategy<Value = Vec<(u32, Step)>> {
    let step = prop_oneof![
        20 => (20u32..1501).prop_map(|bytes| Step::Offer { bytes }),
        1 => settings(reordering).prop_map(Step::Change),
    ];
    proptest::collection::vec((0u32..5_000, step), 1..150)
}

/// What the link has promised of the packets it holds, by their payload.
#[derive(Default)]
struct Promises {
    /// Not before this.
    earliest: BTreeMap<u32, Duration>,
    /// Not after this.
    latest: BTreeMap<u32, Duration>,
    /// The newest packet that has come out.
    newest: u32,
}

/// What marks the payload of a duplicate.
const COPY: u32 = 1 << 31;

impl Promises {
    /// After a step: what holds for everything that is in the link, from where it stands.
    fn look(&mut self, now: Duration, link: &Link<u32>, changed: bool) {
        let (most, least) = (link.delay.most(), link.delay.least());
        let mut behind = Duration::ZERO;
        for (due, held) in &link.flight {
            // No later than any promise before, and after a change within the new delay.
            let new = if changed { now + most } else { *due };
            let latest = self.latest.entry(held.payload).or_insert(new);
            *latest = new.min(*latest);
            behind = *latest;
            if changed {
                let earliest =
                    self.earliest.get_mut(&(held.payload & !COPY)).expect("it was offered");
                *earliest = (*earliest).min(now + least);
            }
        }
        let mut leaves = now.max(link.leaves);
        for (place, held) in link.queue.iter().enumerate() {
            if place > 0 {
                leaves += passing_time(link.rate().expect("a queue has one"), held.bytes);
            }
            behind = behind.max(leaves + most);
            self.latest.insert(held.payload, behind);
            if changed {
                let earliest =
                    self.earliest.get_mut(&(held.payload & !COPY)).expect("it was offered");
                *earliest = (*earliest).min(now + least);
            }
        }
    }
}

fn play(
    first: LinkSettings,
    steps: Vec<(u32, Step)>,
    reordering: bool,
) -> Result<(), TestCaseError> {
    let mut link: Link<u32> = Link::new(1, 2, first, 3);
    let mut promises = Promises::default();
    let mut now = Duration::ZERO;
    let check = |link: &mut Link<u32>, promises: &mut Promises, until: Duration| {
        for (at, payload) in drain(link, until) {
            let (number, newest) = (payload & !COPY, promises.newest);
            prop_assert!(reordering || number >= newest, "{number} after {newest}");
            promises.newest = newest.max(number);
            let express = reordering && !promises.latest.contains_key(&payload);
            prop_assert!(reordering || at >= promises.earliest[&number], "{payload} is early");
            prop_assert!(express || at <= promises.latest[&payload], "{payload} is late");
        }
        prop_assert!(balanced(link));
        Ok(())
    };
    for (number, (gap, step)) in steps.into_iter().enumerate() {
        let next = now + gap * US;
        check(&mut link, &mut promises, next)?;
        now = next;
        let changed = matches!(step, Step::Change(_));
        match step {
            Step::Offer { bytes } => {
                let payload = u32::try_from(number).expect("few");
                let passes = link.rate().map_or(Duration::ZERO, |rate| rate.time_of(bytes.into()));
                promises.earliest.insert(payload, now + passes + link.delay.least());
                // Some cannot be copied.
                let copy = |p: &u32| (bytes % 3 > 0).then_some(*p | COPY);
                if let Offer::Now(_) = link.offer(now, (bytes, 1), payload, copy, ROOM) {
                    prop_assert!(link.delay.is_zero() || reordering);
                    promises.newest = promises.newest.max(payload);
                }
            }
            Step::Change(settings) => {
                let held = link.held();
                // What still waits will have the delay that is asked when it leaves.
                link.advance(now);
                for waiting in &link.queue {
                    promises.latest.remove(&waiting.payload);
                }
                link.change(now, settings);
                prop_assert_eq!(link.held(), held, "a change lost something");
                if link.rate().is_none() {
                    prop_assert!(link.queue.is_empty());
                }
            }
        }
        promises.look(now, &link, changed);
        prop_assert!(balanced(&link));
        prop_assert_eq!(link.held() == 0, link.next_due().is_none());
    }
    check(&mut link, &mut promises, Duration::from_secs(10_000))?;
    prop_assert_eq!(
        (link.held(), link.queued(), link.flying()),
        (0, Load::default(), Load::default())
    );
    prop_assert_eq!(link.express_queued, 0);
    Ok(())
}

proptest! {
    #[test]
    fn nothing_is_lost_early_late_or_out_of_order_whatever_changes(
        first in settings(false),
        steps in steps(false),
    ) {
        play(first, steps, false)?;
    }

    #[test]
    fn nothing_is_lost_or_late_where_packets_overtake(first in settings(true), steps in steps(true)) {
        play(first, steps, true)?;
    }

    #[test]
    fn the_rate_is_never_exceeded_over_any_window(
        rates in proptest::collection::vec(12_000u64..1_000_000_000, 1..4),
        latency in 0u32..100,
        packets in proptest::collection::vec((0u32..2000, 20u32..1501), 2..120),
    ) {
        let settings = |bits| LinkSettings {
            latency: latency * MS,
            ..rated(bits, QueueLimit::Time(100 * MS))
        };
        let mut link: Link<u32> = Link::new(1, 2, settings(rates[0]), 3);
        let fastest = rates.iter().copied().max().expect("one at least");
        let (mut now, mut out) = (Duration::ZERO, Vec::new());
        for (number, (gap, bytes)) in packets.iter().enumerate() {
            now += *gap * US;
            out.extend(drain(&mut link, now));
            // The payload is the size.
            put(&mut link, now, *bytes, *bytes);
            if number % 10 == 9 {
                link.change(now, settings(rates[number / 10 % rates.len()]));
            }
        }
        out.extend(drain(&mut link, Duration::from_secs(10_000)));
        for from in 0..out.len() {
            let mut bits = 0;
            for to in from + 1..out.len() {
                bits += u128::from(out[to].1) * 8;
                let window = out[to].0.as_nanos() - out[from].0.as_nanos();
                prop_assert!(bits * 1_000_000_000 <= window * u128::from(fastest));
            }
        }
    }
}
