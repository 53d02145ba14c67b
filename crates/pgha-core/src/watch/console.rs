//! What is on the screen, and what a key does to it.

#[cfg(test)]
mod tests;

use super::Order;

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// Sites and members.
    Cluster,
    /// What happened.
    Timeline,
    /// The WAN.
    Links,
    /// The repository.
    Backups,
    /// One Postgres node.
    Node,
}

impl Screen {
    /// Every screen, by its number.
    pub const ALL: [Self; 5] =
        [Self::Cluster, Self::Timeline, Self::Links, Self::Backups, Self::Node];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Timeline => "timeline",
            Self::Links => "links",
            Self::Backups => "backups",
            Self::Node => "node",
        }
    }
}

/// A key, as far as any has a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first line.
    Home,
    /// To the last line.
    End,
    /// Yes.
    Enter,
    /// Back.
    Esc,
    /// The next screen.
    Tab,
}

/// What lies over a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Overlay {
    /// The keys.
    Help,
    /// A command, to be run or copied.
    Asking {
        /// Which.
        order: Order,
        /// It was copied.
        copied: bool,
    },
    /// A command that runs or ran, with what it printed.
    Running {
        /// Its command line.
        command: String,
        /// The end of what it printed.
        lines: Vec<String>,
        /// Its exit code, once it has ended.
        ended: Option<i32>,
    },
}

/// What a key asks for beyond the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// To end.
    Quit,
    /// To run a command.
    Run(Order),
    /// To copy a text.
    Copy(String),
    /// To move in the timeline by so many entries.
    Scrub(isize),
    /// To go to the newest entry of the timeline.
    Follow,
    /// To freeze the timeline, or go on.
    Freeze,
}

/// What can be chosen on a screen, as it is drawn now.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// Names of sites and members on the cluster screen, in order.
    pub cluster: Vec<String>,
    /// Names of Postgres nodes.
    pub nodes: Vec<String>,
    /// Those of them that follow.
    pub replicas: Vec<String>,
    /// Pairs of sites, each with its latency one way in milliseconds.
    pub links: Vec<([String; 2], u64)>,
    /// Lines that fit.
    pub page: usize,
}

/// Output of a command that is kept, in lines.
const OUTPUT_KEPT: usize = 500;
/// How much latency a key adds or takes away, in milliseconds.
const LATENCY_STEP_MS: u64 = 10;

/// What is on the screen.
#[derive(Debug, Clone)]
pub struct Console {
    /// Which cluster, such as `demo-1`.
    pub cluster: String,
    /// Commands can be copied only.
    pub read_only: bool,
    /// Which screen.
    pub screen: Screen,
    /// The site or member that is chosen on the cluster screen.
    pub chosen: Option<String>,
    /// The node that the node screen is about; the leader where none was chosen.
    pub node: Option<String>,
    /// The pair of sites that is chosen.
    pub link: usize,
    /// What lies over it.
    pub overlay: Option<Overlay>,
}

impl Console {
    /// The cluster screen of a cluster.
    pub fn new(cluster: String, read_only: bool) -> Self {
        Self {
            cluster,
            read_only,
            screen: Screen::Cluster,
            chosen: None,
            node: None,
            link: 0,
            overlay: None,
        }
    }

    /// A key was pressed.
    pub fn press(&mut self, key: Key, rows: &Rows) -> Effect {
        if let Some(overlay) = self.overlay.take() {
            return self.press_over(overlay, key);
        }
        match key {
            Key::Char('q') => return Effect::Quit,
            Key::Char('?') => self.overlay = Some(Overlay::Help),
            Key::Char(digit @ '1'..='5') => {
                let number = digit as usize - '1' as usize;
                self.show(Screen::ALL[number], rows);
            }
            Key::Tab => {
                let at = Screen::ALL.iter().position(|screen| *screen == self.screen);
                self.show(Screen::ALL[(at.unwrap_or_default() + 1) % Screen::ALL.len()], rows);
            }
            Key::Char('h') if self.screen != Screen::Links => self.ask(Order::Heal),
            key => return self.press_on(key, rows),
        }
        Effect::None
    }

    /// Something was printed by the command that runs.
    pub fn printed(&mut self, line: String) {
        if let Some(Overlay::Running { lines, .. }) = &mut self.overlay {
            lines.push(line);
            lines.drain(..lines.len().saturating_sub(OUTPUT_KEPT));
        }
    }

    /// The command has ended.
    pub fn ended(&mut self, code: i32) {
        if let Some(Overlay::Running { ended, .. }) = &mut self.overlay {
            *ended = Some(code);
        }
    }

    fn show(&mut self, screen: Screen, rows: &Rows) {
        let chosen = self.chosen.as_ref().filter(|name| rows.nodes.contains(name));
        if let (Screen::Node, Some(chosen)) = (screen, chosen) {
            self.node = Some(chosen.clone());
        }
        self.screen = screen;
    }

    fn ask(&mut self, order: Order) {
        self.overlay = Some(Overlay::Asking { order, copied: false });
    }

