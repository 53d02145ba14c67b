//! The WAN between the sites of a cluster: what links are asked to be, and the engine that makes
//! them so.
//!
//! Everything here is without I/O: time comes in as an argument, randomness from a seed, and
//! packets as bytes and handles. The router (`pgha-node wan`) moves the bytes.
//!
//! ```text
//! bytes ─ packet::View ─► router::Router ─► one link::Link for each direction
//!            │                                 cut, loss, duplicate ► rate and queue ► flight
//!            └ split, by segment and fragment: what is larger than one packet of the link
//! ```

pub mod control;
mod delay;
pub mod fragment;
pub mod limits;
pub mod link;
mod loss;
pub mod measured;
pub mod packet;
pub mod preset;
mod random;
pub mod regions;
pub mod router;
pub mod sample;
mod schedule;
pub mod segment;
pub mod service;
pub mod settings;
pub mod split;
pub mod units;
