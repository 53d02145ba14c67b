//! The cluster screen.

use pgha_core::finding::Severity;
use pgha_core::status::Tally;
use pgha_core::watch::{Board, Line as Row, MemberRow, Standing, ago};
use pgha_core::words::bytes;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::page::{Page, cell, cut, first_shown};
use super::{BARS, Picture};
use crate::screen::text::wrap;

/// Losses that are shown on a small terminal.
const LOSSES_MIN: usize = 3;
/// Lines of the headline: the leader, then etcd and the rest.
const HEADLINE: usize = 2;
/// The header of the table and the line above it.
const TABLE_HEAD: usize = 2;

pub(super) fn draw(picture: &Picture<'_>, page: &mut Page<'_>, body: Rect) {
    let Some(board) = picture.board else {
        match picture.failure {
            Some(why) => {
                let bad = page.palette.of(Standing::Bad);
                page.wrapped(&format!("{why}; trying again"), 1, bad, 4);
            }
            None => page.text(" looking at the cluster …"),
        }
        return;
    };
    let parts = Parts::of(board, body);
    headline(board, page);
    losses(board, page, parts.losses);
    problems(board, page, parts.problems);
    table(picture, board, page, parts.table);
}

/// Names of sites and members, in the order in which they are drawn there.
pub(super) fn ids(board: &Board, area: Rect) -> Vec<String> {
    let body = Rect { height: area.height.saturating_sub(BARS), ..area };
    let lines = board.lines(Parts::of(board, body).table);
    lines.iter().filter_map(|line| line.id()).map(str::to_owned).collect()
}

/// Lines that each part may take.
struct Parts {
    losses: usize,
    problems: usize,
    table: usize,
}

impl Parts {
    fn of(board: &Board, body: Rect) -> Self {
        let height = usize::from(body.height);
        let stale = usize::from(!board.current);
        let losses = board.next_losses.len().min(LOSSES_MIN.max(height / 6));
        let each = |problem: &pgha_core::status::Problem| {
            wrap(&message(problem), 1, body.width.into()).lines().count()
        };
        let wanted: usize = board.problems.iter().map(each).sum();
        let problems = wanted.min((height / 5).max(2));
        let taken = HEADLINE + stale + losses + problems + TABLE_HEAD;
        Self { losses, problems, table: height.saturating_sub(taken) }
    }
}

fn headline(board: &Board, page: &mut Page<'_>) {
    let palette = page.palette;
    let head = &board.headline;
    if !board.current {
        let why = board.failure.as_deref().unwrap_or("no answer");
        let old = format!(" AS LAST SEEN {} AGO: {why}", ago(board.age_ms));
        page.styled(&old, palette.of(Standing::Bad));
    }
    let worst = board.problems.iter().map(|problem| problem.severity).min();
    let standing = match (&head.leader, worst) {
        (None, _) | (_, Some(Severity::Error)) => Standing::Bad,
        (_, Some(Severity::Warning)) => Standing::Warning,
        _ => Standing::Good,
    };
    page.styled(&format!(" {}", head.leader_words()), palette.of(standing).patch(palette.title()));
    let etcd = match head.quorum {
        Some(quorum) => {
            let leader = head.etcd_leader.as_deref().unwrap_or("none");
            let (have, of) = (quorum.have, head.etcd_members);
            format!("etcd {have}/{of} (quorum {}), leader {leader}", quorum.need)
        }
        None => "etcd not known".to_owned(),
    };
    let durability = head.durability.as_deref().unwrap_or("durability not known");
    let acknowledge = match head.acknowledging {
        None | Some(Tally { have: 0, need: 0 }) => String::new(),
        Some(Tally { have, need }) => format!(", {have} of {need} standbys acknowledge"),
    };
    let rate = head.wal_bytes_per_s.map_or_else(|| "?".to_owned(), |rate| bytes(rate) + "/s");
    page.text(&format!(" {etcd} · {durability}{acknowledge} · WAL {rate}"));
}

fn losses(board: &Board, page: &mut Page<'_>, most: usize) {
    for (n, loss) in board.next_losses.iter().take(most).enumerate() {
        let standing = match loss.severity {
            Severity::Error => Standing::Bad,
            Severity::Warning => Standing::Warning,
            Severity::Info => Standing::Plain,
        };
        let head = if n == 0 { " one more loss: " } else { "                " };
        page.line(Line::from(vec![
            Span::styled(head, page.palette.title()),
            Span::raw(format!("{}: ", loss.losses())),
            Span::styled(loss.outcome.clone(), page.palette.of(standing)),
        ]));
    }
}

