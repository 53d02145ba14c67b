//! Lines one below the other, on a part of the screen; and its colours.

use std::fmt::Write as _;

use pgha_core::watch::{Standing, ago};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::Detail;
use crate::screen::text::wrap;

/// Which colours there are. Without any, bold and reverse remain, and each word says what a colour would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Palette {
    /// Those of the terminal.
    Colours,
    /// None (`NO_COLOR`).
    Plain,
}

#[allow(clippy::unused_self, reason = "a palette is asked for each style alike")]
impl Palette {
    pub(super) fn of(self, standing: Standing) -> Style {
        match standing {
            Standing::Good => self.colour(Color::Green).add_modifier(Modifier::BOLD),
            Standing::Plain => self.plain(),
            Standing::Warning => self.colour(Color::Yellow),
            Standing::Bad => self.colour(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    fn colour(self, colour: Color) -> Style {
        match self {
            Self::Colours => Style::new().fg(colour),
            Self::Plain => Style::new(),
        }
    }

    pub(super) fn plain(self) -> Style {
        Style::new()
    }

    pub(super) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(super) fn faint(self) -> Style {
        match self {
            Self::Colours => Style::new().add_modifier(Modifier::DIM),
            Self::Plain => Style::new(),
        }
    }

    pub(super) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}

/// Lines from the top of an area on; what does not fit is left out.
#[derive(Debug)]
pub(super) struct Page<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    y: u16,
    pub(super) palette: Palette,
}

impl<'a> Page<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, area: Rect, palette: Palette) -> Self {
        Self { buffer, area, y: area.y, palette }
    }

    /// The area without so many lines at its top and bottom together, one of them at the top.
    pub(super) fn body(&self, bars: u16) -> Rect {
        let height = self.area.height.saturating_sub(bars);
        Rect { y: self.area.y + 1, height, ..self.area }
    }

    pub(super) fn width(&self) -> usize {
        self.area.width.into()
    }

    /// Lines that are left, without that of the keys.
    pub(super) fn left(&self) -> usize {
        self.area.bottom().saturating_sub(1).saturating_sub(self.y).into()
    }

    /// Writes a line.
    pub(super) fn line<'l>(&mut self, line: impl Into<Line<'l>>) {
        if self.y < self.area.bottom() {
            self.buffer.set_line(self.area.x, self.y, &line.into(), self.area.width);
            self.y += 1;
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.line(Line::raw(text));
    }

    pub(super) fn title(&mut self, text: &str) {
        self.line(Line::styled(text, self.palette.title()));
    }

    pub(super) fn styled(&mut self, text: &str, style: Style) {
        self.line(Line::styled(text, style));
    }

    /// Writes a line and, where there is room for it, what stands at its end.
    pub(super) fn line_with_end(&mut self, line: Line<'_>, end: &str) {
        let width = u16::try_from(end.chars().count()).unwrap_or(u16::MAX);
        let room = usize::from(self.area.width);
        if line.width() + usize::from(width) + 1 < room {
            let x = self.area.right() - width - 1;
            self.buffer.set_line(x, self.y, &Line::raw(end), width);
        }
        self.line(line);
    }

    /// Writes text that may take several lines, of which `most` are shown.
    pub(super) fn wrapped(&mut self, text: &str, indent: usize, style: Style, most: usize) {
        let wrapped = wrap(text, indent, self.width());
        let mut lines = wrapped.lines();
        if let Some(first) = lines.next() {
            self.styled(&format!("{:indent$}{first}", ""), style);
        }
        for line in lines.take(most.saturating_sub(1)) {
            self.styled(line, style);
        }
    }

    /// Writes the line of keys.
    pub(super) fn bottom(&mut self, text: &str) {
        self.y = self.area.bottom().saturating_sub(1);
        self.line(Line::from(vec![Span::raw(" "), Span::styled(text, self.palette.faint())]));
    }

    /// Says how old a screen's data is, and why there is none; whether there is any.
    pub(super) fn told<'d, T>(&mut self, what: &str, detail: &'d Detail<T>) -> Option<&'d T> {
        let bad = self.palette.of(Standing::Bad);
        match (&detail.data, &detail.failure) {
            (None, None) => self.text(&format!(" {what}: asking …")),
            (None, Some(why)) => self.wrapped(&format!("{what} not known: {why}"), 1, bad, 3),
            (Some(_), Some(why)) => {
                let old = ago(detail.age_ms);
                self.wrapped(&format!("{what} as last seen {old} ago: {why}"), 1, bad, 3);
            }
            (Some(_), None) if detail.is_old => {
                self.styled(&format!(" {what} as last seen {} ago", ago(detail.age_ms)), bad);
            }
            (Some(_), None) => {}
        }
        detail.data.as_ref()
    }
}

/// Text cut to a number of columns.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// The same, the rest of the columns blank.
pub(super) fn cell(text: &str, width: usize) -> String {
    format!("{:width$}", cut(text, width))
}

/// The first of the lines that are shown, so that the chosen one is among them.
pub(super) fn first_shown(chosen: Option<usize>, room: usize, count: usize) -> usize {
    let last_first = count.saturating_sub(room);
    chosen.map_or(0, |chosen| chosen.saturating_sub(room / 2).min(last_first))
}

/// A buffer as text with its colours, without blanks at the ends.
pub(super) fn text(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut out = String::new();
    for y in area.top()..area.bottom() {
        let cells: Vec<_> = (area.left()..area.right()).map(|x| &buffer[(x, y)]).collect();
        let end = cells.iter().rposition(|cell| cell.symbol() != " ").map_or(0, |last| last + 1);
        for run in cells[..end].chunk_by(|one, next| one.style() == next.style()) {
            let style = ansi(run[0].style());
            let symbols: String = run.iter().map(|cell| cell.symbol()).collect();
            let _ = write!(out, "{style}{symbols}{style:#}");
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

fn ansi(style: Style) -> anstyle::Style {
    let colour = match style.fg {
        Some(Color::Green) => Some(anstyle::AnsiColor::Green),
        Some(Color::Yellow) => Some(anstyle::AnsiColor::Yellow),
        Some(Color::Red) => Some(anstyle::AnsiColor::Red),
        _ => None,
    };
    let plain = anstyle::Style::new().fg_color(colour.map(Into::into));
    if style.add_modifier.contains(Modifier::BOLD) { plain.bold() } else { plain }
}
