//! Tests that want the machine for themselves: the engine is restarted.

mod whole_engine;
