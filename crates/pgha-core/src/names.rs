//! Names that the programs of different members call each other by, and what a part of a name means. Depends on nothing.

/// The program `pgha-node`, in every image.
pub const AGENT: &str = "/usr/local/bin/pgha-node";

/// The names that a part of one may mean: those equal to it, else those with it as whole parts between hyphens, else
/// those with it anywhere. Capitals make no difference; an empty part means none.
pub fn meant<'a>(names: &[&'a str], part: &str) -> Vec<&'a str> {
    let part = part.to_ascii_lowercase();
    let rules: [&dyn Fn(&str) -> bool; 3] = [
        &|name| name == part,
        &|name| !part.is_empty() && format!("-{name}-").contains(&format!("-{part}-")),
        &|name| !part.is_empty() && name.contains(&part),
    ];
    let fitting = rules.iter().map(|fits| {
        let fits = |name: &&&str| fits(&name.to_ascii_lowercase());
        names.iter().filter(fits).copied().collect::<Vec<_>>()
    });
    fitting.into_iter().find(|fitting| !fitting.is_empty()).unwrap_or_default()
}
