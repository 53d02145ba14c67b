//! The links screen: a line for each pair of sites.

use pgha_core::watch::LinkRow;

use super::Picture;
use super::page::{Page, cell, first_shown};

pub(super) fn draw(picture: &Picture<'_>, page: &mut Page<'_>) {
    let Some(board) = page.told("links", &picture.links) else { return };
    page.text(&format!(" {}", board.measured));
    page.text("");
    let sites = |row: &LinkRow| format!("{} – {}", row.between[0], row.between[1]);
    let width = board.rows.iter().map(|row| sites(row).chars().count()).max().unwrap_or_default();
    let width = width.clamp(5, 24);
    let row = |cells: [&str; 6]| {
        let [sites, configured, measured, loss, throughput, state] = cells;
        format!(
            "{} {configured:>10} {measured:>10} {loss:>6} {} {state}",
            cell(sites, width),
            cell(throughput, 23)
        )
    };
    page.title(&format!(
        "   {}",
        row(["SITES", "CONFIGURED", "MEASURED", "LOSS", "THROUGHPUT", "STATE"])
    ));
    let room = page.left();
    let chosen = picture.console.link.min(board.rows.len().saturating_sub(1));
    let first = first_shown(Some(chosen), room, board.rows.len());
    for (n, link) in board.rows.iter().enumerate().skip(first).take(room) {
        let style = page.palette.of(link.standing);
        let (mark, style) =
            if n == chosen { ('>', style.patch(page.palette.chosen())) } else { (' ', style) };
        let glyph = if link.configured == "cut" { '✗' } else { '=' };
        let text = row([
            &sites(link),
            &link.configured,
            &link.measured,
            &link.loss,
            &link.throughput,
            &link.state,
        ]);
        page.styled(&format!("{mark}{glyph} {text}"), style);
    }
}
