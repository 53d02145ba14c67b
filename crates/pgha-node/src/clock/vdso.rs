//! A process's copy of the vDSO, and what is written into it.
//!
//! The kernel maps one small library, the vDSO, into every process: the C library and Go's runtime both call it for
//! the time. The functions that tell wall time get a jump at their entry to [`CODE`], which makes the system call and
//! adds the offset. Its place is behind the library in its last page, or over the table of sections, which nobody
//! reads in memory. All that is known of a changed library is in its own bytes: no file has to outlive anybody.
//! Nothing here reads or writes a process.

use crate::Result;

/// A jump to a place that is given relative to what follows it.
const JUMP: u8 = 0xe9;
/// The jump and its four bytes.
pub(crate) const ENTRY_BYTES: usize = 5;
/// Begins what is written.
const MARK: [u8; 16] = *b"pgha clock fault";
/// Where the offset is, as a number of eight bytes.
const OFFSET_AT: usize = 16;
/// Where the entries are as they were, one behind the other; of a missing function zeros.
const ENTRIES_AT: usize = 24;
/// Where the code is.
const CODE_AT: usize = 40;
/// Mark, offset, entries, code.
const BLOCK_BYTES: usize = CODE_AT + CODE.len();
const PAGE_BYTES: usize = 4096;

/// The functions, with where their code is in [`CODE`].
const FUNCTIONS: [(&str, usize); 3] =
    [("__vdso_clock_gettime", 0), ("__vdso_gettimeofday", 32), ("__vdso_time", 64)];

/// Machine code of x86-64 by the calling convention of System V. A system call keeps all registers but `rax` (its
/// number, then its result), `rcx` and `r11`, which a function need not keep either; no stack is used. `offset` is
/// [`OFFSET_AT`], relative to what follows the instruction.
#[rustfmt::skip]
const CODE: [u8; 88] = [
    // int clock_gettime(clockid_t edi, struct timespec *rsi)
    0xb8, 228, 0, 0, 0,             //  0  mov  eax, 228 (clock_gettime)
    0x0f, 0x05,                     //  5  syscall
    0x48, 0x85, 0xc0,               //  7  test rax, rax
    0x75, 19,                       // 10  jne  31                  it failed
    0x85, 0xff,                     // 12  test edi, edi
    0x74, 5,                        // 14  je   21                  CLOCK_REALTIME is 0
    0x83, 0xff, 5,                  // 16  cmp  edi, 5
    0x75, 10,                       // 19  jne  31                  CLOCK_REALTIME_COARSE is 5
    0x48, 0x8b, 0x0d, rel(28), 0xff, 0xff, 0xff, // 21  mov rcx, [rip + offset]
    0x48, 0x01, 0x0e,               // 28  add  [rsi], rcx          tv_sec
    0xc3,                           // 31  ret
    // int gettimeofday(struct timeval *rdi, struct timezone *rsi)
    0xb8, 96, 0, 0, 0,              // 32  mov  eax, 96 (gettimeofday)
    0x0f, 0x05,                     // 37  syscall
    0x48, 0x85, 0xc0,               // 39  test rax, rax
    0x75, 15,                       // 42  jne  59                  it failed
    0x48, 0x85, 0xff,               // 44  test rdi, rdi
    0x74, 10,                       // 47  je   59                  only the time zone is asked for
    0x48, 0x8b, 0x0d, rel(56), 0xff, 0xff, 0xff, // 49  mov rcx, [rip + offset]
    0x48, 0x01, 0x0f,               // 56  add  [rdi], rcx          tv_sec
    0xc3,                           // 59  ret
    0xcc, 0xcc, 0xcc, 0xcc,         // 60  nobody comes here
    // time_t time(time_t *rdi)
    0xb8, 201, 0, 0, 0,             // 64  mov  eax, 201 (time)
    0x0f, 0x05,                     // 69  syscall
    0x48, 0x03, 0x05, rel(78), 0xff, 0xff, 0xff, // 71  add rax, [rip + offset]
    0x48, 0x85, 0xff,               // 78  test rdi, rdi
    0x74, 3,                        // 81  je   86                  it is only returned
    0x48, 0x89, 0x07,               // 83  mov  [rdi], rax
    0xc3,                           // 86  ret
    0xcc,                           // 87  nobody comes here
];

