//! Links that are cut, or not as specified.

use pgha_wan::control::{LinkState, WanState};
use pgha_wan::settings::Cut;

use crate::status::{Problem, Severity};

/// Code of the problem that links are cut.
pub const LINKS_CUT: &str = "links_cut";

/// A link, and what is cut where that is not all of it all the time: `DC1 to DC2 (etcd)`, `DC1 to DC2 (40% of 10s)`.
fn shown(link: &LinkState) -> String {
    let name = format!("{} to {}", link.from, link.to);
    let settings = &link.settings;
    let whole = match settings.cut {
        Cut::Yes => return name,
        Cut::Flaps(flap) => Some(flap.to_string()),
        Cut::No => None,
    };
    let services = settings.cut_ports.iter().map(|(service, cut)| match cut {
        Cut::Flaps(flap) => format!("{service} {flap}"),
        _ => service.to_string(),
    });
    let parts: Vec<String> = whole.into_iter().chain(services).collect();
    if parts.is_empty() { name } else { format!("{name} ({})", parts.join(", ")) }
}

/// What a status says about links that are cut or not as specified; `None` where all are.
pub(super) fn problem(state: &WanState) -> Option<Problem> {
    if state.waiting_for_cluster {
        return None;
    }
    let named = |links: &[&LinkState]| {
        const SHOWN: usize = 6;
        let shown: Vec<String> = links.iter().take(SHOWN).map(|link| shown(link)).collect();
        let more = links.len().saturating_sub(SHOWN);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{}{more}", shown.join(", "))
    };
    let unlike: Vec<&LinkState> =
        state.links.iter().filter(|link| link.settings != link.spec).collect();
    let cut: Vec<&LinkState> = state.links.iter().filter(|link| link.settings.is_cut()).collect();
    if !cut.is_empty() {
        return Some(Problem::new(
            Severity::Warning,
            LINKS_CUT,
            None,
            format!("links are cut: {}", named(&cut)),
            "`pgha wan heal` undoes that, `pgha wan show` has all",
        ));
    }
    (!unlike.is_empty()).then(|| {
        Problem::new(
            Severity::Info,
            "links_changed",
            None,
            format!("links are not as specified: {}", named(&unlike)),
            "`pgha wan reset` undoes that, `pgha wan show` has all",
        )
    })
}
