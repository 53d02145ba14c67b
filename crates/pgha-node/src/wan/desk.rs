//! Where the router is told what links shall be: a socket in its container, and nothing else.
//!
//! A thread talks to the socket; the loop that moves packets is rung up by a bell and answers between
//! two packets.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use pgha_core::links::asked;
use pgha_wan::control::{Reply, Request, SOCKET};
use pgha_wan::router::Router;
use pgha_wan::settings::LinkSettings;
use rustix::event::{EventfdFlags, eventfd};

use crate::Result;
use crate::identity::Identity;
use crate::wan::ready;

/// How long one side of a conversation may keep the other waiting.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the loop is told.
enum Message {
    /// Somebody asks, and waits for the answer.
    Asked(Box<Request>, Sender<Reply>),
    /// The cluster has come up.
    ClusterIsUp,
}

/// The router's side of the conversation.
pub(crate) struct Desk {
    messages: Receiver<Message>,
    bell: Arc<OwnedFd>,
    from_start: bool,
    /// Links have no distances until the cluster is up.
    waiting_for_cluster: bool,
}

impl Desk {
    /// Opens the socket and makes the router that it is about.
    pub(crate) fn open<P>(me: &Identity) -> Result<(Self, Router<P>)> {
        let wan = &me.topology.spec.wan;
        let links = asked::links(&me.topology);
        let sites: Vec<_> = me.topology.sites.iter().map(|s| (s.number, s.name.clone())).collect();
        let asked: Vec<_> = links.iter().map(|l| (l.from, l.to, l.settings.clone())).collect();
        let mut router = Router::new(&sites, &asked, wan.seed())?;
        let distances = links.iter().any(|link| link.settings != LinkSettings::default());
        let waiting_for_cluster = distances && !wan.from_start && !ready::is_remembered();
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|e| format!("cannot make an event counter: {e}"))?;
        let bell = Arc::new(bell);
        let (tell, messages) = mpsc::channel();
        listen(tell.clone(), Arc::clone(&bell))?;
        if waiting_for_cluster {
            router.clear(Duration::ZERO, &[]);
            wait_for_cluster(me, tell, Arc::clone(&bell));
        }
        crate::log(&format!(
            "{} links, seed {}{}",
            links.len(),
            wan.seed(),
            if waiting_for_cluster { "; no WAN latency until the cluster is up" } else { "" }
        ));
        let from_start = wan.from_start;
        Ok((Self { messages, bell, from_start, waiting_for_cluster }, router))
    }

    /// What becomes readable when somebody asks for something.
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Ends the ringing of the bell; whoever rang has said before what for.
    pub(crate) fn quiet(&self) {
        // It may have been quieted already.
        let _ = rustix::io::read(&*self.bell, &mut [0; 8]);
    }

    /// Answers whatever has been asked.
    pub(crate) fn serve<P>(&mut self, router: &mut Router<P>, now: Duration) {
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::Asked(request, answer) => {
                    let done = self.answer(router, now, *request);
                    // Whoever asked may be gone.
                    let _ = answer.send(done.unwrap_or_else(Reply::Refused));
                }
                Message::ClusterIsUp if self.waiting_for_cluster => {
                    router.reset(now, &[]);
                    self.in_force();
                }
                Message::ClusterIsUp => {}
            }
        }
    }

    fn answer<P>(
        &mut self,
        router: &mut Router<P>,
        now: Duration,
        request: Request,
    ) -> Result<Reply> {
        let change = serde_json::to_string(&request).ok();
        let change =
            change.filter(|_| matches!(request, Request::Change { .. } | Request::Reset { .. }));
        match request {
            Request::State => {}
            Request::Change { links, change, for_ms } => {
                let links = links.iter().map(|l| router.find(l)).collect::<Result<Vec<_>>>()?;
                // Whoever changes links does not wait for the cluster to come up.
                let was_waiting = self.waiting_for_cluster;
                if was_waiting {
                    router.reset(now, &[]);
                }
                let undo_at = for_ms.map(|ms| now + Duration::from_millis(ms));
                router.change(now, &links, &change, undo_at)?;
                self.in_force();
            }
            Request::Reset { links } if links.is_empty() => {
                router.reset(now, &[]);
                self.in_force();
            }
            Request::Reset { links } => {
                let links = links.iter().map(|l| router.find(l)).collect::<Result<Vec<_>>>()?;
                router.reset(now, &links);
            }
            Request::Stopping => {
                if !self.from_start {
                    ready::remember(false).map_err(|e| format!("cannot forget: {e}"))?;
                }
            }
        }
        // `pgha events` reads it.
        if let Some(change) = change {
            crate::log(&format!("links: {change}"));
        }
        Ok(Reply::State(router.state(now, self.waiting_for_cluster)))
    }

    /// From now on a restart of the router brings the distances back at once.
    fn in_force(&mut self) {
        if std::mem::take(&mut self.waiting_for_cluster) {
            crate::log("WAN latency applied");
        }
        if let Err(e) = ready::remember(true) {
            crate::log(&format!("cannot record that WAN latency is applied: {e}"));
        }
    }
}

