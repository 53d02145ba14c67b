//! Tests that want the machine for themselves: they measure round trips, restart the engine, or make all
//! images anew.

mod node_build;
mod wan_links;
mod whole_engine;
