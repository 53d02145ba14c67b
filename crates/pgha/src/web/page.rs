//! The files of the page, which are in the binary. Nothing of them is from anybody else.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// Path, content type, text.
pub(super) const FILES: &[(&str, &str, &str)] = &[
    ("/", "text/html; charset=utf-8", include_str!("assets/index.html")),
    ("/icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("/theme.css", "text/css; charset=utf-8", pgha_core::page::STYLE),
    ("/page.css", "text/css; charset=utf-8", include_str!("assets/page.css")),
    ("/page.js", SCRIPT, include_str!("assets/page.js")),
    ("/dom.js", SCRIPT, include_str!("assets/dom.js")),
    ("/topology.js", SCRIPT, include_str!("assets/topology.js")),
    ("/layout.js", SCRIPT, include_str!("assets/layout.js")),
    ("/chart.js", SCRIPT, include_str!("assets/chart.js")),
    ("/tables.js", SCRIPT, include_str!("assets/tables.js")),
    ("/changes.js", SCRIPT, include_str!("assets/changes.js")),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The answer with one of them.
pub(super) fn answer(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_refers_to_nothing_but_its_own_files() {
        let bytes: usize = FILES.iter().map(|(_, _, text)| text.len()).sum();
        assert!(bytes < 300_000, "{bytes} bytes");
        for (path, _, text) in FILES {
            let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "{path}");
            assert!(
                !text.contains(" style=\"") && !text.contains("<style"),
                "{path}: the policy forbids it"
            );
            assert!(
                !text.contains("innerHTML"),
                "{path}: what the cluster says is text, never markup"
            );
        }
        for (path, _, text) in FILES.iter().filter(|(_, kind, _)| *kind == SCRIPT) {
            for import in text.lines().filter_map(|line| line.split(" from \"./").nth(1)) {
                let name = import.split('"').next().expect("a name");
                assert!(
                    FILES.iter().any(|(path, _, _)| path[1..] == *name),
                    "{path} imports {name}"
                );
            }
        }
    }
}
