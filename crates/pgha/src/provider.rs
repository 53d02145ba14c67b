//! What is done to the containers of clusters, whatever runs them: [`docker`] is the engine behind it, and
//! tests put a cluster that is only simulated in its place.
//!
//! Whatever brings up, watches, restores, stops or removes a cluster is written against [`Provider`]. Questions
//! that only Docker answers (its version, its disk, images, other people's containers) are asked of
//! [`crate::docker::Engine`] itself.

mod docker;

use std::time::Duration;

use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::project::Project;

/// What one command in a container may print before the rest is dropped, in bytes.
pub(crate) const OUTPUT_MAX_BYTES: usize = 16 << 20;

/// Which members are brought up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Up<'a> {
    /// Containers that are missing are made; nothing is started.
    Made,
    /// As [`Up::Made`]; one that was made from another file is made anew.
    MadeAnew,
    /// Containers that are missing are made, and all are started.
    All,
    /// One is started, and made where it is missing; the others are left alone.
    Alone(&'a str),
}

/// What is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thing<'a> {
    /// A container, running or not.
    Container {
        /// Its name or its id.
        container: &'a str,
        /// Its unnamed volumes go with it.
        volumes: bool,
    },
    /// A network that nobody is connected to.
    Network(&'a str),
    /// A volume that no container has.
    Volume(&'a str),
}

/// Who a command in a container runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum User {
    /// Who reads secrets.
    Root,
    /// The user postgres of every image, who may read the repository and nothing that is root's.
    Postgres,
}

/// A command in a container.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Command<'a> {
    /// The program and its arguments.
    pub(crate) argv: &'a [&'a str],
    /// Who it runs as.
    pub(crate) user: User,
    /// Its standard input stays open until the command has ended or nobody waits for it any more.
    pub(crate) held: bool,
    /// All of its standard input, where that is not held open.
    pub(crate) input: Option<&'a str>,
    /// The exit code is asked for.
    pub(crate) wants_code: bool,
}

/// A piece of what a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Printed<'a> {
    /// To standard output.
    Out(&'a [u8]),
    /// To standard error.
    Err(&'a [u8]),
}

/// What a command in a container came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    /// Exit code; 126 and 127 are also what the engine answers for a program that cannot be run.
    pub(crate) code: i64,
    /// What it wrote to standard output, bytes that are no UTF-8 replaced.
    pub(crate) stdout: String,
    /// What it wrote to standard error.
    pub(crate) stderr: String,
}

