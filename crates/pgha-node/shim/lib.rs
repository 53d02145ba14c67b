//! Preloaded into Postgres and pgBackRest: what they write on their disk meets the faults of `pgha fault inject`.
//!
//! It stands before functions of the C library with the same names, and calls these. PID 1 keeps one [`word`] in a file
//! that each process maps; while that is zero a call costs one look at it. What the C library writes by itself, as
//! for `FILE`, passes: so Postgres can go on telling its log what is wrong. It allocates nothing, takes no lock and is
//! linked to nothing, so that it fits any version of the C library.

#![no_std]

mod word;

use core::ffi::{c_char, c_int, c_long, c_void};
use core::mem::{MaybeUninit, transmute};
use core::ptr::{null_mut, without_provenance_mut};
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering::Relaxed};

use word::{DELAY_SHIFT, FILE, FULL, HUNG, READ_ONLY};

/// Folders whose files are on the disk: of a Postgres node, and of the backup host.
const BELOW: [&[u8]; 2] = [b"/pgdata/", b"/pgha/pgbackrest/"];

// The same on every Linux that Rust and Postgres run on.
const EROFS: c_int = 30;
const ENOSPC: c_int = 28;
const O_ACCMODE: c_int = 3;
const O_CREAT: c_int = 0o100;
const O_CLOEXEC: c_int = 0o2_000_000;
const PROT_READ: c_int = 1;
const MAP_SHARED: c_int = 1;
const SIG_SETMASK: c_int = 2;

/// How often a process that hangs looks whether it still has to.
const POLL_MS: u32 = 10;

/// `struct timespec`.
#[repr(C)]
struct Time {
    seconds: c_long,
    nanoseconds: c_long,
}

/// `sigset_t`.
#[repr(C)]
struct Signals([u64; 16]);

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn mmap(
        at: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        fd: c_int,
        offset: i64,
    ) -> *mut c_void;
    fn close(fd: c_int) -> c_int;
    fn readlink(path: *const c_char, into: *mut u8, size: usize) -> isize;
    fn nanosleep(time: *const Time, left: *mut Time) -> c_int;
    fn pthread_sigmask(how: c_int, new: *const Signals, old: *mut Signals) -> c_int;
    fn __errno_location() -> *mut c_int;
}

/// What is asked of a disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Write,
    Sync,
    /// To open a file for writing.
    Open,
    /// To make it as well.
    Create,
}

/// Where there is no word, the disk is well.
static WELL: AtomicU32 = AtomicU32::new(0);
static WORD: AtomicPtr<AtomicU32> = AtomicPtr::new((&raw const WELL).cast_mut());

fn now() -> u32 {
    // SAFETY: it is WELL, or the page that `begin` has mapped and nobody unmaps.
    unsafe { &*WORD.load(Relaxed) }.load(Relaxed)
}

