//! PID 1: starts the member's processes, forwards signals, reaps whatever ends, and ends with the
//! main process.
//!
//! There is one reaper, here. Nothing else in this process may wait for a child once
//! [`Supervisor::run`] has begun: helpers that do so are processes of their own.

use std::collections::BTreeMap;
use std::num::NonZeroI32;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use signal_hook::consts::{SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::Result;
use crate::files::Owner;

/// Shortest time between two starts of a process that keeps ending.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// Whether no [`Supervisor`] runs that would hear a signal.
static UNATTENDED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Has this process end at once when it is asked to, as long as no [`Supervisor`] runs. The kernel keeps
/// from PID 1 every signal that it does not handle: a start that waits would be waited for.
pub(crate) fn end_when_asked() -> Result<()> {
    for signal in [SIGTERM, SIGINT, SIGQUIT] {
        signal_hook::flag::register_conditional_shutdown(signal, 0, Arc::clone(&UNATTENDED))
            .map_err(|e| format!("cannot handle signals: {e}"))?;
    }
    UNATTENDED.store(true, Ordering::SeqCst);
    Ok(())
}

/// A process to run.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// The program and its arguments.
    pub(crate) argv: Vec<String>,
    /// Who it runs as.
    pub(crate) owner: Owner,
    /// Home folder of that user.
    pub(crate) home: &'static str,
    /// Opens what it has as standard input, anew for every start; nothing where this is `None`.
    pub(crate) input: Option<fn() -> Result<OwnedFd>>,
    /// What it has as standard output; that of this process where this is `None`.
    pub(crate) output: Option<Arc<OwnedFd>>,
    /// A variable of its environment, and its value.
    pub(crate) variable: Option<(&'static str, &'static str)>,
}

impl Process {
    /// A process of the given user.
    pub(crate) fn new(owner: Owner, home: &'static str, argv: &[&str]) -> Self {
        let argv = argv.iter().map(|&a| a.to_owned()).collect();
        Self { argv, owner, home, input: None, output: None, variable: None }
    }

    /// The same with something as standard input.
    pub(crate) fn with_input(self, open: fn() -> Result<OwnedFd>) -> Self {
        Self { input: Some(open), ..self }
    }

    /// The same with something else as standard output.
    pub(crate) fn with_output(self, output: Option<Arc<OwnedFd>>) -> Self {
        Self { output, ..self }
    }

    /// The same with a variable in its environment.
    pub(crate) fn with_variable(self, variable: Option<(&'static str, &'static str)>) -> Self {
        Self { variable, ..self }
    }

    /// The program, or what this very program is asked to do.
    fn name(&self) -> &str {
        match self.argv[0].rsplit('/').next().unwrap_or_default() {
            "pgha-node" => self.argv.get(1).map_or("pgha-node", String::as_str),
            program => program,
        }
    }

    fn spawn(&self) -> Result<Pid> {
        let input = self.input.map(|open| open()).transpose()?;
        let output = self.output.as_ref().map(|output| output.try_clone()).transpose();
        let output = output.map_err(|e| format!("cannot start {}: {e}", self.argv.join(" ")))?;
        let child = Command::new(&self.argv[0])
            .args(&self.argv[1..])
            .stdin(input.map_or_else(Stdio::null, Stdio::from))
            .stdout(output.map_or_else(Stdio::inherit, Stdio::from))
            .uid(self.owner.0)
            .gid(self.owner.0)
            .env("HOME", self.home)
            .envs(self.variable)
            // A group of its own: a signal from a terminal must not reach it past PID 1.
            .process_group(0)
            .spawn()
            .map_err(|e| format!("cannot start {}: {e}", self.argv.join(" ")))?;
        Ok(Pid::from_child(&child))
    }
}

/// What to do when a process ends that is not the main one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenItEnds {
    /// Start it again.
    Restart,
    /// It has done its work.
    Forget,
}

