use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::time::{ClockId, clock_gettime};

use super::*;
use crate::processes;

/// A process that tells its clocks.
struct Clocks {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Clocks {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let piped = || Stdio::piped();
        let mut command = Command::new(program);
        let command = command.args(arguments).env(ASKED, "1").stdin(piped()).stdout(piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{program}: {e}"));
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (input, output) = (input.expect("piped"), output.expect("piped"));
        Self { child, input, output: BufReader::new(output) }
    }

    /// One of this program itself.
    fn own() -> Self {
        let own = std::env::current_exe().expect("a program");
        let test = "clock::tests::child_tells_its_clocks";
        Self::start(&own.to_string_lossy(), &["--exact", test, "--ignored", "--nocapture"])
    }

    /// By how much each of its clocks is off, with half a second for the way.
    fn off(&mut self) -> Vec<i64> {
        self.input.write_all(b"now\n").expect("it listens");
        let before = Timestamp::now().as_second();
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).expect("it answers"), 0, "it has ended");
            let Some(told) = line.strip_prefix(TOLD) else { continue };
            let after = Timestamp::now().as_second();
            let each = told.split_whitespace().map(|word| {
                let time: i64 = word.parse().expect("a number");
                // Within the seconds that it may have been told in it is not off.
                if time > after { time - after } else { (time - before).min(0) }
            });
            return each.collect();
        }
    }

    fn seen(&self) -> Seen {
        let own = i32::try_from(self.child.id()).expect("a number");
        let all = processes::all().expect("processes");
        let mut same = all.into_iter().filter(|seen| seen.pid.as_raw_nonzero().get() == own);
        same.next().expect("it runs")
    }
}

