//! Claims about moving data away and back, on a volume that is only a map of names.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const DATA: &str = "/pgdata/17";
const ID: &str = "20261124-155501";

/// Folders by name, each with a text that stands for what is in it; of a data directory also its links.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Disk {
    folders: BTreeMap<String, String>,
    links: BTreeMap<String, BTreeSet<String>>,
}

fn names(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

impl Disk {
    fn with(tablespaces: &[&str]) -> Self {
        let mut disk = Self::default();
        disk.folders.insert(DATA.to_owned(), "old".to_owned());
        disk.links.insert("old".to_owned(), names(tablespaces));
        for path in tablespaces {
            disk.folders.insert((*path).to_owned(), "old".to_owned());
        }
        disk
    }

    fn volume(&self) -> Volume {
        let links = |path: &str| {
            let content = self.folders.get(path);
            content.and_then(|content| self.links.get(content)).cloned().unwrap_or_default()
        };
        Volume {
            data: DATA.to_owned(),
            there: self.folders.keys().cloned().collect(),
            linked: links(DATA),
            old_linked: links(&aside_of(DATA, ID)),
        }
    }

    fn apply(&mut self, change: &Move) {
        match change {
            Move::Rename { from, to } => {
                let content = self.folders.remove(from).expect("it is there");
                assert_eq!(self.folders.insert(to.clone(), content), None, "{to} is overwritten");
            }
            Move::Make(path) => {
                self.folders.entry(path.clone()).or_default();
            }
            Move::Remove(path) => {
                self.folders.remove(path);
            }
            Move::Empty(path) => {
                if let Some(content) = self.folders.get_mut(path) {
                    content.clear();
                }
            }
        }
    }

    /// Does the moves again and again until there is none; each time it may be interrupted.
    fn until_done(
        &mut self,
        decide: impl Fn(&Volume) -> Vec<Move>,
        stops: &mut impl Iterator<Item = usize>,
    ) {
        loop {
            let moves = decide(&self.volume());
            let stop = stops.next().unwrap_or(usize::MAX);
            moves.iter().take(stop).for_each(|change| self.apply(change));
            if stop >= moves.len() {
                return;
            }
        }
    }

    /// As a backup is restored, and WAL replayed that makes more tablespaces.
    fn restore(&mut self, tablespaces: &BTreeSet<String>) {
        for path in tablespaces.iter().map(String::as_str).chain([DATA]) {
            let there = self.folders.entry(path.to_owned()).or_default();
            assert!(there.is_empty() || there == "new", "{path} has old data");
            "new".clone_into(there);
        }
        self.links.insert("new".to_owned(), tablespaces.clone());
    }

    fn content(&self, what: &str) -> BTreeSet<&str> {
        let of = self.folders.iter().filter(|(_, content)| *content == what);
        of.map(|(path, _)| path.as_str()).collect()
    }
}

#[test]
fn a_tablespace_goes_before_the_data_and_comes_back_after_it() {
    let disk = Disk::with(&["/pgdata/fast"]);
    let old = format!("/pgdata/fast{ASIDE}{ID}");
    assert_eq!(
        disk.volume().aside(&BTreeSet::new(), ID),
        [
            Move::Make("/pgdata/fast".into()),
            Move::Rename { from: "/pgdata/fast".into(), to: old.clone() },
            Move::Rename { from: DATA.into(), to: aside_of(DATA, ID) },
            Move::Make("/pgdata/fast".into()),
            Move::Make(DATA.into()),
        ]
    );
    let mut moved = disk;
    moved.until_done(|volume| volume.aside(&BTreeSet::new(), ID), &mut std::iter::empty());
    let back = moved.volume().back(ID);
    let renamed = |from: &str| {
        back.iter().position(|change| matches!(change, Move::Rename { from: f, .. } if f == from))
    };
    assert!(renamed(&aside_of(DATA, ID)) < renamed(&old), "{back:?}");
}

#[test]
fn only_a_folder_of_its_own_below_the_volume_can_be_moved() {
    for yes in ["/pgdata/fast", "/pgdata/a/b", "/pgdata/170"] {
        assert!(is_on_volume(yes, DATA), "{yes}");
    }
    for no in [
        "/pgdata",
        "/pgdata/",
        "/pgdata/17",
        "/pgdata/17/fast",
        "/pgdata2/fast",
        "/srv/fast",
        "",
        "fast",
        "/pgdata/a/../17",
    ] {
        assert!(!is_on_volume(no, DATA), "{no}");
    }
}

#[test]
fn what_is_elsewhere_is_refused_by_name() {
    let linked = |path: &str, on_volume| Linked {
        link: "pg_tblspc/16386".into(),
        path: path.into(),
        on_volume,
    };
    assert_eq!(demand_on_volume("a", &[linked("/pgdata/fast", true)]), Ok(()));
    let off = demand_on_volume("a", &[linked("/pgdata/fast", true), linked("/srv/slow", false)]);
    let off = off.expect_err("it is not on the volume");
    assert_eq!(off.to_string(), "a has data outside its volume: pg_tblspc/16386 is in /srv/slow");
}

/// Some of the folders that may be tablespaces.
fn some() -> impl Strategy<Value = BTreeSet<String>> {
    let all = vec!["/pgdata/a", "/pgdata/b", "/pgdata/c/d", "/pgdata/e"];
    proptest::sample::subsequence(all, 0..=4).prop_map(|some| names(&some))
}

proptest! {
    /// However often each part is interrupted, whatever tablespaces the backup and the WAL after it have,
    /// and with a folder of nobody's where the backup needs one.
    #[test]
    fn old_data_come_back_as_they_were(
        old in some(), backup in some(), replayed in some(), stray in some(),
        stops in proptest::collection::vec(0_usize..12, 0..12), way in 0_usize..4,
    ) {
        let tablespaces: Vec<&str> = old.iter().map(String::as_str).collect();
        let mut disk = Disk::with(&tablespaces);
        // What has content that no data link to: recovery itself refuses it, and the backup does not.
        for path in stray.difference(&old).filter(|path| backup.contains(*path)) {
            disk.folders.insert(path.clone(), "stray".to_owned());
        }
        let (before, mut stops) = (disk.clone(), stops.into_iter());
        disk.until_done(|volume| volume.aside(&backup, ID), &mut stops);
        for path in old.iter().map(String::as_str).chain([DATA]) {
            prop_assert_eq!(disk.folders.get(&aside_of(path, ID)).map(String::as_str), Some("old"));
        }
        if way > 0 {
            disk.restore(&backup);
        }
        if way > 1 {
            disk.restore(&backup.union(&replayed).cloned().collect());
            // Begun again, as the trigger file has it.
            disk.until_done(|volume| volume.aside(&backup, ID), &mut stops);
        }
        if way == 3 {
            disk.until_done(|volume| volume.tidy(ID), &mut stops);
            prop_assert_eq!(disk.content("old").len() + disk.content("stray").len(), 0);
            prop_assert!(disk.folders.keys().all(|path| !is_moved(path)));
        } else {
            disk.until_done(|volume| volume.back(ID), &mut stops);
            prop_assert_eq!(disk.content("new").len(), 0, "{:?}", disk);
            prop_assert_eq!(disk.content("old"), before.content("old"));
            prop_assert_eq!(disk.content("stray"), before.content("stray"));
            prop_assert!(disk.folders.keys().all(|path| !is_moved(path)));
            disk.until_done(|volume| volume.back(ID), &mut stops);
            prop_assert_eq!(disk.content("old"), before.content("old"));
        }
    }
}
