//! Which cluster and which sites the words after a verb of `pgha wan` mean.
//!
//! A word such as `DC1` is a site, whatever its case: no cluster can be called so.

use pgha_core::topology::Topology;
use pgha_wan::control::Direction;

use crate::error::{Error, Result};
use crate::member;

/// The words, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words<'a> {
    /// The cluster, where one is named.
    pub(super) cluster: Option<&'a str>,
    /// The sites, as given.
    pub(super) sites: &'a [String],
}

/// Takes the words of a verb apart that wants one site.
///
/// # Errors
/// When there is none, or several.
pub(super) fn one<'a>(verb: &str, words: &'a [String]) -> Result<Words<'a>> {
    let words = apart(words);
    let cluster = words.cluster.map(|name| format!("{name} ")).unwrap_or_default();
    match words.sites {
        [_] => Ok(words),
        [] => Err(Error::bad_input("no site is named")
            .hint(format!("name it: `pgha wan {verb} {cluster}DC1`"))),
        [first, ..] => {
            Err(Error::bad_input("several sites are named, and one at a time is isolated")
                .hint(format!("`pgha wan {verb} {cluster}{first}`, and again for the next")))
        }
    }
}

/// Takes the words of a verb apart that wants two sites.
///
/// # Errors
/// When there are more or fewer.
pub(super) fn two<'a>(verb: &str, words: &'a [String]) -> Result<Words<'a>> {
    let words = apart(words);
    let cluster = words.cluster.map(|name| format!("{name} ")).unwrap_or_default();
    match words.sites {
        [_, _] => Ok(words),
        [] => Err(Error::bad_input("no site is named, and a link is between two")
            .hint(format!("name them: `pgha wan {verb} {cluster}DC1 DC2`"))),
        [site] => {
            let other = if site.eq_ignore_ascii_case("DC2") { "DC1" } else { "DC2" };
            let all = match verb {
                "cut" => format!("; `pgha wan isolate {cluster}{site}` cuts all links of {site}"),
                _ => String::new(),
            };
            let what = format!("a link is between two sites, and {site} alone is named");
            Err(Error::bad_input(what)
                .hint(format!("name both: `pgha wan {verb} {cluster}{site} {other}`{all}")))
        }
        _ => Err(Error::bad_input("three sites are named, and a link is between two")
            .hint(format!("`pgha wan {verb} {cluster}DC1 DC2`, and again for the next link"))),
    }
}

/// The cluster is named where the first word cannot be a site.
fn apart(words: &[String]) -> Words<'_> {
    let named = words.first().is_some_and(|word| !is_site(word));
    let (cluster, sites) = words.split_at(usize::from(named));
    Words { cluster: cluster.first().map(String::as_str), sites }
}

/// Takes the words of a verb apart that wants none, one or two sites.
///
/// # Errors
/// When there are more than two sites.
pub(super) fn some(words: &[String]) -> Result<Words<'_>> {
    let words = apart(words);
    if words.sites.len() > 2 {
        return Err(Error::bad_input("three sites are named, and a link is between two")
            .hint("`pgha wan heal DC1` is about all links of DC1"));
    }
    Ok(words)
}

/// What can only be a site.
pub(crate) fn is_site(word: &str) -> bool {
    word.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("dc"))
        && word.len() > 2
        && word[2..].bytes().all(|b| b.is_ascii_digit())
}

/// Both directions between two sites, or one.
///
/// # Errors
/// When a site is unknown, or is the other one, too.
pub(super) fn between(
    topology: &Topology,
    sites: &[String],
    one_way: bool,
) -> Result<Vec<Direction>> {
    let names = sites.iter().map(|s| Ok(member::site(topology, s)?.name.clone()));
    let names: Vec<String> = names.collect::<Result<_>>()?;
    let [a, b] = names.as_slice() else {
        return Err(Error::bad_input("a link is between two sites").hint("give both: DC1 DC2"));
    };
    if a == b {
        let others: Vec<_> =
            topology.sites.iter().map(|s| s.name.as_str()).filter(|name| name != a).collect();
        return Err(Error::bad_input(format!("there is no link from {a} to itself"))
            .because("A link is between two sites.")
            .hint(format!("the others are {}", others.join(", "))));
    }
    let direction = |from: &String, to: &String| Direction { from: from.clone(), to: to.clone() };
    let mut links = vec![direction(a, b)];
    if !one_way {
        links.push(direction(b, a));
    }
    Ok(links)
}

