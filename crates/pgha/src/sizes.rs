//! How many data centers there are and what each has, from `-d`, `-c` and `-e`.

use pgha_core::spec::Spec;

use crate::cli::Each;
use crate::error::{Error, Result};

/// Lays the numbers of `-d`, `-c` and `-e` over a spec. A list has one number for each data center, and without
/// `-d` says how many there are.
///
/// # Errors
/// When they are for different numbers of data centers.
pub(crate) fn set(
    spec: &mut Spec,
    data_centers: Option<u32>,
    nodes: Option<&Each>,
    etcd: Option<&Each>,
) -> Result<()> {
    let mut known = data_centers.map(|d| (format!("-d {d}"), d as usize));
    for (flag, each) in [("-c", nodes), ("-e", etcd)] {
        let Some(each) = each.filter(|each| each.0.len() > 1) else { continue };
        let this = (format!("{flag} {each}"), each.0.len());
        match &known {
            Some((other, sites)) if *sites != this.1 => {
                return Err(Error::bad_input(format!(
                    "{} and {other} do not fit together",
                    this.0
                ))
                .because(format!("{} is for {} data centers", this.0, this.1))
                .hint("one number for all, or one for each data center"));
            }
            _ => known = Some(this),
        }
    }
    spec.data_centers = data_centers.unwrap_or(spec.data_centers);
    if let Some(Each(numbers)) = nodes {
        spec.set_nodes(numbers);
    }
    if let Some(Each(numbers)) = etcd {
        spec.set_etcd(numbers);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_over(spec: Spec, d: Option<u32>, c: Option<&[u32]>, e: Option<&[u32]>) -> Result<Spec> {
        let mut spec = spec;
        let [nodes, etcd] = [c, e].map(|numbers| numbers.map(|numbers| Each(numbers.to_vec())));
        set(&mut spec, d, nodes.as_ref(), etcd.as_ref())?;
        Ok(spec)
    }

    #[test]
    fn a_list_says_how_many_data_centers_there_are() {
        let spec = set_over(Spec::default(), None, Some(&[3, 1]), Some(&[2, 1])).expect("they fit");
        assert_eq!((spec.data_centers, spec.nodes_in(1), spec.nodes_in(2)), (2, 3, 1));
        assert_eq!(spec.etcd_each(), Some(vec![2, 1]));
        let spec = set_over(spec, Some(3), Some(&[2]), None).expect("they fit");
        assert_eq!((spec.data_centers, spec.all_nodes()), (3, 6));
    }

    #[test]
    fn lists_of_different_lengths_are_refused() {
        for (d, c, e) in [
            (Some(3), Some([3, 1].as_slice()), None),
            (Some(1), None, Some([3, 1].as_slice())),
            (None, Some([3, 1].as_slice()), Some([2, 1, 1].as_slice())),
        ] {
            assert!(set_over(Spec::default(), d, c, e).is_err(), "{d:?} {c:?} {e:?}");
        }
    }
}
