//! Chance that a seed replays: one stream of random bits for each direction and purpose.
//!
//! The bits are xoshiro256++, seeded through `SplitMix64`; both are fixed algorithms. What the bits
//! mean is decided here and not by a library, and a share of packets is a comparison of integers,
//! so that one seed loses the same packets everywhere. A stream for each purpose means that asking
//! for duplicates does not change which packets are lost.

use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};

use crate::settings::Share;

/// What a stream decides.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Loss = 1,
    Duplicate = 2,
    Reorder = 3,
    Delay = 4,
}

/// Random bits of one direction for one purpose.
#[derive(Debug, Clone)]
pub(super) struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// The stream of a seed for the direction between two sites, by their numbers.
    pub(super) fn new(seed: u64, from: u8, to: u8, purpose: Purpose) -> Self {
        let which = u64::from(from) << 16 | u64::from(to) << 8 | purpose as u64;
        let mixed = SplitMix64::seed_from_u64(seed).next_u64();
        Self(Xoshiro256PlusPlus::seed_from_u64(mixed ^ which))
    }

    /// Whether what has this chance happens now. Takes one number of the stream, always.
    pub(super) fn happens(&mut self, chance: Chance) -> bool {
        let bits = self.0.next_u64();
        match chance {
            Chance::Always => true,
            Chance::Below(limit) => bits < limit,
        }
    }

    /// A number from 0 to below 1, in steps of 2⁻⁵³.
    #[allow(clippy::cast_precision_loss, reason = "53 bits are what the number holds")]
    pub(super) fn fraction(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// How probable something is, as what 64 random bits must be below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chance {
    Always,
    Below(u64),
}

impl Chance {
    pub(super) const NEVER: Self = Self::Below(0);

    /// `part` of `whole`; always where it is as much or more.
    pub(super) fn of(part: u64, whole: u64) -> Self {
        if part >= whole {
            return Self::Always;
        }
        let limit = (u128::from(part) << 64) / u128::from(whole);
        u64::try_from(limit).map_or(Self::Always, Self::Below)
    }
}

impl From<Share> for Chance {
    fn from(share: Share) -> Self {
        Self::of(share.parts_per_million().into(), Share::ALL.parts_per_million().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_numbers_it_always_gave() {
        let mut stream = Stream::new(42, 1, 2, Purpose::Loss);
        let numbers: Vec<u64> = (0..3).map(|_| stream.0.next_u64()).collect();
        insta::assert_debug_snapshot!(numbers);
    }

    #[test]
    fn directions_purposes_and_seeds_have_streams_of_their_own() {
        let mut first: Vec<u64> = [
            Stream::new(0, 1, 2, Purpose::Loss),
            Stream::new(0, 2, 1, Purpose::Loss),
            Stream::new(0, 1, 2, Purpose::Delay),
            Stream::new(1, 1, 2, Purpose::Loss),
        ]
        .iter_mut()
        .map(|stream| stream.0.next_u64())
        .collect();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), 4);
    }

    #[test]
    fn never_is_never_and_all_is_always() {
        let mut stream = Stream::new(7, 1, 2, Purpose::Loss);
        for _ in 0..1000 {
            assert!(!stream.happens(Chance::NEVER) && !stream.happens(Share::ZERO.into()));
            assert!(stream.happens(Chance::Always) && stream.happens(Share::ALL.into()));
        }
        assert_eq!(Chance::of(1, 2), Chance::Below(1 << 63));
    }
}
