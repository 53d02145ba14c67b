//! The SVG elements that the picture is made of, and how they look.

use std::fmt::Write as _;

use super::layout::Line;
use crate::topology::Role;

/// Which end of a text its position is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Fonts that viewers have themselves, and colours that keep their contrast on the own background.
const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif;fill:#1f2937}\
.member,.address,.net,.router-net{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}\
.page{fill:#f6f8fb;stroke:#d5dbe5}\
.title{font-size:28px;font-weight:700}\
.sub{font-size:14px;fill:#55617a}\
.card{fill:#fff;stroke:#cfd7e3;stroke-width:1.5}\
.external{fill:#fbfbf7;stroke-dasharray:6 4}\
.site{font-size:20px;font-weight:700}\
.kind{font-size:12px;fill:#55617a}\
.net{font-size:11px;fill:#8390a6}\
.row{stroke-width:1}\
.row.postgres{fill:#eaf1fb;stroke:#c9dcf5}\
.row.etcd{fill:#e6f6f0;stroke:#bfe6d7}\
.row.backup{fill:#fdf3e1;stroke:#f3dcae}\
.member{font-size:12px}\
.address{font-size:12px;fill:#55617a}\
.rail{stroke:#7c8aa5;stroke-width:4;stroke-linecap:round}\
.link{stroke:#7c8aa5;stroke-width:2}\
.joint{fill:#7c8aa5;stroke:#f6f8fb;stroke-width:2}\
.distance{font-size:12px;fill:#55617a}\
.router{fill:#27324a}\
.router-name{font-size:14px;font-weight:700;fill:#fff}\
.router-net{font-size:11px;fill:#c3cde0}\
.etcd{fill:#12866a}\
.etcd-hollow{fill:#fff;stroke:#12866a;stroke-width:2}\
.legend{font-size:12px;fill:#55617a}";

/// An SVG document in the making.
#[derive(Debug)]
pub(super) struct Canvas {
    text: String,
}

impl Canvas {
    pub(super) fn new(width: u32, height: u32, cluster: &str) -> Self {
        let cluster = escaped(cluster);
        let (inner_width, inner_height) = (width - 1, height - 1);
        let text = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">
<title>Topology of the pgha cluster {cluster}</title>
<style>{STYLE}</style>
<rect class="page" x="0.5" y="0.5" width="{inner_width}" height="{inner_height}" rx="16"/>
"#
        );
        Self { text }
    }

    pub(super) fn text(&mut self, x: u32, y: u32, class: &str, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let text = escaped(text);
        self.element(format_args!(
            r#"<text class="{class}" x="{x}" y="{y}"{anchor}>{text}</text>"#
        ));
    }

    pub(super) fn rect(&mut self, x: u32, y: u32, width: u32, height: u32, rx: u32, class: &str) {
        self.element(format_args!(
            r#"<rect class="{class}" x="{x}" y="{y}" width="{width}" height="{height}" rx="{rx}"/>"#
        ));
    }

    pub(super) fn line(&mut self, line: Line, class: &str) {
        let Line { x1, y1, x2, y2 } = line;
        self.element(format_args!(
            r#"<line class="{class}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#
        ));
    }

    pub(super) fn dot(&mut self, x: u32, y: u32, r: u32, class: &str) {
        self.element(format_args!(r#"<circle class="{class}" cx="{x}" cy="{y}" r="{r}"/>"#));
    }

    /// A picture of 16 × 16: a database, three voters, a box.
    pub(super) fn icon(&mut self, role: Role, x: u32, y: u32) {
        let shape = match role {
            Role::Postgres => {
                r##"<path d="M2 4v8c0 1.7 2.7 3 6 3s6-1.3 6-3V4z" fill="#336791"/><ellipse cx="8" cy="4" rx="6" ry="3" fill="#6f9bc6"/>"##
            }
            Role::Etcd => {
                r##"<path d="M8 3.5 3 12.5h10z" fill="none" stroke="#12866a" stroke-width="1.5"/><circle cx="8" cy="3.5" r="2.7" fill="#12866a"/><circle cx="3" cy="12.5" r="2.7" fill="#12866a"/><circle cx="13" cy="12.5" r="2.7" fill="#12866a"/>"##
            }
            Role::Backup => {
                r##"<rect x="1" y="2" width="14" height="4.5" rx="1" fill="#b7791f"/><path d="M2 7.5h12V14a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1z" fill="#d69e2e"/><rect x="5.5" y="9" width="5" height="1.8" rx=".9" fill="#fff"/>"##
            }
            Role::Proxy => {
                r##"<path d="M1 8h5m0 0 7-5m-7 5 7 5M13 3l-3.2.3M13 3l-1.2 3M13 13l-3.2-.3M13 13l-1.2-3" fill="none" stroke="#7a4fa3" stroke-width="1.6"/>"##
            }
            Role::Wan => return,
        };
        self.element(format_args!(r#"<g transform="translate({x} {y})">{shape}</g>"#));
    }

    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    fn element(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{element}").expect("writing to a string cannot fail");
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // Other control characters are no XML at all.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