/// The lowest byte of the way from that place in the code to the offset; the others are 0xff, as it lies before.
#[allow(
    clippy::cast_possible_truncation,
    reason = "it is -128 to -1, checked where it is compiled"
)]
const fn rel(from: usize) -> u8 {
    let back = CODE_AT + from - OFFSET_AT;
    assert!(back > 0 && back <= 128);
    (256 - back) as u8
}

/// Bytes for a place in the library.
pub(crate) type Write = (usize, Vec<u8>);

/// The library of one process, as it is now.
#[derive(Debug)]
pub(crate) struct Vdso<'a> {
    image: &'a [u8],
    /// Where each of [`FUNCTIONS`] begins; the first is always there.
    entries: [Option<usize>; FUNCTIONS.len()],
}

impl<'a> Vdso<'a> {
    /// Reads the table of symbols.
    pub(crate) fn parse(image: &'a [u8]) -> Result<Self> {
        let unknown = || "the kernel's vDSO cannot be read".to_owned();
        let symbols = symbols(image).ok_or_else(unknown)?;
        let entry = |(name, _): (&str, usize)| {
            let found = symbols.iter().find(|symbol| symbol.name == name.as_bytes())?;
            let fits = found.size >= ENTRY_BYTES && found.at + ENTRY_BYTES <= image.len();
            fits.then_some(found.at)
        };
        let entries = FUNCTIONS.map(entry);
        if entries[0].is_none() {
            return Err(format!("the kernel's vDSO has no {}", FUNCTIONS[0].0));
        }
        Ok(Self { image, entries })
    }

    /// Where no thread may be while something is written: behind the first byte of an entry. At it the new one is
    /// met as a whole.
    pub(crate) fn is_within_entry(&self, at: usize) -> bool {
        self.entries.iter().flatten().any(|entry| (entry + 1..entry + ENTRY_BYTES).contains(&at))
    }

    /// By how many seconds the clock is off.
    pub(crate) fn offset(&self) -> Option<i64> {
        Some(i64::from_le_bytes(array(self.image, self.block()? + OFFSET_AT)?))
    }

    /// What puts the clock off. Of one that is off already only the offset changes.
    pub(crate) fn put_off(&self, seconds: i64) -> Result<Vec<Write>> {
        let offset = seconds.to_le_bytes().to_vec();
        if let Some(block) = self.block() {
            return Ok(vec![(block + OFFSET_AT, offset)]);
        }
        let room = self.room().ok_or("the kernel's vDSO has no room for the code of the fault")?;
        let mut block = [&MARK[..], &offset].concat();
        for entry in self.entries {
            let here = entry.map(|at| &self.image[at..at + ENTRY_BYTES]);
            block.extend_from_slice(here.unwrap_or(&[0; ENTRY_BYTES]));
        }
        block.resize(CODE_AT, 0);
        block.extend_from_slice(&CODE);
        let jumps = self.entries.into_iter().zip(FUNCTIONS).filter_map(|(entry, (_, code))| {
            let at = entry?;
            let way = i64::try_from(room + CODE_AT + code).ok()?
                - i64::try_from(at + ENTRY_BYTES).ok()?;
            let way = i32::try_from(way).expect("a library of a few pages");
            Some((at, [&[JUMP][..], &way.to_le_bytes()].concat()))
        });
        // The code comes before what leads to it.
        Ok(std::iter::once((room, block)).chain(jumps).collect())
    }

    /// What puts it right: the entries as they were. The code stays, as a thread may be in it; nothing leads there.
    pub(crate) fn put_right(&self) -> Vec<Write> {
        let Some(block) = self.block() else { return Vec::new() };
        let were = self.image[block + ENTRIES_AT..].chunks_exact(ENTRY_BYTES);
        let entries = self.entries.into_iter().zip(were);
        entries.filter_map(|(entry, were)| Some((entry?, were.to_vec()))).collect()
    }

    /// Where the block is that the first function leads to.
    fn block(&self) -> Option<usize> {
        let after = self.entries[0]? + ENTRY_BYTES;
        let [JUMP, way @ ..] = array::<ENTRY_BYTES>(self.image, after - ENTRY_BYTES)? else {
            return None;
        };
        let way = isize::try_from(i32::from_le_bytes(way)).ok()?;
        let block = after.checked_add_signed(way)?.checked_sub(CODE_AT)?;
        let there = self.image.get(block..block.checked_add(BLOCK_BYTES)?)?;
        there.starts_with(&MARK).then_some(block)
    }

