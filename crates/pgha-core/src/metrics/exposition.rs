//! Prometheus's text format: families with help and type, their series, and what has to be escaped.

use std::fmt::Write as _;

/// A label's name and value.
pub(super) type Label = (&'static str, String);

/// What a family counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up, from a start on.
    Counter,
}

/// Families in the order in which they were begun.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    families: Vec<Family>,
}

/// A metric with all its series.
#[derive(Debug)]
pub(super) struct Family {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    series: Vec<(Vec<Label>, f64)>,
}

impl Family {
    /// A series with its value.
    pub(super) fn set(&mut self, labels: Vec<Label>, value: f64) {
        self.series.push((labels, value));
    }

    /// A series with its value, where there is one.
    pub(super) fn set_some(&mut self, labels: Vec<Label>, value: Option<f64>) {
        self.series.extend(value.map(|value| (labels, value)));
    }
}

impl Exposition {
    /// Begins a metric whose value goes up and down.
    pub(super) fn gauge(&mut self, name: &'static str, help: &'static str) -> &mut Family {
        self.family(name, Kind::Gauge, help)
    }

    /// Begins a metric that only goes up.
    pub(super) fn counter(&mut self, name: &'static str, help: &'static str) -> &mut Family {
        self.family(name, Kind::Counter, help)
    }

    fn family(&mut self, name: &'static str, kind: Kind, help: &'static str) -> &mut Family {
        self.families.push(Family { name, kind, help, series: Vec::new() });
        self.families.last_mut().expect("it was just added")
    }

    /// All of it; a family without series is left out.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for family in self.families.iter().filter(|family| !family.series.is_empty()) {
            let name = family.name;
            let kind = match family.kind {
                Kind::Gauge => "gauge",
                Kind::Counter => "counter",
            };
            let help = family.help.replace('\\', r"\\").replace('\n', r"\n");
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, value) in &family.series {
                let one = |(name, value): &Label| format!("{name}=\"{}\"", escaped(value));
                let labels: Vec<String> = labels.iter().map(one).collect();
                let _ = match labels.as_slice() {
                    [] => writeln!(out, "{name} {value}"),
                    _ => writeln!(out, "{name}{{{}}} {value}", labels.join(",")),
                };
            }
        }
        out
    }
}

/// The value of a label as it stands between quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_label_or_a_line_is_escaped() {
        let mut out = Exposition::default();
        out.gauge("empty", "Never there.");
        out.gauge("up", "A \\ and\na line.").set(vec![("name", "a\"b\\c\nd".to_owned())], 1.5);
        out.counter("all_total", "Without labels.").set(Vec::new(), 3.0);
        assert_eq!(
            out.text(),
            "# HELP up A \\\\ and\\na line.\n# TYPE up gauge\nup{name=\"a\\\"b\\\\c\\nd\"} 1.5\n\
             # HELP all_total Without labels.\n# TYPE all_total counter\nall_total 3\n"
        );
    }
}
