//! Names that the programs of different members call each other by, and what a part of a name means. Depends on nothing.

/// The program `pgha-node`, in every image.
pub const AGENT: &str = "/usr/local/bin/pgha-node";

/// A file of a node's container; it is there while the container outlives its Patroni.
pub const MAINTENANCE: &str = "/pgha/maintenance";

/// The names that a part of one may mean: those equal to it, else those with it as whole parts between hyphens, else
/// those with it anywhere. Capitals make no difference; an empty part means none.
pub fn meant<'a>(names: &[&'a str], part: &str) -> Vec<&'a str> {
    by_rules(names, part, 3)
}

/// As [`meant`], without the last rule: for what must not be done because a cluster's name was mistyped.
pub fn meant_as_whole<'a>(names: &[&'a str], part: &str) -> Vec<&'a str> {
    by_rules(names, part, 2)
}

/// The first so many rules.
fn by_rules<'a>(names: &[&'a str], part: &str, rules: usize) -> Vec<&'a str> {
    let part = part.to_ascii_lowercase();
    let all: [&dyn Fn(&str) -> bool; 3] = [
        &|name| name == part,
        &|name| !part.is_empty() && format!("-{name}-").contains(&format!("-{part}-")),
        &|name| !part.is_empty() && name.contains(&part),
    ];
    let fitting = all.iter().take(rules).map(|fits| {
        let fits = |name: &&&str| fits(&name.to_ascii_lowercase());
        names.iter().filter(fits).copied().collect::<Vec<_>>()
    });
    fitting.into_iter().find(|fitting| !fitting.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stopped_is_named_by_whole_parts_and_no_mistyped_cluster_is_one() {
        let names = ["pgha-demo1-DC1-1", "pgha-demo2-DC1-1", "pgha-etcd1-DC1-1", "pgha-wan-1"];
        let whole = |part| meant_as_whole(&names, part);
        assert_eq!(whole("demo2"), [names[1]]);
        assert_eq!(whole("demo2-dc1"), [names[1]]);
        assert_eq!(whole("pgha-etcd1-DC1-1"), [names[2]]);
        assert_eq!(whole("wan"), [names[3]]);
        for mistyped in ["dem", "demo", "emo2", "etcd", "demo2-", ""] {
            assert!(whole(mistyped).is_empty(), "{mistyped}");
        }
        // Where nothing is at stake a part is enough.
        assert_eq!(meant(&names, "emo2"), [names[1]]);
    }
}
