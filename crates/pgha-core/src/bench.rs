//! What `pgha bench` makes of pgbench: which arguments it may have, what its runs came to, and what a site's way to the
//! leader adds.

use serde::Serialize;

/// The database that a benchmark has for itself.
pub const DATABASE: &str = "pgha_bench";
/// What the comment on that database begins with. One without it is somebody else's.
pub const MARK: &str = "made by pgha bench";
/// What pgbench is told where nothing else is asked.
const DEFAULTS: [&str; 4] = ["-c", "8", "-j", "2"];
/// And for how long, where no number of transactions is asked.
const SECONDS: [&str; 2] = ["-T", "10"];
/// What pgha tells pgbench itself, short and long.
const OWN: [(&str, &str); 9] = [
    ("-i", "--initialize"),
    ("-h", "--host"),
    ("-p", "--port"),
    ("-U", "--username"),
    ("-d", "--dbname"),
    ("-l", "--log"),
    ("", "--log-prefix"),
    ("", "--aggregate-interval"),
    ("-I", "--init-steps"),
];

/// An argument that pgbench gets from pgha.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is given to pgbench by pgha itself")]
pub struct OwnArgument(pub String);

/// What pgbench is told of a run: the defaults, and over them what is asked.
///
/// # Errors
/// When that is pgha's own to say.
pub fn arguments(asked: &[String]) -> Result<Vec<String>, OwnArgument> {
    let is_own = |argument: &String| {
        OWN.iter().any(|(short, long)| {
            // `-d` alone is no letter of pgbench's before 16, and `--debug` is.
            let short =
                !short.is_empty() && argument.starts_with(short) && !argument.starts_with("--");
            short || argument == long || argument.starts_with(&format!("{long}="))
        })
    };
    if let Some(own) = asked.iter().find(|argument| is_own(argument)) {
        return Err(OwnArgument(own.clone()));
    }
    let counted = |argument: &String| {
        argument.starts_with("--transactions")
            || argument.starts_with("-t") && !argument.starts_with("--")
    };
    let seconds = if asked.iter().any(counted) { &[][..] } else { &SECONDS[..] };
    let own = DEFAULTS.iter().chain(seconds).map(|word| (*word).to_owned());
    Ok(own.chain(asked.iter().cloned()).collect())
}

/// A run as pgbench tells it: its report in lines that begin with `# `, then the length of each transaction in
/// microseconds, a line each.
#[derive(Debug, Default)]
pub struct Run {
    tps: Option<f64>,
    took_us: Vec<u64>,
    failed: u64,
}

impl Run {
    /// Takes one line.
    pub fn take(&mut self, line: &str) {
        if let Some(report) = line.strip_prefix("# ") {
            if let Some(rest) = report.strip_prefix("tps = ") {
                self.tps = rest.split(' ').next().and_then(|number| number.parse().ok());
            }
        } else if let Ok(took) = line.trim().parse() {
            self.took_us.push(took);
        } else if !line.trim().is_empty() {
            self.failed += 1;
        }
    }

    /// What it came to; `None` where no transaction succeeded.
    pub fn figures(mut self) -> Option<Figures> {
        self.took_us.sort_unstable();
        let last = self.took_us.len().checked_sub(1)?;
        let at = |percent: usize| {
            let us = self.took_us[(self.took_us.len() * percent / 100).min(last)];
            ms(us)
        };
        Some(Figures {
            tps: self.tps?,
            transactions: self.took_us.len() as u64,
            failed: self.failed,
            p50_ms: at(50),
            p95_ms: at(95),
            p99_ms: at(99),
        })
    }
}

#[allow(clippy::cast_precision_loss, reason = "a transaction takes no century")]
fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// Transactions in a second, without the time for connecting.
    pub tps: f64,
    /// Transactions that succeeded.
    pub transactions: u64,
    /// Those that did not, or were skipped.
    pub failed: u64,
    /// Half took no longer, in milliseconds.
    pub p50_ms: f64,
    /// 95 of 100 took no longer.
    pub p95_ms: f64,
    /// 99 of 100 took no longer.
    pub p99_ms: f64,
}

/// The run from one site.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FromSite {
    /// The site.
    pub site: String,
    /// The node that pgbench ran in.
    pub node: String,
    /// What it came to.
    #[serde(flatten)]
    pub figures: Figures,
    /// By how much half of the transactions took longer than from the leader's own site, in milliseconds; none there, and
    /// where that was not measured.
    pub adds_ms: Option<f64>,
}

/// Compares every site with the leader's own.
pub fn compared(runs: Vec<(String, String, Figures)>, leader_site: &str) -> Vec<FromSite> {
    let own = runs.iter().find(|(site, ..)| site == leader_site).map(|(_, _, f)| f.p50_ms);
    let from = |(site, node, figures): (String, String, Figures)| {
        let adds = own.filter(|_| site != leader_site).map(|own| figures.p50_ms - own);
        // As fine as it was measured.
        let adds_ms = adds.map(|ms| (ms * 1000.0).round() / 1000.0);
        FromSite { site, node, figures, adds_ms }
    };
    runs.into_iter().map(from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_asked_comes_after_the_defaults_and_a_number_of_transactions_instead_of_a_time() {
        let told = |asked: &str| arguments(&words(asked)).expect("allowed").join(" ");
        assert_eq!(told(""), "-c 8 -j 2 -T 10");
        assert_eq!(told("-S -c 1"), "-c 8 -j 2 -T 10 -S -c 1");
        assert_eq!(told("-t 100"), "-c 8 -j 2 -t 100");
        assert_eq!(told("--transactions=5"), "-c 8 -j 2 --transactions=5");
        for own in ["-i", "--initialize", "-hfoo", "--host=foo", "-U app", "-l", "--log", "-p 1"] {
            assert!(arguments(&words(own)).is_err(), "{own}");
        }
        assert!(arguments(&words("--latency-limit=5 --protocol=prepared --progress=1")).is_ok());
    }

    #[test]
    fn a_run_is_read_from_the_report_and_the_log() {
        let mut run = Run::default();
        let lines = ["# number of clients: 8", "# tps = 123.45 (without initial connection time)"];
        for line in lines {
            run.take(line);
        }
        for us in (1..=100).rev() {
            run.take(&(us * 1000).to_string());
        }
        run.take("failed");
        run.take("");
        let figures = run.figures().expect("transactions");
        assert_eq!((figures.tps, figures.transactions, figures.failed), (123.45, 100, 1));
        assert_eq!((figures.p50_ms, figures.p95_ms, figures.p99_ms), (51.0, 96.0, 100.0));
        let mut none = Run::default();
        none.take("# tps = 0 (without initial connection time)");
        assert_eq!(none.figures(), None);
    }

    #[test]
    fn a_site_is_compared_with_the_leaders_own() {
        let figures = |p50_ms| Figures {
            tps: 1.0,
            transactions: 1,
            failed: 0,
            p50_ms,
            p95_ms: p50_ms,
            p99_ms: p50_ms,
        };
        let run = |site: &str, p50| (site.to_owned(), format!("node of {site}"), figures(p50));
        let adds = |leader: &str| -> Vec<Option<f64>> {
            let runs = vec![run("DC1", 2.125), run("DC2", 42.5)];
            compared(runs, leader).into_iter().map(|from| from.adds_ms).collect()
        };
        assert_eq!(adds("DC1"), [None, Some(40.375)]);
        assert_eq!(adds("DC2"), [Some(-40.375), None]);
        assert_eq!(adds("DC3"), [None, None]);
    }
}
