//! Faults: what is done to a running cluster on purpose, to whom, and what takes it back.
//!
//! A fault is a [`Deed`], which is a [`Kind`], for links maybe with a port and a flap, for a slow disk with a delay, for a clock with an offset, and whom it hits ([`Target`], by role or by name, found when it is injected). What was
//! injected and has to be taken back is an [`Injected`]: it is written down before anything is done, so that whoever
//! comes later, after a crash of the command or of the machine, can undo it. Knows no container and no clock.

mod clock;
mod deed;
mod disk;
mod injected;
mod kind;
mod target;
#[cfg(test)]
mod tests;

pub use clock::{ClockNow, Offset};
pub use deed::{BadDeed, DUTY, Deed};
pub use disk::{Ailment, Delay};
pub use injected::{Injected, NotInjected, Undo};
pub use kind::{Blow, CANCEL_COMMITS, Kind, On, Program, SWITCH_SEGMENT, UnknownKind};
pub use target::{Chosen, NoTarget, Target};
