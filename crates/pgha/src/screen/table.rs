//! Tables of plain text: with a line for each row, coloured as a whole; or wrapped to a screen.

use std::fmt::Write as _;

use anstyle::Style;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// What stands between two columns.
const GAP: u16 = 2;
/// What stands before a table under a title.
const INDENT: &str = "  ";

/// One row and how it is coloured.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Colour of the whole row.
    pub(crate) style: Style,
    /// As many as there are columns.
    pub(crate) cells: Vec<String>,
}

/// Draws a table under a title; columns whose number is in `right` hold numbers.
pub(crate) fn draw(header: &[&str], right: &[usize], rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row.cells.iter().map(|cell| one_line(cell)).collect::<Vec<_>>());
    }
    let last = header.len().saturating_sub(1);
    for (n, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if n == last { 0 } else { GAP }));
        if right.contains(&n) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let styles = [super::TITLE].into_iter().chain(rows.iter().map(|row| row.style));
    let mut out = String::new();
    for (line, style) in table.lines().zip(styles) {
        let _ = writeln!(out, "{INDENT}{style}{}{style:#}", line.trim_end());
    }
    out
}

/// Widest table that is wrapped, in columns.
pub(crate) const WIDTH_MAX: u16 = 80;

/// Stand for the begin and end of what is bad. Each counts as one column in a table and becomes a
/// colour after the columns have been measured, which the table cannot do with colours in them.
const BAD_BEGINS: char = '\u{e000}';
const BAD_ENDS: char = '\u{e001}';

/// A cell of a table that is [`wrapped`], coloured as bad.
pub(crate) fn bad(word: &str) -> String {
    format!("{BAD_BEGINS}{word}{BAD_ENDS}")
}

/// Draws a table whose cells are wrapped where it is wider than a screen, without a newline at its end;
/// columns whose number is in `right` hold numbers.
pub(crate) fn wrapped(
    header: &[&str],
    right: &[usize],
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_width(WIDTH_MAX)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header)
        .add_rows(rows);
    for (n, column) in table.column_iter_mut().enumerate() {
        if n == 0 {
            column.set_padding((0, 1));
        }
        if right.contains(&n) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let bold = super::BAD.bold();
    // The two marks were two columns wide, so two blanks follow what they enclosed.
    table
        .to_string()
        .replace(BAD_BEGINS, &bold.render().to_string())
        .replace(BAD_ENDS, &format!("{}  ", bold.render_reset()))
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}

fn one_line(cell: &str) -> String {
    cell.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_whatever_a_cell_holds() {
        let row = Row { style: Style::new(), cells: vec!["a\nb".to_owned(), "1".to_owned()] };
        let drawn = anstream::adapter::strip_str(&draw(&["X", "N"], &[1], &[row])).to_string();
        assert_eq!(drawn, "  X    N\n  a b  1\n");
    }
}
