//! The live screen of one cluster: observers in the background, keys, and one loop that draws.
//!
//! Nothing that takes time is done in the loop, so a key is answered at once whatever the engine does. Draws at most ten
//! times a second. The terminal is put back however this ends.

mod child;
mod feed;
mod tty;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pgha_core::status::ClusterView;
use pgha_core::watch::{
    BackupsBoard, Board, Console, Effect, LinksBoard, Memory, Rows, Screen, Timeline,
};
use pgha_wan::units::whole_ms;
use ratatui::DefaultTerminal;
use ratatui::layout::Rect;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::docker::Engine;
use crate::error::{Error, OrFail, Result};
use crate::events::Events;
use crate::interrupt::Interrupts;
use crate::screen::watch::{self as screen, Detail, Palette, Picture};
use crate::terminal;

use feed::{Feeds, Links, Subject};
pub(crate) use feed::{Looks, News};
use tty::{Input, Tty};

/// Least time between two redraws.
const FRAME: Duration = Duration::from_millis(100);
/// Ages and the clock are redrawn so often.
const CLOCK: Duration = Duration::from_secs(1);
/// After how long an answer of a router or a node is old, which are asked every second or two.
const OLD: Duration = Duration::from_secs(6);
/// The same of a repository's listing, which is asked for every ten seconds.
const OLD_LISTING: Duration = Duration::from_secs(25);
/// News that wait at most: what comes faster waits itself.
const NEWS_MAX: usize = 64;

/// Shows a cluster until `q`.
///
/// # Errors
/// When there is no terminal, or an observer failed.
pub(crate) async fn run(
    engine: Engine,
    id: String,
    read_only: bool,
    events: &Events,
) -> Result<()> {
    let mut tty = Tty::open()?;
    let (send, mut news) = mpsc::channel(NEWS_MAX);
    let mut live = Live::new(id.clone(), read_only);
    let mut feeds = Feeds::start(&engine, &id, send.clone());
    let mut interrupts = Interrupts::listen();
    let mut clock = interval(CLOCK);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut drawn: Option<tokio::time::Instant> = None;
    let mut dirty = true;
    loop {
        let due = drawn.map(|at| at + FRAME);
        if dirty && due.is_none_or(|due| due <= tokio::time::Instant::now()) {
            live.draw(&mut tty.terminal)?;
            (drawn, dirty) = (Some(tokio::time::Instant::now()), false);
        }
        tokio::select! {
            input = tty.next() => match input {
                Input::Key(key) => {
                    if !live.press(key, &send)? {
                        break;
                    }
                    feeds.show(live.subject());
                }
                Input::Resized => {}
                Input::Interrupt | Input::Closed => break,
            },
            // The loop has a sender itself: there is always one.
            Some(one) = news.recv() => live.take(one),
            _ = clock.tick() => {}
            () = interrupts.next() => break,
            why = feeds.failed() => {
                return Err(Error::failed("the observer of the cluster has ended").because(why));
            }
            () = sleep_until(due.unwrap_or_else(tokio::time::Instant::now)), if dirty => continue,
        }
        dirty = true;
    }
    drop(tty);
    if let Some(command) = live.running() {
        events.note(format!("`{command}` goes on"));
    }
    Ok(())
}

/// The board of one look.
pub(crate) fn board(view: ClusterView) -> Board {
    let mut memory = Memory::default();
    memory.take(0, Ok(view));
    Board::of(&memory, 0).expect("there was a look")
}

/// What is known and what is shown.
struct Live {
    started: Instant,
    console: Console,
    memory: Memory,
    timeline: Timeline,
    links: Seen<Links>,
    backups: Seen<pgha_core::repository::Repository>,
    node: Seen<feed::NodeNews>,
    palette: Palette,
    rows: Rows,
}

/// The latest of something, when it came, and why nothing came after it.
struct Seen<T> {
    data: Option<(T, Instant)>,
    failure: Option<String>,
}

impl<T> Seen<T> {
    const NOTHING: Self = Self { data: None, failure: None };

    fn take(&mut self, news: Result<T, String>) {
        match news {
            Ok(data) => *self = Self { data: Some((data, Instant::now())), failure: None },
            Err(why) => self.failure = Some(why),
        }
    }

    /// As it is shown; old after some time, of which each kind of question takes its own.
    fn detail<U>(&self, old_after: Duration, show: impl FnOnce(&T) -> U) -> Detail<U> {
        let age = self.data.as_ref().map_or(Duration::ZERO, |(_, at)| at.elapsed());
        Detail {
            data: self.data.as_ref().map(|(data, _)| show(data)),
            age_ms: whole_ms(age),
            is_old: age > old_after,
            failure: self.failure.clone(),
        }
    }
}

