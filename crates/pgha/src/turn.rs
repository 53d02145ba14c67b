//! One command at a time chooses what is free on this host.
//!
//! What they share is the engine, so the lock is at its socket: on the folder that it is in, which everybody
//! who reaches the engine sees under one name, whatever their user or their folder for temporary files.
//! Nothing is written there, and the kernel releases the lock with the process, however that ends.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::Events;

/// How long another command may take, which may have images to build.
const DEADLINE: Duration = Duration::from_secs(15 * 60);
const POLL: Duration = Duration::from_millis(100);

/// The right to choose instance numbers, ports and subnets, until the engine knows that they are taken.
///
/// It ends when this is dropped, and with the process.
#[derive(Debug)]
pub(crate) struct Turn {
    /// The folder, open and locked.
    _lock: File,
}

impl Turn {
    /// Waits until no other command has it.
    ///
    /// # Errors
    /// When another one has it for a quarter of an hour, or the folder of the socket cannot be locked.
    pub(crate) async fn take(engine: &Engine, events: &Events) -> Result<Self> {
        Self::at(engine.socket(), DEADLINE, events).await
    }

    async fn at(socket: &Path, deadline: Duration, events: &Events) -> Result<Self> {
        let cannot = |e| {
            Error::failed(format!("cannot lock the folder of {}", socket.display()))
                .because(e)
                .hint("every user of the engine must be able to list that folder: `chmod a+rx` it")
        };
        // The socket may be a link, as Docker Desktop makes one in /var/run.
        let real = socket.canonicalize().map_err(cannot)?;
        let lock = File::open(real.parent().unwrap_or(Path::new("/"))).map_err(cannot)?;
        let started = Instant::now();
        let mut work = None;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(Self { _lock: lock }),
                Err(TryLockError::Error(e)) => return Err(cannot(e)),
                Err(TryLockError::WouldBlock) if started.elapsed() > deadline => {
                    return Err(Error::failed(
                        "another pgha makes containers on this engine, and does not end",
                    )
                    .hint(
                        "`lslocks` lists the process that locks the folder of the engine's socket",
                    ));
                }
                Err(TryLockError::WouldBlock) => {}
            }
            work.get_or_insert_with(|| events.begin("pgha"))
                .at("waiting for another pgha to make its containers", "");
            tokio::time::sleep(POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::events::tests::Kept;

    async fn at_once(socket: &Path) -> Result<Turn> {
        Turn::at(socket, Duration::ZERO, &Kept::stream().0).await
    }

    #[tokio::test]
    async fn one_has_it_and_it_ends_with_its_holder_even_where_that_is_killed() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let socket = folder.path().join("docker.sock");
        let _listener = UnixListener::bind(&socket).expect("a socket");
        // Another path to the same engine.
        let link = tempfile::tempdir().expect("a temporary folder");
        let other = link.path().join("docker.sock");
        std::os::unix::fs::symlink(&socket, &other).expect("a link");

        let first = at_once(&socket).await.expect("nobody has it");
        let refused = at_once(&other).await.expect_err("it is taken").to_string();
        assert!(refused.contains("another pgha"), "{refused}");
        drop(first);
        drop(at_once(&other).await.expect("it is free again"));

        let mut holder = Command::new("flock")
            .args(["--no-fork"])
            .arg(folder.path())
            .args(["sh", "-c", "echo held; exec sleep 600"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("flock runs");
        let mut said = [0; 4];
        let mut out = holder.stdout.take().expect("it is piped");
        std::io::Read::read_exact(&mut out, &mut said).expect("it holds the lock");
        assert!(at_once(&socket).await.is_err(), "another process has it");
        holder.kill().expect("it can be killed");
        holder.wait().expect("it is waited for once");
        drop(at_once(&socket).await.expect("the kernel has released it"));
    }
}
