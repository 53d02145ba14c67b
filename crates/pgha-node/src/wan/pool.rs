//! Memory for packets: three arenas of equal slots, taken and given back without a call to an allocator.
//!
//! The kernel backs a slot with memory when it is first used. Slots that were given back last are
//! taken first, so what is resident follows from what was held at once; [`Pool::trim`] gives it back.

use std::ffi::c_void;

/// Bytes of one slot of each arena: an Ethernet packet, a small super-packet, the largest there is. The
/// last is a whole number of pages and holds the virtio header too.
const SLOT_BYTES: [usize; 3] = [2 << 10, 16 << 10, 68 << 10];
/// Slots of each arena; 132 MiB together.
const SLOTS: [usize; 3] = [16_384, 2_048, 1_024];

/// The place of one packet. Whoever holds it gives it back, once.
#[derive(Debug)]
pub(crate) struct Slot {
    arena: u8,
    number: u16,
    len: u32,
}

impl Slot {
    /// Says how much of it is used, in bytes.
    pub(crate) fn set_len(&mut self, len: usize) {
        self.len = u32::try_from(len).expect("a slot is smaller than 4 GiB");
    }
}

#[derive(Debug)]
struct Arena {
    memory: Vec<u8>,
    free: Vec<u16>,
    /// One more than the highest number taken since the last trim.
    touched: usize,
}

/// All slots.
#[derive(Debug)]
pub(crate) struct Pool([Arena; 3]);

impl Pool {
    /// Reserves address space; it costs no memory until it is used.
    pub(crate) fn new() -> Self {
        Self([0, 1, 2].map(|size| Arena {
            memory: vec![0; SLOT_BYTES[size] * SLOTS[size]],
            free: every_slot(size),
            touched: 0,
        }))
    }

    /// The smallest free slot for `len` bytes; `None` where all that would do are taken.
    pub(crate) fn take(&mut self, len: usize) -> Option<Slot> {
        let sizes = (0u8..).zip(&mut self.0).zip(SLOT_BYTES);
        for ((arena, slots), _) in sizes.filter(|(_, bytes)| *bytes >= len) {
            if let Some(number) = slots.free.pop() {
                slots.touched = slots.touched.max(usize::from(number) + 1);
                let mut slot = Slot { arena, number, len: 0 };
                slot.set_len(len);
                return Some(slot);
            }
        }
        None
    }

    /// Takes a slot back.
    #[allow(clippy::needless_pass_by_value, reason = "whoever gave it back has it no more")]
    pub(crate) fn give_back(&mut self, slot: Slot) {
        self.0[usize::from(slot.arena)].free.push(slot.number);
    }

    /// The used part of a slot.
    pub(crate) fn bytes(&self, slot: &Slot) -> &[u8] {
        let start = start(slot);
        &self.0[usize::from(slot.arena)].memory[start..start + slot.len as usize]
    }

    /// The same, to be written.
    pub(crate) fn bytes_mut(&mut self, slot: &Slot) -> &mut [u8] {
        let start = start(slot);
        &mut self.0[usize::from(slot.arena)].memory[start..start + slot.len as usize]
    }

    /// A second slot with the same content; `None` where there is none.
    pub(crate) fn copy(&mut self, slot: &Slot) -> Option<Slot> {
        let copy = self.take(slot.len as usize)?;
        self.copy_into(slot, &copy);
        Some(copy)
    }

    /// Fills `copy` with the beginning of `slot`.
    pub(crate) fn copy_into(&mut self, slot: &Slot, copy: &Slot) {
        let (from, to) = (usize::from(slot.arena), usize::from(copy.arena));
        let (source, target, len) = (start(slot), start(copy), copy.len as usize);
        if from == to {
            self.0[from].memory.copy_within(source..source + len, target);
        } else {
            let (low, high) = self.0.split_at_mut(from.max(to));
            let (from, to) =
                if from < to { (&low[from], &mut high[0]) } else { (&high[0], &mut low[to]) };
            to.memory[target..target + len].copy_from_slice(&from.memory[source..source + len]);
        }
    }

