//! What pgbench measured from each site.

use pgha_core::bench::FromSite;

use super::table::wrapped;

/// Draws it.
pub(crate) fn draw(sites: &[FromSite]) -> String {
    let header = ["FROM", "TPS", "P50 ms", "P95 ms", "P99 ms", "WAN ADDS ms", "FAILED"];
    let row = |from: &FromSite| {
        let figures = &from.figures;
        let ms = |ms: f64| format!("{ms:.2}");
        let adds = from.adds_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:+.2}"));
        vec![
            from.site.clone(),
            format!("{:.1}", figures.tps),
            ms(figures.p50_ms),
            ms(figures.p95_ms),
            ms(figures.p99_ms),
            adds,
            figures.failed.to_string(),
        ]
    };
    format!("{}\n", wrapped(&header, &[1, 2, 3, 4, 5, 6], sites.iter().map(row)))
}

#[cfg(test)]
mod tests {
    use pgha_core::bench::{Figures, compared};

    use super::*;

    #[test]
    fn what_the_wan_adds_stands_beside_what_was_measured() {
        let figures = |tps, p50_ms| Figures {
            tps,
            transactions: 1,
            failed: 0,
            p50_ms,
            p95_ms: p50_ms * 2.0,
            p99_ms: p50_ms * 3.0,
        };
        let run = |site: &str, tps, p50| (site.to_owned(), "node".to_owned(), figures(tps, p50));
        let runs = vec![run("DC1", 812.34, 9.1), run("DC2", 41.0, 192.6)];
        insta::assert_snapshot!(draw(&compared(runs, "DC1")));
    }
}