impl Live {
    fn new(id: String, read_only: bool) -> Self {
        Self {
            started: Instant::now(),
            console: Console::new(id, read_only),
            memory: Memory::default(),
            timeline: Timeline::default(),
            links: Seen::NOTHING,
            backups: Seen::NOTHING,
            node: Seen::NOTHING,
            palette: palette(),
            rows: Rows::default(),
        }
    }

    /// What the observers are to ask for.
    fn subject(&self) -> Subject {
        Subject { screen: self.console.screen, node: self.console.node.clone() }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Look(look) => self.memory.take(whole_ms(self.started.elapsed()), *look),
            News::Events(entries) => self.timeline.take(entries),
            News::Links(links) => self.links.take(links),
            News::Backups(repository) => self.backups.take(repository),
            // Of another node that was looked at before.
            News::Node(name, _) if Some(&name) != self.console.node.as_ref() => {}
            News::Node(_, node) => self.node.take(node),
            News::Printed(line) => self.console.printed(line),
            News::Ended(code) => self.console.ended(code),
        }
    }

    /// A key; whether this goes on.
    fn press(&mut self, key: pgha_core::watch::Key, send: &mpsc::Sender<News>) -> Result<bool> {
        let before = self.console.node.clone();
        match self.console.press(key, &self.rows) {
            Effect::None => {}
            Effect::Quit => return Ok(false),
            Effect::Run(order) => child::run(order.argv(&self.console.cluster), send.clone()),
            Effect::Copy(text) => terminal::copy(&text)?,
            Effect::Scrub(by) => self.timeline.scrub(by),
            Effect::Follow => self.timeline.follow(),
            Effect::Freeze => self.timeline.toggle_freeze(),
        }
        if self.console.screen == Screen::Node && self.console.node.is_none() {
            self.console.node = self.memory.view().and_then(|view| view.leader.clone());
        }
        if self.console.node != before {
            self.node = Seen::NOTHING;
        }
        Ok(true)
    }

    /// The command that still runs.
    fn running(&self) -> Option<&str> {
        match &self.console.overlay {
            Some(pgha_core::watch::Overlay::Running { command, ended: None, .. }) => Some(command),
            _ => None,
        }
    }

    fn draw(&mut self, terminal: &mut DefaultTerminal) -> Result<()> {
        let now_ms = whole_ms(self.started.elapsed());
        let board = Board::of(&self.memory, now_ms);
        let archive = self.memory.view().and_then(|view| view.archive.as_ref());
        let unix_s = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
        let clock = clock();
        let picture = Picture {
            console: &self.console,
            board: board.as_ref(),
            failure: self.memory.failure(),
            clock: &clock,
            timeline: &self.timeline,
            links: self.links.detail(OLD, |links| {
                let measured = links.measured.map(|at| whole_ms(at.elapsed()));
                LinksBoard::of(&links.view, &links.carried, measured)
            }),
            backups: self.backups.detail(OLD_LISTING, |all| BackupsBoard::of(all, archive, unix_s)),
            node: self.node.detail(OLD, Clone::clone),
        };
        let mut rows = Rows::default();
        let drawn = terminal.draw(|frame| {
            let area = frame.area();
            rows = screen::rows(&picture, area);
            screen::draw(&picture, self.palette, area, frame.buffer_mut());
        });
        drawn.map(drop).or_fail("cannot draw on the terminal")?;
        self.rows = rows;
        Ok(())
    }
}

/// `18:31:02 UTC`.
fn clock() -> String {
    let now = TimeZone::UTC.to_datetime(Timestamp::now());
    now.strftime("%H:%M:%S UTC").to_string()
}

fn palette() -> Palette {
    let none = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if none { Palette::Plain } else { Palette::Colours }
}

/// The cluster screen as text, as wide as the terminal and as long as it takes.
pub(crate) fn once(board: &Board, width: u16) -> String {
    /// Lines enough for every member with a note.
    const SPARE: usize = 40;
    let members: usize = board.sites.iter().map(|site| 2 * site.members.len() + 1).sum();
    let height = u16::try_from(members + SPARE).unwrap_or(u16::MAX);
    let console = Console::new(board.id(), true);
    let clock = clock();
    let picture = Picture {
        console: &console,
        board: Some(board),
        failure: None,
        clock: &clock,
        timeline: &Timeline::default(),
        links: Detail::default(),
        backups: Detail::default(),
        node: Detail::default(),
    };
    screen::text(&picture, palette(), Rect::new(0, 0, width, height))
}