    /// A key over an overlay.
    fn press_over(&mut self, overlay: Overlay, key: Key) -> Effect {
        match (overlay, key) {
            (Overlay::Asking { order, .. }, Key::Enter) if !self.read_only => {
                let command = order.command_line(&self.cluster);
                self.overlay = Some(Overlay::Running { command, lines: Vec::new(), ended: None });
                return Effect::Run(order);
            }
            (Overlay::Asking { order, .. }, Key::Char('y')) => {
                let line = order.command_line(&self.cluster);
                self.overlay = Some(Overlay::Asking { order, copied: true });
                return Effect::Copy(line);
            }
            (Overlay::Asking { .. } | Overlay::Help, Key::Esc | Key::Char('q' | 'n' | '?'))
            | (Overlay::Running { ended: Some(_), .. }, Key::Esc | Key::Enter | Key::Char('q')) => {
            }
            // It goes on, and is watched: a second one beside it would be one too many.
            (running @ Overlay::Running { ended: None, .. }, key) => {
                self.overlay = Some(running);
                if key == Key::Char('q') {
                    return Effect::Quit;
                }
            }
            (overlay, _) => self.overlay = Some(overlay),
        }
        Effect::None
    }

    fn press_on(&mut self, key: Key, rows: &Rows) -> Effect {
        match self.screen {
            Screen::Cluster => self.on_cluster(key, rows),
            Screen::Timeline => return on_timeline(key, rows),
            Screen::Links => self.on_links(key, rows),
            Screen::Backups if key == Key::Char('b') => self.ask(Order::Backup),
            Screen::Backups => {}
            Screen::Node => {
                let at = rows.nodes.iter().position(|name| Some(name) == self.node.as_ref());
                if let Some(to) = moved(at, key, rows.nodes.len(), rows.page) {
                    self.node = rows.nodes.get(to).cloned();
                }
            }
        }
        Effect::None
    }

    fn on_cluster(&mut self, key: Key, rows: &Rows) {
        let at = rows.cluster.iter().position(|name| Some(name) == self.chosen.as_ref());
        if let Some(to) = moved(at, key, rows.cluster.len(), rows.page) {
            self.chosen = rows.cluster.get(to).cloned();
        }
        let chosen = || self.chosen.clone();
        match key {
            Key::Char('s') => {
                let to = chosen().filter(|name| rows.replicas.contains(name));
                self.ask(Order::Switchover { to });
            }
            Key::Char('x') => {
                if let Some(member) = chosen() {
                    self.ask(Order::Kill { member });
                }
            }
            Key::Enter if chosen().is_some_and(|name| rows.nodes.contains(&name)) => {
                self.show(Screen::Node, rows);
            }
            Key::Esc => self.chosen = None,
            _ => {}
        }
    }

    fn on_links(&mut self, key: Key, rows: &Rows) {
        if let Some(to) = moved(Some(self.link), key, rows.links.len(), rows.page) {
            self.link = to;
        }
        if key == Key::Char('h') {
            self.ask(Order::HealLinks);
        }
        let Some((between, latency)) = rows.links.get(self.link).cloned() else { return };
        match key {
            Key::Char('x') => self.ask(Order::Cut { between }),
            Key::Char('i') => self.ask(Order::Isolate { site: between[0].clone() }),
            Key::Char('I') => self.ask(Order::Isolate { site: between[1].clone() }),
            Key::Char('+') => {
                self.ask(Order::Latency { between, ms: latency.saturating_add(LATENCY_STEP_MS) });
            }
            Key::Char('-') => {
                self.ask(Order::Latency { between, ms: latency.saturating_sub(LATENCY_STEP_MS) });
            }
            _ => {}
        }
    }
}

fn on_timeline(key: Key, rows: &Rows) -> Effect {
    let page = isize::try_from(rows.page).unwrap_or(isize::MAX);
    match key {
        Key::Up => Effect::Scrub(-1),
        Key::Down => Effect::Scrub(1),
        Key::PageUp => Effect::Scrub(-page),
        Key::PageDown => Effect::Scrub(page),
        Key::Home => Effect::Scrub(isize::MIN + 1),
        Key::End | Key::Esc => Effect::Follow,
        Key::Char(' ') => Effect::Freeze,
        _ => Effect::None,
    }
}

/// Where a key goes from one of `count` lines; `None` where it goes nowhere.
fn moved(at: Option<usize>, key: Key, count: usize, page: usize) -> Option<usize> {
    let last = count.checked_sub(1)?;
    let to = match (key, at) {
        (Key::Home, _) | (Key::Down | Key::PageDown, None) => 0,
        (Key::End, _) | (Key::Up | Key::PageUp, None) => last,
        (Key::Up, Some(at)) => at.saturating_sub(1),
        (Key::Down, Some(at)) => at + 1,
        (Key::PageUp, Some(at)) => at.saturating_sub(page),
        (Key::PageDown, Some(at)) => at.saturating_add(page),
        _ => return None,
    };
    Some(to.min(last))
}
