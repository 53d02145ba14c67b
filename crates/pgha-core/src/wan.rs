//! The WAN between the sites of a cluster: what links are asked to be, and the engine that makes
//! them so.
//!
//! Everything here is without I/O: time comes in as an argument, randomness from a seed, and packets
//! as bytes and handles. The router (`pgha-node wan`) moves the bytes.

pub mod asked;
pub mod control;
pub mod measured;
pub mod preset;
pub mod regions;
pub mod settings;
