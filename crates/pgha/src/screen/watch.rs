//! The screens of `pgha watch`, drawn cell by cell from plain data of [`pgha_core::watch`]. Judges nothing.

mod backups;
mod cluster;
mod links;
mod node;
mod overlay;
mod page;
#[cfg(test)]
mod tests;
mod timeline;

use pgha_core::watch::{
    BackupsBoard, Board, Console, LinksBoard, NodeReport, Rows, Screen, Timeline,
};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use page::Page;
pub(crate) use page::Palette;

/// The smallest terminal that anything is drawn on.
const SMALLEST: (u16, u16) = (40, 10);
/// Lines that are not a screen's own: the bar at the top and that of the keys.
const BARS: u16 = 2;

/// Everything that is drawn at one moment.
#[derive(Debug)]
pub(crate) struct Picture<'a> {
    /// Which screen, and what lies over it.
    pub(crate) console: &'a Console,
    /// The cluster; `None` until it was looked at.
    pub(crate) board: Option<&'a Board>,
    /// Why it could not be looked at.
    pub(crate) failure: Option<&'a str>,
    /// The time, as it is shown.
    pub(crate) clock: &'a str,
    /// What happened.
    pub(crate) timeline: &'a Timeline,
    /// The screens that are asked for only while they are shown.
    pub(crate) links: Detail<LinksBoard>,
    pub(crate) backups: Detail<BackupsBoard>,
    pub(crate) node: Detail<(NodeReport, Vec<String>)>,
}

/// What a screen shows beside the cluster.
#[derive(Debug)]
pub(crate) struct Detail<T> {
    /// The latest there is.
    pub(crate) data: Option<T>,
    /// How old that is, in milliseconds.
    pub(crate) age_ms: u64,
    /// Whether that is too old to be how it is.
    pub(crate) is_old: bool,
    /// Why there is nothing newer.
    pub(crate) failure: Option<String>,
}

impl<T> Default for Detail<T> {
    fn default() -> Self {
        Self { data: None, age_ms: 0, is_old: false, failure: None }
    }
}

/// Draws it.
pub(crate) fn draw(picture: &Picture<'_>, palette: Palette, area: Rect, buffer: &mut Buffer) {
    let mut page = Page::new(buffer, area, palette);
    if (area.width, area.height) < SMALLEST || area.height < SMALLEST.1 {
        page.text("terminal too small");
        return;
    }
    tabs(picture, &mut page);
    let body = page.body(BARS);
    match picture.console.screen {
        Screen::Cluster => cluster::draw(picture, &mut page, body),
        Screen::Timeline => timeline::draw(picture, &mut page),
        Screen::Links => links::draw(picture, &mut page),
        Screen::Backups => backups::draw(picture, &mut page),
        Screen::Node => node::draw(picture, &mut page),
    }
    page.bottom(keys(picture));
    if let Some(overlay) = &picture.console.overlay {
        overlay::draw(overlay, picture.console, palette, area, buffer);
    }
}

/// The cluster screen alone as lines of text, in an area that is high enough.
pub(crate) fn text(picture: &Picture<'_>, palette: Palette, area: Rect) -> String {
    let mut buffer = Buffer::empty(area);
    let mut page = Page::new(&mut buffer, area, palette);
    page.line_with_end(Line::raw(format!(" {}", picture.console.cluster)), picture.clock);
    let body = page.body(BARS);
    cluster::draw(picture, &mut page, body);
    page::text(&buffer)
}

/// What can be chosen, as it would be drawn there.
pub(crate) fn rows(picture: &Picture<'_>, area: Rect) -> Rows {
    let board = picture.board;
    let nodes = || {
        let members = board.into_iter().flat_map(|b| &b.sites).flat_map(|site| &site.members);
        members.filter(|m| m.kind == pgha_core::topology::Role::Postgres)
    };
    let follows = |role: &str| role.contains("replica") || role.contains("standby");
    Rows {
        cluster: board.map(|board| cluster::ids(board, area)).unwrap_or_default(),
        nodes: nodes().map(|node| node.name.clone()).collect(),
        replicas: nodes().filter(|n| follows(&n.role)).map(|n| n.name.clone()).collect(),
        links: picture.links.data.as_ref().map_or_else(Vec::new, |links| {
            links.rows.iter().map(|row| (row.between.clone(), row.latency_ms)).collect()
        }),
        page: usize::from(area.height.saturating_sub(BARS + 2)).max(1),
    }
}

/// `demo-1   1 cluster  2 timeline …   12:00:00 UTC`.
fn tabs(picture: &Picture<'_>, page: &mut Page<'_>) {
    let palette = page.palette;
    let mut spans = vec![Span::styled(format!(" {} ", picture.console.cluster), palette.title())];
    for (number, screen) in Screen::ALL.iter().enumerate() {
        let style =
            if *screen == picture.console.screen { palette.chosen() } else { palette.plain() };
        spans.push(Span::raw(" "));
        spans.push(Span::styled(format!(" {} {} ", number + 1, screen.as_str()), style));
    }
    page.line_with_end(Line::from(spans), picture.clock);
}

fn keys(picture: &Picture<'_>) -> &'static str {
    match (picture.console.screen, picture.console.read_only) {
        (Screen::Cluster, false) => {
            "↑↓ choose  ⏎ node  s switchover  x kill  h heal  ? help  q quit"
        }
        (Screen::Cluster, true) => "↑↓ choose  ⏎ node  ? help  q quit  (read-only)",
        (Screen::Timeline, _) => "↑↓ scrub  space freeze  End newest  ? help  q quit",
        (Screen::Links, false) => {
            "↑↓ choose  x cut  i I isolate  + - latency  h reset all  ? help  q quit"
        }
        (Screen::Backups, false) => "b backup  ? help  q quit",
        (Screen::Node, _) => "↑↓ other node  ? help  q quit",
        (Screen::Links | Screen::Backups, true) => "? help  q quit  (read-only)",
    }
}
