//! The word by which PID 1 tells programs how their disk is: zero while it is well.

/// The file that has it, in memory: it is gone with the container's processes.
pub(crate) const FILE: &core::ffi::CStr = c"/dev/shm/pgha-disk";

/// Writes fail: there is no room.
pub(crate) const FULL: u32 = 1;
/// Writes fail, and so does opening a file for them.
pub(crate) const READ_ONLY: u32 = 1 << 1;
/// Writes wait as long as this is set.
pub(crate) const HUNG: u32 = 1 << 2;
/// From here upward: by how many milliseconds each write is delayed.
pub(crate) const DELAY_SHIFT: u32 = 8;