/// Runs the containers of clusters. A clone is the same provider.
///
/// A container is meant by its name or by its id.
pub(crate) trait Provider: Clone + std::fmt::Debug + Send + Sync + 'static {
    /// Every cluster there is, by the labels of its containers, networks and volumes; sorted by name and
    /// instance.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn clusters(&self) -> impl Future<Output = Result<Vec<Cluster>>> + Send;

    /// Makes and starts members of a compose file.
    ///
    /// # Errors
    /// When that fails, with what was said.
    fn up(&self, project: &Project, up: Up<'_>) -> impl Future<Output = Result<()>> + Send;

    /// Stops a container, which has the time to end by itself that its compose file gives it. Nothing where it
    /// does not run or is not there.
    ///
    /// # Errors
    /// When it cannot be stopped.
    fn stop(&self, container: &str) -> impl Future<Output = Result<()>> + Send;

    /// Starts a container that does not run; nothing where it does.
    ///
    /// # Errors
    /// When it is not there, or does not start.
    fn start(&self, container: &str) -> impl Future<Output = Result<()>> + Send;

    /// Stops a container as [`Provider::stop`] does, and starts it again.
    ///
    /// # Errors
    /// When it is not there, or does not start.
    fn restart(&self, container: &str) -> impl Future<Output = Result<()>> + Send;

    /// Ends all processes of a running container at once; it stays stopped until it is started.
    ///
    /// # Errors
    /// When it does not run.
    fn kill(&self, container: &str) -> impl Future<Output = Result<()>> + Send;

    /// Freezes a running container: its processes are there and do nothing, and its connections stay open.
    ///
    /// # Errors
    /// When it does not run, or is frozen already.
    fn pause(&self, container: &str) -> impl Future<Output = Result<()>> + Send;

    /// Lets a frozen container go on.
    ///
    /// # Errors
    /// When it is not frozen.
    fn unpause(&self, container: &str) -> impl Future<Output = Result<()>> + Send;

    /// Makes an empty volume with these labels, at once and as a whole.
    ///
    /// # Errors
    /// When it cannot be made.
    fn make_volume(
        &self,
        name: &str,
        labels: &[(&str, String)],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Removes something. What is gone already, or about to be, is no error.
    ///
    /// # Errors
    /// When it is in use.
    fn remove(&self, thing: Thing<'_>) -> impl Future<Output = Result<()>> + Send;

    /// Runs a command in a running container, hands over what it prints as it comes, and gives its exit code;
    /// `None` where it was not asked for or the container has stopped meanwhile.
    ///
    /// # Errors
    /// When the container does not run or is not there; [`Error::cause`] is why.
    fn run(
        &self,
        container: &str,
        command: Command<'_>,
        each: impl FnMut(Printed<'_>) + Send,
    ) -> impl Future<Output = Result<Option<i64>>> + Send;

    /// Puts a small file of the user postgres into a folder of a container, running or not.
    ///
    /// # Errors
    /// When the container or the folder is not there.
    fn put_file(
        &self,
        container: &str,
        folder: &str,
        name: &str,
        text: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Reads a small file of a container, running or not.
    ///
    /// # Errors
    /// When it is not there.
    fn get_file(&self, container: &str, path: &str) -> impl Future<Output = Result<String>> + Send;

    /// The last lines of what a container has written; as far as they can be had.
    fn log(&self, container: &str, lines: u32) -> impl Future<Output = String> + Send;

    /// Runs a command in a running container as root and waits for its end.
    ///
    /// A command that is still running at the deadline is left to itself: there is no way to end it.
    ///
    /// # Errors
    /// As [`Provider::run`], or when the deadline passes ([`crate::error::Exit::Deadline`]). A non-zero exit
    /// code is no error here.
    fn exec(
        &self,
        container: &str,
        argv: &[impl AsRef<str> + Sync],
        deadline: Duration,
    ) -> impl Future<Output = Result<Output>> + Send {
        self.exec_with(container, argv, None, deadline)
    }

    /// The same with a text on its standard input.
    ///
    /// # Errors
    /// As [`Provider::exec`].
    fn exec_with(
        &self,
        container: &str,
        argv: &[impl AsRef<str> + Sync],
        input: Option<&str>,
        deadline: Duration,
    ) -> impl Future<Output = Result<Output>> + Send {
        async move {
            let argv = &words(argv);
            let command = Command { argv, user: User::Root, held: false, input, wants_code: true };
            let mut printed = Kept::default();
            let ran = self.run(container, command, |piece| printed.take(piece));
            let code =
                timeout(deadline, ran).await.map_err(|_| late(container, argv, deadline))??;
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            Ok(Output {
                code: code.unwrap_or_default(),
                stdout: text(printed.stdout),
                stderr: text(printed.stderr),
            })
        }
    }

    /// Runs a probe in a running container and gives what it printed to standard output; saves
    /// the question for the exit code.
    ///
    /// # Errors
    /// As [`Provider::exec`], and when it printed nothing.
    fn exec_stdout(
        &self,
        container: &str,
        argv: &[impl AsRef<str> + Sync],
        deadline: Duration,
    ) -> impl Future<Output = Result<Vec<u8>>> + Send {
        async move {
            let argv = &words(argv);
            let command =
                Command { argv, user: User::Postgres, held: false, input: None, wants_code: false };
            let mut printed = Kept::default();
            let ran = self.run(container, command, |piece| printed.take(piece));
            timeout(deadline, ran).await.map_err(|_| late(container, argv, deadline))??;
            if printed.stdout.is_empty() {
                let end = String::from_utf8_lossy(&printed.stderr).into_owned();
                let why = if end.trim().is_empty() { "it printed nothing".to_owned() } else { end };
                return Err(Error::failed(cannot(container, argv)).because(why));
            }
            Ok(printed.stdout)
        }
    }

    /// Runs a probe in a running container and hands over each line of its standard output as it
    /// comes, until it ends. Its standard input ends when this future is dropped.
    ///
    /// # Errors
    /// As [`Provider::run`].
    fn exec_lines(
        &self,
        container: &str,
        argv: &[impl AsRef<str> + Sync],
        mut each: impl FnMut(&[u8]) + Send,
    ) -> impl Future<Output = Result<()>> + Send {
        async move {
            let argv = &words(argv);
            let command =
                Command { argv, user: User::Postgres, held: true, input: None, wants_code: false };
            let mut lines = Lines::default();
            let each = |piece: Printed<'_>| {
                if let Printed::Out(bytes) = piece {
                    lines.take(bytes, &mut each);
                }
            };
            self.run(container, command, each).await.map(drop)
        }
    }

    /// Runs a command in a running container as the user postgres, however long that takes, and hands
    /// over each line of its standard output as it comes.
    ///
    /// # Errors
    /// As [`Provider::run`], when the container stops meanwhile, and when the command fails: with what it
    /// wrote to standard error.
    fn exec_step(
        &self,
        container: &str,
        argv: &[impl AsRef<str> + Sync],
        mut each: impl FnMut(&str) + Send,
    ) -> impl Future<Output = Result<()>> + Send {
        async move {
            let argv = &words(argv);
            let command =
                Command { argv, user: User::Postgres, held: false, input: None, wants_code: true };
            let (mut lines, mut stderr) = (Lines::default(), Vec::new());
            let take = |piece: Printed<'_>| match piece {
                Printed::Out(bytes) => lines.take(bytes, &mut |line: &[u8]| {
                    each(String::from_utf8_lossy(line).trim_end());
                }),
                Printed::Err(bytes) => stderr.extend_from_slice(bytes),
            };
            let shown = argv.iter().take(4).copied().collect::<Vec<_>>().join(" ");
            let failed = || Error::failed(format!("`{shown}` failed in {container}"));
            let ran = self.run(container, command, take).await;
            if ran.map_err(|error| failed().because(error.cause()))? == Some(0) {
                return Ok(());
            }
            let stderr = String::from_utf8_lossy(&stderr);
            let why = stderr.trim().trim_start_matches("pgha-node: failed: ");
            let why = if why.is_empty() { "the container stopped meanwhile" } else { why };
            Err(failed().because(why))
        }
    }
}

fn words(argv: &[impl AsRef<str>]) -> Vec<&str> {
    argv.iter().map(AsRef::as_ref).collect()
}

/// The argument list that runs SQL in a node, and ends with the first statement that fails.
pub(crate) fn psql(statements: &str) -> [&str; 8] {
    ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c", statements]
}

/// What could not be done, for an error.
pub(crate) fn cannot(container: &str, argv: &[&str]) -> String {
    format!("cannot run `{}` in {container}", argv.join(" "))
}

fn late(container: &str, argv: &[&str], deadline: Duration) -> Error {
    Error::deadline(cannot(container, argv)).because(format!("no answer within {deadline:?}"))
}

/// All that a command has printed, up to [`OUTPUT_MAX_BYTES`] of each.
#[derive(Debug, Default)]
struct Kept {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Kept {
    fn take(&mut self, piece: Printed<'_>) {
        let (to, bytes) = match piece {
            Printed::Out(bytes) => (&mut self.stdout, bytes),
            Printed::Err(bytes) => (&mut self.stderr, bytes),
        };
        let room = OUTPUT_MAX_BYTES.saturating_sub(to.len());
        to.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// Cuts what comes in pieces into lines.
#[derive(Debug, Default)]
struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    fn take(&mut self, bytes: &[u8], each: &mut dyn FnMut(&[u8])) {
        self.pending.extend_from_slice(bytes);
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            each(&self.pending[..end]);
            self.pending.drain(..=end);
        }
    }
}

/// Methods of [`Provider`] that nobody calls on a simulated cluster: each of them panics, with what was asked for.
#[cfg(test)]
macro_rules! not_asked_for {
    ($($method:ident),+) => { $($crate::provider::not_asked_for! { @ $method })+ };
    (@ up) => {
        async fn up(&self, _: &$crate::project::Project, up: $crate::provider::Up<'_>) -> $crate::error::Result<()> {
            panic!("nobody asks for {up:?}")
        }
    };
    (@ make_volume) => {
        async fn make_volume(&self, name: &str, _: &[(&str, String)]) -> $crate::error::Result<()> {
            panic!("nobody makes {name}")
        }
    };
    (@ remove) => {
        async fn remove(&self, thing: $crate::provider::Thing<'_>) -> $crate::error::Result<()> {
            panic!("nobody removes {thing:?}")
        }
    };
    (@ get_file) => {
        async fn get_file(&self, container: &str, path: &str) -> $crate::error::Result<String> {
            panic!("nobody reads {path} in {container}")
        }
    };
    (@ $method:ident) => {
        async fn $method(&self, container: &str) -> $crate::error::Result<()> {
            panic!(concat!("nobody asks to ", stringify!($method), " {}"), container)
        }
    };
}
#[cfg(test)]
pub(crate) use not_asked_for;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_they_come_apart() {
        let text = b"held\n\nhalf";
        for cut in 0..text.len() {
            let (mut lines, mut said) = (Lines::default(), Vec::new());
            for part in [&text[..cut], &text[cut..]] {
                lines.take(part, &mut |line| said.push(line.to_vec()));
            }
            assert_eq!(said, [b"held".to_vec(), Vec::new()], "cut at {cut}");
        }
    }
}