/// The processes of a member.
#[derive(Debug, Default)]
pub(crate) struct Supervisor {
    /// The member ends when this one does.
    pub(crate) main: Option<Process>,
    /// How long the main process may take to end once it is asked to; then it is killed. The engine does that
    /// where this is `None`.
    pub(crate) grace: Option<Duration>,
    /// The member outlives its main process.
    pub(crate) outlive_main: bool,
    /// It also does where this says so as that ends.
    pub(crate) outlive_where: Option<fn() -> bool>,
    /// The others.
    pub(crate) others: Vec<(Process, WhenItEnds)>,
    /// The main process comes before the member's own, and is to end by itself.
    pub(crate) is_first: bool,
}

impl Supervisor {
    /// Runs until the main process has ended, or a signal asks for the end where there is none.
    ///
    /// The exit code is the main process's where it was asked to stop. Where it ended by itself the
    /// code is its own if that is not zero, and 1 otherwise.
    pub(crate) fn run(self) -> Result<ExitCode> {
        self.run_to_end().map(|(code, _)| code)
    }

    /// As [`Supervisor::run`], for what comes before the member's own processes: the code to end with
    /// where the member was asked to stop meanwhile.
    pub(crate) fn run_first(self) -> Result<Option<ExitCode>> {
        let (code, asked_to_stop) = Self { is_first: true, ..self }.run_to_end()?;
        Ok(asked_to_stop.then_some(code))
    }

    /// The exit code, and whether a signal asked for the end.
    fn run_to_end(self) -> Result<(ExitCode, bool)> {
        let mut signals =
            Signals::new([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGALRM])
                .map_err(|e| format!("cannot handle signals: {e}"))?;
        let before = UNATTENDED.swap(false, Ordering::SeqCst);
        let ended = self.attend(&mut signals);
        UNATTENDED.store(before, Ordering::SeqCst);
        ended
    }

    /// Starts the processes and reacts to signals until the end.
    fn attend(self, signals: &mut Signals) -> Result<(ExitCode, bool)> {
        let mut running = Running::start(self)?;
        for signal in signals.forever() {
            let ended = match signal {
                SIGCHLD => running.reap(),
                SIGALRM => {
                    running.kill_what_is_late();
                    None
                }
                SIGTERM | SIGINT => running.stop(),
                other => {
                    running.forward(other);
                    None
                }
            };
            if let Some(code) = ended {
                return Ok((code, running.asked_to_stop));
            }
            running.start_what_is_due()?;
        }
        Ok((ExitCode::SUCCESS, true))
    }
}

/// What runs of a [`Supervisor`]'s processes.
#[derive(Debug)]
struct Running {
    what: Supervisor,
    main: Option<Pid>,
    /// By process number: place among the others, and when it was started.
    others: BTreeMap<NonZeroI32, (usize, Instant)>,
    /// Places among the others, and when to start them again.
    due: Vec<(usize, Instant)>,
    asked_to_stop: bool,
    /// When the main process has taken too long to end.
    late: Option<Instant>,
}

impl Running {
    fn start(what: Supervisor) -> Result<Self> {
        let main = what.main.as_ref().map(Process::spawn).transpose()?;
        let due = (0..what.others.len()).map(|place| (place, Instant::now())).collect();
        let mut all =
            Self { what, main, others: BTreeMap::new(), due, asked_to_stop: false, late: None };
        all.start_what_is_due()?;
        Ok(all)
    }

