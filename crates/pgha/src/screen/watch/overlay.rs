//! What lies over a screen: help, a command that is asked about, and what one prints.

use pgha_core::watch::{Console, Overlay};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, Clear, Widget as _};

use super::page::{Page, Palette};
use crate::screen::text::wrap;

const HELP: [&str; 16] = [
    "1 … 5, Tab   cluster, timeline, links, backups, node",
    "↑ ↓ PgUp PgDn Home End   choose, or scrub through the timeline",
    "Enter        the chosen node's screen",
    "space        freeze the timeline; End follows it again",
    "s            switchover, to the chosen replica",
    "x            kill the chosen member or site; links: cut",
    "i, I         links: isolate the first site, or the second",
    "+, -         links: 10 ms more or less latency",
    "h            take back faults; links: reset all",
    "b            backups: make one",
    "y            copy the command line that is shown (OSC 52)",
    "q, Ctrl-C    quit",
    "",
    "◆ leader  ● sync standby  ◐ quorum standby  ○ replica",
    "▲ primary that etcd does not name  ? not known  ✗ down",
    "A key shows its command line first; Enter runs it.",
];

pub(super) fn draw(
    overlay: &Overlay,
    console: &Console,
    palette: Palette,
    area: Rect,
    buffer: &mut Buffer,
) {
    let (title, lines) = match overlay {
        Overlay::Help => (" Keys ", HELP.map(str::to_owned).to_vec()),
        Overlay::Asking { order, copied } => {
            let end = match (*copied, console.read_only) {
                (true, _) => "copied",
                (false, true) => "read-only: y copy · Esc back",
                (false, false) => "Enter run · y copy · Esc back",
            };
            let line = order.command_line(&console.cluster);
            let lines = [line.as_str(), "", order.effect(), "", end].map(str::to_owned);
            (" Run this? ", lines.to_vec())
        }
        Overlay::Running { command, lines, ended } => {
            let end = match ended {
                None => "running …".to_owned(),
                Some(0) => "done · Esc back".to_owned(),
                Some(code) => format!("exit code {code} · Esc back"),
            };
            let all = [command.clone(), String::new()].into_iter().chain(lines.clone());
            (" Command ", all.chain([end]).collect())
        }
    };
    let width = (area.width.saturating_sub(4)).min(if title == " Command " { 116 } else { 70 });
    let text = usize::from(width.saturating_sub(4));
    let lines: Vec<String> = lines
        .iter()
        .flat_map(|line| {
            if line.chars().count() <= text {
                vec![line.clone()]
            } else {
                wrap(line, 0, text).lines().map(str::to_owned).collect()
            }
        })
        .collect();
    let most = usize::from(area.height.saturating_sub(4));
    let shown = &lines[lines.len().saturating_sub(most)..];
    let height = u16::try_from(shown.len()).unwrap_or(u16::MAX).saturating_add(2);
    let place = Rect {
        x: area.x + area.width.saturating_sub(width) / 2,
        y: area.y + area.height.saturating_sub(height) / 2,
        width,
        height: height.min(area.height),
    };
    Clear.render(place, buffer);
    let block = Block::bordered().title(title);
    let inner = block.inner(place);
    block.render(place, buffer);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let mut page = Page::new(buffer, inner, palette);
    for line in shown {
        page.text(line);
    }
}
