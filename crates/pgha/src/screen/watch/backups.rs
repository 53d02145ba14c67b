//! The backups screen.

use pgha_core::watch::Standing;

use super::Picture;
use super::page::{Page, cell};

pub(super) fn draw(picture: &Picture<'_>, page: &mut Page<'_>) {
    let Some(board) = page.told("backups", &picture.backups) else { return };
    for remark in &board.remarks {
        page.wrapped(remark, 1, page.palette.of(Standing::Warning), 2);
    }
    page.text("");
    page.title(&format!("   LAST OF EACH TYPE, of {}", board.count));
    for last in &board.last {
        let label = last.label.as_deref().unwrap_or("none");
        let text = format!(
            "   {:5}{} {} {}",
            last.kind.as_str(),
            cell(label, 34),
            cell(&last.age, 12),
            last.size
        );
        page.text(text.trim_end());
    }
    page.text("");
    page.title("   ARCHIVE");
    page.wrapped(&board.archive, 3, page.palette.of(board.archive_standing), 3);
    page.text("");
    page.title("   CAN BE RECOVERED");
    page.wrapped(&board.recoverable, 3, page.palette.plain(), 3);
}
