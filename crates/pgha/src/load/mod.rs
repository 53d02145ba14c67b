//! Clients that write and read, and keep a record of what became of each operation.
//!
//! [`writing`] is a run from begin to end: [`target`] finds the nodes, [`client`] is at [`work`] on one with the
//! workload's [`tables`], [`tally`] is what all of them have done so far, and [`probe`] a run beside something else. What follows from the record is decided in
//! [`pgha_core::history`] and [`pgha_core::check`].

mod client;
pub(crate) mod probe;
mod tables;
mod tally;
pub(crate) mod target;
mod work;
pub(crate) mod writing;
