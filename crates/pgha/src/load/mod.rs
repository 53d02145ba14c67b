//! Clients that write, and keep a record of what became of each write.
//!
//! [`target`] finds the node that takes writes, [`client`] writes to it, [`tally`] is what all of them have done so
//! far. What follows from the record is decided in [`pgha_core::history`].

pub(crate) mod client;
pub(crate) mod tally;
pub(crate) mod target;