/// All directions from a site and to it.
///
/// # Errors
/// When the site is unknown.
pub(super) fn around(topology: &Topology, given: &str) -> Result<Vec<Direction>> {
    let name = member::site(topology, given)?.name.clone();
    let others: Vec<String> =
        topology.sites.iter().map(|s| s.name.clone()).filter(|other| *other != name).collect();
    let mut links = Vec::new();
    for other in others {
        links.extend(between(topology, &[name.clone(), other], false)?);
    }
    Ok(links)
}

/// What none, one or two sites mean: all links, those of a site, those between two.
///
/// # Errors
/// As [`around`] and [`between`].
pub(super) fn chosen(topology: &Topology, sites: &[String]) -> Result<Vec<Direction>> {
    match sites {
        [] => {
            let mut links = Vec::new();
            for (n, a) in topology.sites.iter().enumerate() {
                for b in &topology.sites[n + 1..] {
                    links.extend(between(topology, &[a.name.clone(), b.name.clone()], false)?);
                }
            }
            Ok(links)
        }
        [one] => around(topology, one),
        two => between(topology, two, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgha_core::spec::Spec;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    fn topology() -> Topology {
        Topology::new(Spec { data_centers: 2, ..Spec::default() }, 1)
    }

    #[test]
    fn a_word_that_looks_like_a_site_is_one() {
        for (text, cluster, sites) in [
            ("", None, 0),
            ("demo", Some("demo"), 0),
            ("demo-2", Some("demo-2"), 0),
            ("dc1", None, 1),
            ("demo DC1", Some("demo"), 1),
            ("DC1 DC2", None, 2),
            ("demo DC1 DC2", Some("demo"), 2),
            ("dc", Some("dc"), 0),
        ] {
            let given = words(text);
            let taken = some(&given).expect(text);
            assert_eq!((taken.cluster, taken.sites.len()), (cluster, sites), "{text}");
        }
        assert!(some(&words("DC1 DC2 DC3")).is_err());
        let three = words("demo DC1 DC2");
        assert_eq!(two("cut", &three).expect("two").cluster, Some("demo"));
        assert_eq!(two("cut", &three[1..]).expect("two").cluster, None);
        assert_eq!(one("isolate", &three[..2]).expect("one").cluster, Some("demo"));
    }

    #[test]
    fn a_cluster_is_never_taken_for_a_site() {
        for (text, said) in [
            ("demo DC1", "`pgha wan cut demo DC1 DC2`; `pgha wan isolate demo DC1`"),
            ("DC2", "`pgha wan cut DC2 DC1`"),
            ("demo", "`pgha wan cut demo DC1 DC2`"),
            ("DC1 DC2 DC3", "three sites"),
        ] {
            let error = two("cut", &words(text)).expect_err(text).to_string();
            assert!(error.contains(said), "{error}");
        }
        for (text, said) in [("demo", "`pgha wan isolate demo DC1`"), ("DC1 DC2", "isolate DC1`")] {
            let error = one("isolate", &words(text)).expect_err(text).to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn unknown_sites_and_a_pair_with_itself_are_refused_with_the_choices() {
        let unknown = between(&topology(), &words("DC1 DC9"), false).expect_err("unknown");
        assert_eq!(unknown.exit_code(), 2);
        assert!(unknown.to_string().contains("there are DC1, DC2, DC3"), "{unknown}");
        let itself = between(&topology(), &words("DC1 dc1"), false).expect_err("itself");
        assert!(itself.to_string().contains("the others are DC2, DC3"), "{itself}");
    }

    #[test]
    fn a_site_has_a_link_to_and_from_each_other_one() {
        let all = chosen(&topology(), &[]).expect("all");
        assert_eq!(all.len(), 6);
        let of_one = chosen(&topology(), &words("dc3")).expect("one site");
        assert_eq!(of_one.len(), 4);
        assert!(of_one.iter().all(|link| link.from == "DC3" || link.to == "DC3"));
        let one_way = between(&topology(), &words("DC2 DC1"), true).expect("one way");
        assert_eq!(one_way, [Direction { from: "DC2".into(), to: "DC1".into() }]);
    }
}