/// Serves the socket in a thread of its own, one conversation after the other.
fn listen(tell: Sender<Message>, bell: Arc<OwnedFd>) -> Result<()> {
    let explain = |e: std::io::Error| format!("cannot listen on {SOCKET}: {e}");
    // What a killed engine left.
    let _ = std::fs::remove_file(SOCKET);
    let listener = UnixListener::bind(SOCKET).map_err(explain)?;
    thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(move || {
            for client in listener.incoming().flatten() {
                // A client that says nothing sensible is not worth a line in the log.
                let _ = converse(&client, &tell, &bell);
            }
        })
        .map_err(explain)
        .map(drop)
}

fn converse(mut client: &UnixStream, tell: &Sender<Message>, bell: &OwnedFd) -> Result<()> {
    let explain = |e: std::io::Error| e.to_string();
    client.set_read_timeout(Some(PATIENCE)).map_err(explain)?;
    client.set_write_timeout(Some(PATIENCE)).map_err(explain)?;
    let mut lines = BufReader::new(client);
    let mut line = String::new();
    while lines.read_line(&mut line).map_err(explain)? > 0 {
        let reply = match serde_json::from_str(&line) {
            Ok(request) => ask(request, tell, bell).unwrap_or_else(Reply::Refused),
            Err(e) => Reply::Refused(format!("this is no request: {e}")),
        };
        let mut text = serde_json::to_vec(&reply).map_err(|e| e.to_string())?;
        text.push(b'\n');
        client.write_all(&text).map_err(explain)?;
        line.clear();
    }
    Ok(())
}

fn ask(request: Request, tell: &Sender<Message>, bell: &OwnedFd) -> Result<Reply> {
    let (answer, answered) = mpsc::channel();
    send(Message::Asked(Box::new(request), answer), tell, bell)?;
    answered.recv_timeout(PATIENCE).map_err(|e| format!("the router does not answer: {e}"))
}

fn send(message: Message, tell: &Sender<Message>, bell: &OwnedFd) -> Result<()> {
    tell.send(message).map_err(|_| "the router has ended".to_owned())?;
    rustix::io::write(bell, &1u64.to_ne_bytes()).map(drop).map_err(|e| format!("cannot ring: {e}"))
}

/// Puts the distances in force once the cluster is up.
fn wait_for_cluster(me: &Identity, tell: Sender<Message>, bell: Arc<OwnedFd>) {
    let topology = me.topology.clone();
    thread::spawn(move || {
        ready::wait(&topology);
        if let Err(e) = send(Message::ClusterIsUp, &tell, &bell) {
            crate::log(&format!("WAN latency not applied: {e}"));
        }
    });
}

/// Says one request to the socket and prints the answer.
pub(crate) fn relay(request: &Request) -> Result<()> {
    let request = serde_json::to_string(request).map_err(|e| format!("cannot write JSON: {e}"))?;
    let explain = |e: std::io::Error| format!("cannot talk to the router at {SOCKET}: {e}");
    let mut stream = UnixStream::connect(SOCKET).map_err(explain)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(explain)?;
    stream.write_all(format!("{request}\n").as_bytes()).map_err(explain)?;
    let mut answer = String::new();
    BufReader::new(&stream).read_line(&mut answer).map_err(explain)?;
    std::io::stdout().write_all(answer.as_bytes()).map_err(explain)
}