    /// Where a block fits in: behind the library, or else over its table of sections.
    fn room(&self) -> Option<usize> {
        let image = self.image;
        let sections = usize::try_from(u64::from_le_bytes(array(image, 40)?)).ok()?;
        let size = usize::from(u16::from_le_bytes(array(image, 58)?));
        let count = usize::from(u16::from_le_bytes(array(image, 60)?));
        let end = sections.checked_add(size * count)?;
        let behind = end.next_multiple_of(16);
        let is_free = |at: usize| {
            let there = image.get(at..at.checked_add(BLOCK_BYTES)?)?;
            there.iter().all(|byte| *byte == 0).then_some(at)
        };
        // A fault that was healed has left its block there.
        let again = |at: usize| image.get(at..at + BLOCK_BYTES)?.starts_with(&MARK).then_some(at);
        let over = sections.next_multiple_of(16);
        let last_page = image.len().saturating_sub(PAGE_BYTES);
        let behind = (behind >= last_page).then_some(behind);
        behind
            .and_then(|at| is_free(at).or_else(|| again(at)))
            .or_else(|| (sections > 0 && over + BLOCK_BYTES <= end).then_some(over))
    }
}

/// One function of the library.
struct Symbol<'a> {
    name: &'a [u8],
    at: usize,
    size: usize,
}

/// The dynamic symbols of an ELF image of 64 bits as it lies in memory (`elf(5)`).
fn symbols(image: &[u8]) -> Option<Vec<Symbol<'_>>> {
    const HEADER_LOAD: u32 = 1;
    const HEADER_DYNAMIC: u32 = 2;
    const TAG_STRINGS: u64 = 5;
    const TAG_SYMBOLS: u64 = 6;
    const SYMBOL_BYTES: usize = 24;
    // The magic number, 64 bits, little-endian.
    if !image.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let word = |at: usize| Some(u64::from_le_bytes(array(image, at)?));
    let place = |at: usize| usize::try_from(word(at)?).ok();
    let (headers, size) = (place(32)?, usize::from(u16::from_le_bytes(array(image, 54)?)));
    let count = usize::from(u16::from_le_bytes(array(image, 56)?));
    let header = |kind: u32| {
        let all = (0..count).filter_map(|n| headers.checked_add(n * size));
        let mut same = all.filter(|at| array(image, *at).map(u32::from_le_bytes) == Some(kind));
        same.next()
    };
    // Addresses are as it was linked, which is to the beginning of the file.
    let (load, dynamic) = (header(HEADER_LOAD)?, header(HEADER_DYNAMIC)?);
    let base = place(load.checked_add(16)?)?.checked_sub(place(load.checked_add(8)?)?)?;
    let at = |address: usize| address.checked_sub(base);
    let start = at(place(dynamic.checked_add(16)?)?)?;
    let entry = |tag: u64| {
        let all = (0..image.len() / 16).map_while(|n| {
            let at = start.checked_add(n * 16)?;
            word(at).filter(|tag| *tag != 0).map(|tag| (tag, at))
        });
        let value = all.filter(|(found, _)| *found == tag).map(|(_, at)| at).next()?;
        at(place(value + 8)?)
    };
    let (table, strings) = (entry(TAG_SYMBOLS)?, entry(TAG_STRINGS)?);
    // The strings follow the symbols, which no other entry counts in every library.
    let number = strings.checked_sub(table)? / SYMBOL_BYTES;
    let symbol = |n: usize| {
        let here = table.checked_add(n * SYMBOL_BYTES)?;
        let name = usize::try_from(u32::from_le_bytes(array(image, here)?)).ok()?;
        let name = image.get(strings.checked_add(name)?..)?;
        let name = name.split(|byte| *byte == 0).next()?;
        Some(Symbol { name, at: at(place(here + 8)?)?, size: place(here + 16)? })
    };
    Some((0..number).filter_map(symbol).collect())
}

fn array<const N: usize>(image: &[u8], at: usize) -> Option<[u8; N]> {
    image.get(at..at.checked_add(N)?)?.try_into().ok()
}