fn message(problem: &pgha_core::status::Problem) -> String {
    format!("{}: {}", problem.severity.as_str(), problem.message)
}

fn problems(board: &Board, page: &mut Page<'_>, most: usize) {
    let mut left = most;
    let mut shown = 0;
    for problem in &board.problems {
        let lines = wrap(&message(problem), 1, page.width()).lines().count();
        let more = board.problems.len() > shown + 1;
        if shown > 0 && lines + usize::from(more) > left {
            break;
        }
        let standing = match problem.severity {
            Severity::Error => Standing::Bad,
            Severity::Warning => Standing::Warning,
            Severity::Info => Standing::Plain,
        };
        page.wrapped(&message(problem), 1, page.palette.of(standing), left);
        left = left.saturating_sub(lines);
        shown += 1;
    }
    let more = board.problems.len() - shown;
    if more > 0 && left > 0 {
        page.text(&format!(" and {more} more: `pgha status {} --all` shows them", board.id()));
    }
}

/// Columns of the table.
struct Columns {
    name: usize,
    role: usize,
    state: usize,
    lag: usize,
}

impl Columns {
    fn of(board: &Board, width: usize) -> Self {
        /// Before a name, between columns, and the timeline and port.
        const FIXED: usize = 3 + 6 + 3 + 5;
        let members = || board.sites.iter().flat_map(|site| &site.members);
        let most = |of: fn(&MemberRow) -> usize| members().map(of).max().unwrap_or_default();
        let wide = width >= 100;
        let (role, lag) =
            (most(|m| m.role.chars().count()).clamp(4, 14), if wide { 16 } else { 10 });
        let state = most(|m| m.state.chars().count()).clamp(9, if wide { 24 } else { 13 });
        let room = width.saturating_sub(FIXED + role + state + 2 * lag).max(6);
        let name = most(|m| m.name.chars().count()).clamp(6, 40).min(room);
        Self { name, role, state, lag }
    }

    fn row(&self, cells: [&str; 7]) -> String {
        let [name, role, state, timeline, received, replayed, port] = cells;
        let lag = |text: &str| format!("{:>lag$}", cut(text, self.lag), lag = self.lag);
        format!(
            "{} {} {} {timeline:>3} {} {} {port:>5}",
            cell(name, self.name),
            cell(role, self.role),
            cell(state, self.state),
            lag(received),
            lag(replayed)
        )
    }
}

fn table(picture: &Picture<'_>, board: &Board, page: &mut Page<'_>, room: usize) {
    let columns = Columns::of(board, page.width());
    let header = columns.row(["MEMBER", "ROLE", "STATE", "TL", "RECV LAG", "REPLAYED", "PORT"]);
    page.text("");
    page.title(&format!("   {header}"));
    let lines = board.lines(room);
    let chosen = picture.console.chosen.as_deref();
    let at = chosen.and_then(|chosen| lines.iter().position(|line| line.id() == Some(chosen)));
    // Where not all fits, the last line says so.
    let shown = if lines.len() > room { room.saturating_sub(1) } else { room };
    let first = first_shown(at, shown, lines.len());
    for (n, line) in lines.iter().enumerate().skip(first).take(shown) {
        let mark = if Some(n) == at { '>' } else { ' ' };
        let style = |standing| {
            let style = page.palette.of(standing);
            if Some(n) == at { style.patch(page.palette.chosen()) } else { style }
        };
        match line {
            Row::Site(site) => {
                let style = style(site.standing).patch(page.palette.title());
                page.styled(&format!("{mark}{}  {}", site.name, site.summary), style);
            }
            Row::Member(member) => {
                let row = member_row(&columns, member);
                page.styled(&format!("{mark}{} {row}", member.glyph), style(member.standing));
            }
            Row::Note(note) => page.styled(&format!("     {note}"), style(Standing::Warning)),
        }
    }
    let below = lines.len().saturating_sub(first + shown);
    if lines.len() > room {
        let above = (first > 0).then(|| format!("{first} lines above"));
        let below = (below > 0).then(|| format!("{below} lines below"));
        let said: Vec<String> = above.into_iter().chain(below).collect();
        page.styled(&format!("   {}", said.join(", ")), page.palette.faint());
    }
}

fn member_row(columns: &Columns, member: &MemberRow) -> String {
    let text = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
    let lag =
        |lag: Option<pgha_core::watch::Lag>| lag.map(|lag| lag.to_string()).unwrap_or_default();
    columns.row([
        &member.name,
        &member.role,
        &member.state,
        &text(member.timeline),
        &lag(member.received),
        &lag(member.replayed),
        &text(member.port.map(u64::from)),
    ])
}
