//! The timeline screen: a line for each entry, with a mark in its lane.

use pgha_core::watch::{Lane, Standing, Timeline};
use ratatui::text::{Line, Span};

use super::Picture;
use super::page::{Page, cell, first_shown};

/// What stands for a lane without a mark.
const EMPTY: &str = " · ";

pub(super) fn draw(picture: &Picture<'_>, page: &mut Page<'_>) {
    let timeline = picture.timeline;
    let shown = timeline.shown();
    let state = match timeline.newer() {
        Some(newer) => {
            format!(" FROZEN, {newer} newer; {} of {}", timeline.chosen() + 1, shown.len())
        }
        None => format!(" following, {} events", shown.len()),
    };
    page.styled(
        &state,
        if timeline.newer().is_some() {
            page.palette.of(Standing::Warning)
        } else {
            page.palette.title()
        },
    );
    let heads: String = Lane::ALL.iter().flat_map(|lane| [" ", lane.head()]).collect();
    let member = member_width(timeline);
    // The date is told where there is room for it.
    let date = if page.width() < 100 { 11 } else { 0 };
    let time = 23 - date;
    page.title(&format!(" {:<time$}{heads}  {:member$} EVENT", "TIME (UTC)", "MEMBER"));
    if shown.is_empty() {
        page.text(" reading the logs …");
        return;
    }
    // The chosen one stands below as a whole.
    let room = page.left().saturating_sub(2);
    let chosen = timeline.chosen();
    let first = first_shown(Some(chosen), room, shown.len());
    for (n, entry) in shown.iter().enumerate().skip(first).take(room) {
        let lane = Lane::of(&entry.what);
        let lanes = Lane::ALL.map(|other| if other == lane { " ● " } else { EMPTY }).concat();
        let who = entry.member.as_deref().unwrap_or("pgha");
        let at = entry.at.get(date..).unwrap_or(&entry.at);
        let mark = if n == chosen { '>' } else { ' ' };
        let style = if n == chosen { page.palette.chosen() } else { page.palette.plain() };
        page.line(Line::from(vec![
            Span::styled(format!("{mark}{at:<time$}"), style),
            Span::raw(lanes),
            Span::raw(format!("  {} ", cell(who, member))),
            Span::styled(entry.what.to_string(), style),
        ]));
    }
    if page.left() > 2 {
        let said = " PA Patroni  ET etcd  PG Postgres  LI links  BA backups  FA faults";
        page.styled(said, page.palette.faint());
    }
    if let Some(entry) = shown.get(chosen) {
        let who = entry.member.as_deref().unwrap_or("pgha");
        let text = format!("{who} {}", entry.what);
        page.wrapped(&text, 1, page.palette.title(), 2);
    }
}

fn member_width(timeline: &Timeline) -> usize {
    let names = timeline.shown().iter().map(|e| e.member.as_ref().map_or(4, |m| m.chars().count()));
    names.max().unwrap_or_default().clamp(6, 18)
}
