//! Time without writes, as clients saw it: from the last acknowledged one to the next.

use std::time::Duration;

use super::{Operation, Outcome};

/// A time in which no write was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// The last acknowledgement before, or the begin of the run.
    pub from: Duration,
    /// The first one after; `None` where there was none.
    pub to: Option<Duration>,
    /// Who acknowledged before.
    pub before: Option<u32>,
    /// Who acknowledged after.
    pub after: Option<u32>,
}

impl Outage {
    /// How long it was; of one that has no end, until the run ended.
    pub fn length(&self, end: Duration) -> Duration {
        self.to.unwrap_or(end).saturating_sub(self.from)
    }
}

/// The times of at least this length in which none of these operations was acknowledged, in order, in a run that
/// ended at `end`.
pub fn outages<'a>(
    operations: impl IntoIterator<Item = &'a Operation>,
    end: Duration,
    at_least: Duration,
) -> Vec<Outage> {
    let acknowledged = operations.into_iter().filter(|o| o.outcome == Outcome::Ok);
    let mut acknowledged: Vec<_> = acknowledged.map(|o| (o.ended, o.node)).collect();
    acknowledged.sort_unstable();
    let mut found = Vec::new();
    let mut last = (Duration::ZERO, None);
    for (at, node) in acknowledged {
        found.push(Outage { from: last.0, to: Some(at), before: last.1, after: Some(node) });
        last = (at, Some(node));
    }
    found.push(Outage { from: last.0, to: None, before: last.1, after: None });
    found.retain(|outage| outage.length(end) >= at_least);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn at(ended: u64, node: u32, outcome: Outcome) -> Operation {
        Operation { client: 0, id: ended, sent: ms(ended), ended: ms(ended), outcome, node }
    }

    #[test]
    fn an_outage_is_from_the_last_acknowledged_write_to_the_next() {
        let made = [
            at(10, 0, Outcome::Ok),
            at(20, 0, Outcome::Ok),
            at(900, 0, Outcome::Unknown),
            at(1500, 1, Outcome::Failed),
            at(2020, 1, Outcome::Ok),
        ];
        let found = outages(&made, ms(2030), ms(500));
        let outage = Outage { from: ms(20), to: Some(ms(2020)), before: Some(0), after: Some(1) };
        assert_eq!(found, [outage]);
        assert_eq!(outage.length(ms(2030)), ms(2000));
    }

    #[test]
    fn what_never_came_back_lasts_to_the_end() {
        let found = outages(&[at(10, 3, Outcome::Ok)], ms(5000), ms(500));
        assert_eq!(found, [Outage { from: ms(10), to: None, before: Some(3), after: None }]);
        assert_eq!(outages([], ms(700), ms(500))[0].length(ms(700)), ms(700));
    }

    proptest! {
        #[test]
        fn together_they_fill_the_run(times in prop::collection::vec(0..10_000_u64, 0..50)) {
            let made: Vec<_> = times.iter().map(|&t| at(t, 0, Outcome::Ok)).collect();
            let all = outages(&made, ms(10_000), Duration::ZERO);
            prop_assert_eq!(all.iter().map(|o| o.length(ms(10_000))).sum::<Duration>(), ms(10_000));
            prop_assert!(all.windows(2).all(|pair| pair[0].to == Some(pair[1].from)));
        }
    }
}