    fn start_what_is_due(&mut self) -> Result<()> {
        let now = Instant::now();
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.due).into_iter().partition(|d| d.1 <= now);
        self.due = later;
        for (place, _) in due {
            let pid = self.what.others[place].0.spawn()?;
            self.others.insert(pid.as_raw_nonzero(), (place, now));
        }
        if !self.due.is_empty() {
            wake_up_after(RESTART_PAUSE);
        }
        Ok(())
    }

    /// Takes leave of every process that has ended; the code to end with, if this is the end.
    fn reap(&mut self) -> Option<ExitCode> {
        while let Some((pid, status)) = wait(WaitOptions::NOHANG).ok().flatten() {
            if self.main == Some(pid) {
                self.main = None;
                let name = self.what.main.as_ref().map_or("", Process::name);
                if worth_a_line(status.exit_status(), self.what.is_first) {
                    crate::log(&format!("{name} ended: {}", describe(status)));
                }
                if self.late.is_some_and(|late| late <= Instant::now()) {
                    return Some(ExitCode::SUCCESS);
                }
                let outlive =
                    self.what.outlive_main || self.what.outlive_where.is_some_and(|so| so());
                if self.asked_to_stop || !outlive {
                    return Some(exit_code(status, self.asked_to_stop));
                }
                crate::log("this member is to outlive it and stays up");
            } else if let Some((place, since)) = self.others.remove(&pid.as_raw_nonzero()) {
                let (process, then) = &self.what.others[place];
                if *then == WhenItEnds::Restart && !self.asked_to_stop {
                    let (name, how) = (process.name(), describe(status));
                    crate::log(&format!("{name} ended: {how}; starting it again"));
                    self.due.push((place, since + RESTART_PAUSE));
                }
            }
        }
        None
    }

    fn stop(&mut self) -> Option<ExitCode> {
        self.asked_to_stop = true;
        if let Some(pid) = self.main {
            // Patroni, etcd and pgBackRest all take SIGTERM as a request to end well.
            send(pid, Signal::TERM);
            if let (Some(grace), None) = (self.what.grace, self.late) {
                self.late = Some(Instant::now() + grace);
                wake_up_after(grace);
            }
            return None;
        }
        end_everything();
        Some(ExitCode::SUCCESS)
    }

    fn kill_what_is_late(&self) {
        let late = self.late.filter(|late| *late <= Instant::now());
        if let (Some(pid), Some(_)) = (self.main, late) {
            send(pid, Signal::KILL);
        }
    }

    fn forward(&self, signal: i32) {
        if let (Some(pid), Some(signal)) = (self.main, Signal::from_named_raw(signal)) {
            send(pid, signal);
        }
    }
}

/// Ends whatever still runs where the main process is gone already, and waits for it.
///
/// That may be a Postgres whose Patroni was killed, or one that somebody started by hand; SIGINT has
/// it shut down without waiting for its clients. The engine kills what takes too long.
fn end_everything() {
    let own = rustix::process::getpid();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|pid| *pid != own) {
            send(pid, Signal::INT);
        }
    }
    // Every orphan in a container is a child of PID 1: no child is nothing left.
    while wait(WaitOptions::empty()).is_ok() {}
}

/// Has the loop look again after a while, through a signal like everything else it reacts to.
fn wake_up_after(pause: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(pause);
        send(rustix::process::getpid(), Signal::ALARM);
    });
}

fn send(pid: Pid, signal: Signal) {
    // A process that has just ended is reaped in the next round; nothing to be done here.
    let _ = kill_process(pid, signal);
}

fn exit_code(status: WaitStatus, asked_to_stop: bool) -> ExitCode {
    let code = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        // etcd ends by the very signal that asks it to.
        (None, Some(signal)) if asked_to_stop && signal == SIGTERM => 0,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 1,
    };
    let code = u8::try_from(code).unwrap_or(1);
    ExitCode::from(if code == 0 && !asked_to_stop { 1 } else { code })
}

/// Whether it is told that the main process has ended: one that is to end by itself, and did well, is not.
fn worth_a_line(exit_code: Option<i32>, is_first: bool) -> bool {
    !is_first || exit_code != Some(0)
}

fn describe(status: WaitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    ExitStatus::from_raw(status.as_raw()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_that_ended_as_it_should_is_not_told_of() {
        assert!(!worth_a_line(Some(0), true));
        assert!(worth_a_line(Some(1), true), "it failed");
        assert!(worth_a_line(None, true), "it was killed");
        assert!(worth_a_line(Some(0), false), "the member ends with it");
    }
}