impl Drop for Clocks {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ASKED: &str = "PGHA_TELL_CLOCKS";
const TOLD: &str = "told ";

/// Through the C library and, by rustix, straight through the vDSO, as Go does: wall clocks, then the monotonic one
/// as the way from the machine's.
#[test]
#[ignore = "runs as the child of other tests"]
fn child_tells_its_clocks() {
    assert!(std::env::var_os(ASKED).is_some(), "it has nobody to tell");
    // Threads come and go on the clock meanwhile.
    for _ in 0..2 {
        std::thread::spawn(|| {
            loop {
                std::hint::black_box(std::time::SystemTime::now());
            }
        });
    }
    for line in std::io::stdin().lines() {
        line.expect("a line");
        let of_library = Timestamp::now().as_second();
        let of = |clock| clock_gettime(clock).tv_sec;
        let monotonic = of(ClockId::Monotonic) - of(ClockId::Boottime) + of_library;
        let (real, coarse) = (of(ClockId::Realtime), of(ClockId::RealtimeCoarse));
        say(&format!("{TOLD}{of_library} {real} {coarse} {monotonic}"));
    }
}

fn lock() -> (std::path::PathBuf, Turn) {
    let name = format!("pgha-clock-{}-{:?}", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(name);
    let turn = Turn::take(path.to_str().expect("a path")).expect("a lock");
    (path, turn)
}

fn offset(text: &str) -> Offset {
    text.parse().expect("an offset")
}

fn is_about(off: &[i64], seconds: i64) {
    // The second may turn between two readings.
    assert!(off.iter().all(|off| (off - seconds).abs() <= 1), "{off:?}, not {seconds}");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_clock_of_a_process_is_put_off_again_elsewhere_and_right() {
    let mut clocks = Clocks::own();
    is_about(&clocks.off(), 0);
    let seen = clocks.seen();
    let (path, turn) = lock();
    let mut was = None;
    for to in ["+30s", "-1h", "+24h"].map(offset).map(Some).into_iter().chain([None]) {
        for _ in 0..2 {
            assert_eq!(turn.change(&seen, to), Ok(was));
            assert_eq!(offset_of(&seen), Ok(to));
            was = to;
            let off = clocks.off();
            let [walls @ .., monotonic] = &off[..] else { panic!("{off:?}") };
            is_about(walls, to.map_or(0, Offset::seconds));
            // It is told with the wall clock of the C library added.
            is_about(&[monotonic - walls[0]], 0);
        }
    }
    // The place of the code is used again.
    for to in [Some(offset("-5m")), None] {
        turn.change(&seen, to).expect("changed");
        is_about(&clocks.off()[..3], to.map_or(0, Offset::seconds));
    }
    fs::remove_file(path).expect("removed");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_shell_that_asks_for_the_time_of_day_gets_the_one_that_is_off() {
    // Both ways in which bash asks: `time` and `gettimeofday`.
    let script = "while read -r; do printf 'told %(%s)T %s\\n' -1 \"${EPOCHREALTIME%[.,]*}\"; done";
    let mut clocks = Clocks::start("bash", &["-c", script]);
    is_about(&clocks.off(), 0);
    let (seen, (path, turn)) = (clocks.seen(), lock());
    turn.change(&seen, Some(offset("+2m"))).expect("changed");
    is_about(&clocks.off(), 120);
    turn.change(&seen, None).expect("changed");
    is_about(&clocks.off(), 0);
    fs::remove_file(path).expect("removed");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn what_a_killed_command_has_left_stopped_goes_on_with_the_next() {
    let mut clocks = Clocks::start("bash", &["-c", "while read -r; do printf 'told 0\\n'; done"]);
    let (seen, (path, turn)) = (clocks.seen(), lock());
    turn.note(&seen.name_it()).expect("noted");
    stop(&seen, Instant::now()).expect("stopped");
    drop(turn);
    let turn = Turn::take(path.to_str().expect("a path")).expect("a lock");
    assert_eq!(clocks.off().len(), 1, "it answers");
    // One that somebody else has frozen stays so.
    stop(&seen, Instant::now()).expect("stopped");
    turn.change(&seen, Some(offset("+2m"))).expect("changed");
    assert_eq!(seen.is_stopped(), Ok(true));
    drop(turn);
    Turn::take(path.to_str().expect("a path")).expect("a lock");
    assert_eq!(seen.is_stopped(), Ok(true));
    fs::remove_file(path).expect("removed");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_library_of_this_kernel_is_as_it_was_but_for_what_nobody_runs() {
    let own = Seen { pid: rustix::process::getpid(), ..processes::seen(&[]) };
    let mut image = Library::of(&own).and_then(|library| library.read()).expect("read");
    let before = image.clone();
    let writes = Vdso::parse(&image).and_then(|vdso| vdso.put_off(-7)).expect("put off");
    assert!(writes.len() >= 2);
    let block = writes[0].0..writes[0].0 + writes[0].1.len();
    apply(&mut image, writes);
    let off = Vdso::parse(&image).expect("parsed");
    assert_eq!(off.offset(), Some(-7));
    let again = off.put_off(8).expect("put off");
    assert_eq!(again.iter().map(|(_, bytes)| bytes.len()).collect::<Vec<_>>(), [8]);
    apply(&mut image, again);
    let off = Vdso::parse(&image).expect("parsed");
    assert_eq!(off.offset(), Some(8));
    let right = off.put_right();
    apply(&mut image, right);
    let right = Vdso::parse(&image).expect("parsed");
    assert_eq!((right.offset(), right.put_right().len()), (None, 0));
    let differs = (0..image.len()).filter(|at| image[*at] != before[*at]);
    assert!(differs.into_iter().all(|at| block.contains(&at)));
}

fn apply(image: &mut [u8], writes: Vec<vdso::Write>) {
    for (at, bytes) in writes {
        image[at..at + bytes.len()].copy_from_slice(&bytes);
    }
}

#[test]
fn a_library_that_is_none_is_refused() {
    for image in [&b""[..], b"\x7fELF", &[0; 8192], &[0xff; 64]] {
        assert!(Vdso::parse(image).is_err());
    }
    let mut broken = vec![0xff; 8192];
    broken[..6].copy_from_slice(b"\x7fELF\x02\x01");
    assert!(Vdso::parse(&broken).is_err());
}

#[test]
fn places_are_read_as_the_kernel_writes_them() {
    let maps = "7f0-7f1 r--p 0 00:00 0\n7ffd1000-7ffd3000 r-xp 00000000 00:00 0    [vdso]\n";
    assert_eq!(mapped(maps), Some((0x7ffd_1000, 0x7ffd_3000)));
    assert_eq!(mapped("7f0-7f1 r--p 0 00:00 0 [vvar]\n"), None);
    let waits = "0 0x0 0x55 0x1000 0x1000 0x55 0x21 0x7ffe32a50178 0x7ff2ca4f72ad\n";
    assert_eq!(program_counter(waits), Some(0x7ff2_ca4f_72ad));
    assert_eq!(program_counter("-1 0x7ffe 0x7ff2\n"), Some(0x7ff2));
    assert_eq!(program_counter("running\n"), None);
}

#[test]
fn a_program_tells_its_time_by_the_date_of_an_answer() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let dates = ["Date: Sat, 28 Nov 2026 23:13:27 GMT\r\n", ""];
    let serving = std::thread::spawn(move || {
        for date in dates {
            let (mut stream, _) = listener.accept().expect("a question");
            let _ = stream.read(&mut [0; 4096]);
            let answer = format!("HTTP/1.0 503 No\r\n{date}Content-Length: 2\r\n\r\n{{}}");
            stream.write_all(answer.as_bytes()).expect("answered");
        }
    });
    let url = http::url(std::net::Ipv4Addr::LOCALHOST, port, "version");
    assert_eq!(tell_time(&url), Ok(1_795_907_607));
    assert_eq!(tell_time(&url), Err("its answer has no date".to_owned()));
    serving.join().expect("served");
}