/// Maps the word, when the library is loaded.
extern "C" fn begin() {
    // SAFETY: the path ends with a zero byte, and the file descriptor is used here only.
    let mapped = unsafe {
        let fd = open(FILE.as_ptr(), O_CLOEXEC, 0);
        if fd < 0 {
            return;
        }
        let mapped = mmap(null_mut(), size_of::<u32>(), PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
        mapped
    };
    if mapped != without_provenance_mut(usize::MAX) {
        WORD.store(mapped.cast(), Relaxed);
    }
}

#[used]
// SAFETY: the loader calls what is listed there, once, before the program begins.
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = begin;

/// What the disk has to say to an act on an open file: zero, or a number of an error.
#[inline]
fn of_open(fd: c_int, act: Act) -> c_int {
    if now() == 0 { 0 } else { meet(place_of(fd).is_on_disk(), act) }
}

/// The same about a file that is to be opened.
#[inline]
fn of_path(path: *const c_char, flags: c_int) -> c_int {
    let writes = flags & (O_ACCMODE | O_CREAT) != 0;
    let act = if flags & O_CREAT == 0 { Act::Open } else { Act::Create };
    if now() == 0 || !writes { 0 } else { meet(is_named_on_disk(path), act) }
}

/// Waits as the disk has it; the number of an error, or zero.
#[cold]
fn meet(on_disk: bool, act: Act) -> c_int {
    if !on_disk {
        return 0;
    }
    // Postgres opens files for writing that it only reads, and nothing is written by that.
    if act != Act::Open && now() & HUNG != 0 {
        hang();
    }
    if matches!(act, Act::Write | Act::Sync) {
        pause(now() >> DELAY_SHIFT);
    }
    let word = now();
    match act {
        Act::Write | Act::Open | Act::Create if word & READ_ONLY != 0 => EROFS,
        Act::Write if word & FULL != 0 => ENOSPC,
        _ => 0,
    }
}

/// Waits until the disk hangs no more. As from a disk that truly hangs, no signal gets through but SIGKILL.
fn hang() {
    let every = Signals([u64::MAX; 16]);
    let mut before = MaybeUninit::<Signals>::uninit();
    // SAFETY: both are as large as `sigset_t`.
    unsafe { pthread_sigmask(SIG_SETMASK, &every, before.as_mut_ptr()) };
    while now() & HUNG != 0 {
        pause(POLL_MS);
    }
    // SAFETY: the call above has filled it in.
    unsafe { pthread_sigmask(SIG_SETMASK, before.as_ptr(), null_mut()) };
}

/// Waits that long, whatever signals come.
fn pause(ms: u32) {
    if ms == 0 {
        return;
    }
    let mut left =
        Time { seconds: (ms / 1000).into(), nanoseconds: (ms % 1000 * 1_000_000).into() };
    // SAFETY: it may write what is left to where it has read from.
    while unsafe { nanosleep(&raw const left, &raw mut left) } != 0 {}
}

/// Where something is, as far as that matters.
struct Place([u8; 32], usize);

impl Place {
    fn is_on_disk(&self) -> bool {
        is_below(&self.0[..self.1.min(self.0.len())])
    }
}

fn is_below(path: &[u8]) -> bool {
    BELOW.iter().any(|folder| path.starts_with(folder))
}

/// Where an open file is; of what has no path, such as a socket, a place on no disk.
fn place_of(fd: c_int) -> Place {
    let mut path = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0\0";
    let (mut rest, mut digits) = (fd.unsigned_abs(), 1);
    while rest > 9 {
        (rest, digits) = (rest / 10, digits + 1);
    }
    rest = fd.unsigned_abs();
    for at in (0..digits).rev() {
        if let (Some(byte), Ok(digit)) = (path.get_mut(14 + at), u8::try_from(rest % 10)) {
            *byte = b'0' + digit;
        }
        rest /= 10;
    }
    link(path.as_ptr().cast())
}

/// What a symbolic link of `/proc` says; the end of a long path is of no interest.
fn link(path: *const c_char) -> Place {
    let mut place = Place([0; 32], 0);
    // SAFETY: the path ends with a zero byte, and no more is written than there is room.
    let length = unsafe {
        let errno = __errno_location();
        let before = *errno;
        let length = readlink(path, place.0.as_mut_ptr(), place.0.len());
        *errno = before;
        length
    };
    place.1 = usize::try_from(length).unwrap_or(0);
    place
}

/// Whether a file of that name is on the disk; Postgres names its files from the data directory, in which it is.
fn is_named_on_disk(path: *const c_char) -> bool {
    if path.is_null() {
        return false;
    }
    let mut name = [0; 32];
    for (at, byte) in name.iter_mut().enumerate() {
        // SAFETY: no byte behind the zero byte at its end is read.
        *byte = unsafe { *path.cast::<u8>().add(at) };
        if *byte == 0 {
            break;
        }
    }
    if name[0] == b'/' {
        return is_below(&name);
    }
    link(c"/proc/self/cwd".as_ptr()).is_on_disk()
}

/// A function of the C library, looked up once.
struct Next(&'static str, AtomicPtr<c_void>);

impl Next {
    fn get(&self) -> *mut c_void {
        let known = self.1.load(Relaxed);
        if !known.is_null() {
            return known;
        }
        // SAFETY: the name ends with a zero byte; the handle is RTLD_NEXT, what is loaded after this library.
        let found = unsafe { dlsym(without_provenance_mut(usize::MAX), self.0.as_ptr().cast()) };
        self.1.store(found, Relaxed);
        found
    }
}

/// How a function says that it failed.
trait Fails {
    fn with(error: c_int) -> Self;
}

impl Fails for c_int {
    fn with(error: c_int) -> Self {
        // SAFETY: it is this thread's own.
        unsafe { *__errno_location() = error };
        -1
    }
}

impl Fails for isize {
    fn with(error: c_int) -> Self {
        c_int::with(error) as Self
    }
}

/// An error as the result itself.
#[repr(transparent)]
struct Number(c_int);

impl Fails for Number {
    fn with(error: c_int) -> Self {
        Self(error)
    }
}

macro_rules! before {
    ($(fn $name:ident($($given:ident: $type:ty),*) -> $result:ty = $says:expr;)*) => {$(
        // SAFETY: it has the name and the signature of the function that it stands before.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($given: $type),*) -> $result {
            static NEXT: Next = Next(concat!(stringify!($name), "\0"), AtomicPtr::new(null_mut()));
            let error: c_int = $says;
            if error != 0 {
                return Fails::with(error);
            }
            // SAFETY: the C library has this function with this signature, and the caller keeps to what it wants.
            unsafe {
                let next: unsafe extern "C" fn($($type),*) -> $result = transmute(NEXT.get());
                next($($given),*)
            }
        }
    )*};
}

// `open` has a third argument only where it makes a file; what is passed on where it has none is never looked at.
before! {
    fn open(path: *const c_char, flags: c_int, mode: c_int) -> c_int = of_path(path, flags);
    fn open64(path: *const c_char, flags: c_int, mode: c_int) -> c_int = of_path(path, flags);
    fn write(fd: c_int, from: *const c_void, size: usize) -> isize = of_open(fd, Act::Write);
    fn pwrite(fd: c_int, from: *const c_void, size: usize, at: i64) -> isize = of_open(fd, Act::Write);
    fn pwrite64(fd: c_int, from: *const c_void, size: usize, at: i64) -> isize = of_open(fd, Act::Write);
    fn writev(fd: c_int, from: *const c_void, count: c_int) -> isize = of_open(fd, Act::Write);
    fn pwritev(fd: c_int, from: *const c_void, count: c_int, at: i64) -> isize = of_open(fd, Act::Write);
    fn pwritev64(fd: c_int, from: *const c_void, count: c_int, at: i64) -> isize = of_open(fd, Act::Write);
    fn posix_fallocate(fd: c_int, at: i64, size: i64) -> Number = of_open(fd, Act::Write);
    fn posix_fallocate64(fd: c_int, at: i64, size: i64) -> Number = of_open(fd, Act::Write);
    fn fsync(fd: c_int) -> c_int = of_open(fd, Act::Sync);
    fn fdatasync(fd: c_int) -> c_int = of_open(fd, Act::Sync);
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Nothing here panics; in the middle of somebody else's program there is nobody to tell.
    loop {
        core::hint::spin_loop();
    }
}
