//! Tests that want the machine for themselves: they measure round trips, restart the engine, or change a compose file
//! between `generate` and `up`, when others may take its ports.

mod failed_up;
mod full_disk;
mod wan_links;
mod whole_engine;