    /// Whether [`Pool::trim`] would give back more than `keep` bytes.
    pub(crate) fn holds_more_than(&self, keep: usize) -> bool {
        self.0.iter().zip(SLOT_BYTES).map(|(a, bytes)| a.touched * bytes).sum::<usize>() > keep
    }

    /// Gives the memory of every arena of which no slot is taken, but for `kept`, back to the kernel. What is
    /// in `kept` is lost.
    #[allow(unsafe_code, reason = "madvise has no safe form")]
    pub(crate) fn trim(&mut self, kept: &mut Slot) {
        let len = kept.len as usize;
        self.0[usize::from(kept.arena)].free.push(kept.number);
        for (size, arena) in self.0.iter_mut().enumerate() {
            if arena.free.len() < SLOTS[size] {
                continue;
            }
            let used = arena.touched * SLOT_BYTES[size];
            let first = arena.memory.as_ptr().align_offset(PAGE_BYTES);
            if used > first {
                let len = (used - first) / PAGE_BYTES * PAGE_BYTES;
                let start = arena.memory[first..].as_mut_ptr().cast::<c_void>();
                // SAFETY: the range is whole pages inside this arena's memory. Its content becomes
                // zeros, which are valid bytes, and no slot of it is taken.
                let given =
                    unsafe { rustix::mm::madvise(start, len, rustix::mm::Advice::LinuxDontNeed) };
                if given.is_err() {
                    continue;
                }
            }
            arena.free = every_slot(size);
            arena.touched = 0;
        }
        *kept = self.take(len).expect("what was given back is free");
    }
}

/// Only whole pages can be given back; where pages are larger than this, the kernel refuses some.
const PAGE_BYTES: usize = 4096;

/// The numbers of all slots, the lowest to be taken first.
fn every_slot(size: usize) -> Vec<u16> {
    (0..SLOTS[size]).rev().map(|n| u16::try_from(n).expect("fewer than 65 536 slots")).collect()
}

fn start(slot: &Slot) -> usize {
    SLOT_BYTES[usize::from(slot.arena)] * usize::from(slot.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_the_same_bytes_in_another_place() {
        let mut pool = Pool::new();
        for len in [1, 2048, 2049, 60_000] {
            let slot = pool.take(len).expect("a slot");
            pool.bytes_mut(&slot).fill(7);
            let copy = pool.copy(&slot).expect("a second slot");
            pool.bytes_mut(&slot).fill(9);
            assert!(pool.bytes(&copy).len() == len && pool.bytes(&copy).iter().all(|b| *b == 7));
            pool.give_back(slot);
            pool.give_back(copy);
        }
    }

    #[test]
    fn a_full_arena_lends_from_the_next_larger_one_and_the_largest_refuses() {
        let mut pool = Pool::new();
        let all: Vec<_> = std::iter::from_fn(|| pool.take(100)).collect();
        assert_eq!(all.len(), SLOTS.iter().sum::<usize>());
        assert!(pool.take(1).is_none());
        let mut all = all.into_iter();
        let mut kept = all.next().expect("a slot");
        all.for_each(|slot| pool.give_back(slot));
        assert!(pool.holds_more_than(SLOT_BYTES[0]));
        pool.trim(&mut kept);
        assert!(!pool.holds_more_than(SLOT_BYTES[0]), "all but the kept one is given back");
        assert!(pool.take(70_000).is_none(), "nothing is larger than the largest packet");
    }

    #[test]
    fn trimming_leaves_slots_that_are_taken_alone() {
        let mut pool = Pool::new();
        let slot = pool.take(10).expect("a slot");
        pool.bytes_mut(&slot).fill(5);
        let mut kept = pool.take(10).expect("a slot");
        pool.trim(&mut kept);
        assert_eq!(pool.bytes(&slot), [5; 10]);
    }
}
