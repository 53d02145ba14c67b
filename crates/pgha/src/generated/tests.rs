use pgha_core::layout::Change;
use pgha_core::topology::{FIRST_HOST_PORT, Published, Role};

use super::*;
use crate::cluster::tests::made_from;
use crate::events::tests::Kept;

fn generate(spec: Spec, output: &OutputArgs, existing: Option<&[Cluster]>) -> Result<Generated> {
    super::generate(spec, output, existing, &Kept::stream().0)
}

pub(crate) fn choices(topology: &Topology, uid: Option<&str>) -> HostChoices {
    let published = topology.published();
    let keys = published.iter().map(Published::key);
    HostChoices {
        ports: keys.zip(FIRST_HOST_PORT..).collect(),
        subnets: (0..topology.sites.len())
            .map(|n| format!("10.213.{n}.0/24").parse().expect("a subnet"))
            .collect(),
        uid: uid.map(str::to_owned),
        drill: None,
    }
}

/// A folder with the files of a cluster.
#[derive(Debug)]
pub(crate) struct Place {
    dir: tempfile::TempDir,
    pub(crate) topology: Topology,
    pub(crate) uid: Option<String>,
    pub(crate) file: PathBuf,
}

impl Place {
    pub(crate) fn with(name: &str, instance: u32, uid: Option<&str>) -> Self {
        Self::of_size(name, instance, uid, 2)
    }

    pub(crate) fn of_size(name: &str, instance: u32, uid: Option<&str>, nodes: u32) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("docker-compose.yaml");
        let topology = topology(name, instance, nodes);
        let uid = uid.map(str::to_owned);
        let place = Self { dir, topology, uid, file };
        place.write(&place.topology, place.uid.as_deref());
        place
    }

    fn write(&self, topology: &Topology, uid: Option<&str>) {
        let dir = secrets::dir_of(&self.file);
        let choices = choices(topology, uid);
        let owner = Identity { id: topology.id.clone(), uid: choices.uid.clone() };
        secrets::create(topology, false, &dir, &owner).expect("secrets");
        let text = render::compose(topology, &choices, "./docker-compose.secrets");
        fs::write(&self.file, text).expect("a folder");
    }

    /// Puts the files of another cluster in their place.
    pub(crate) fn replace(&self, name: &str, instance: u32, uid: Option<&str>, nodes: u32) {
        fs::remove_dir_all(secrets::dir_of(&self.file)).expect("secrets");
        self.write(&topology(name, instance, nodes), uid);
    }

    /// Writes another specification into the compose file.
    pub(crate) fn rewrite(&self, nodes: u32) {
        let id = &self.topology.id;
        self.write(&topology(&id.name, id.instance, nodes), self.uid.as_deref());
    }

    /// Writes the compose file with another layout.
    pub(crate) fn change(&mut self, changes: &[Change]) {
        let layout = self.topology.layout.changed(changes).expect("a layout");
        self.topology =
            Topology::with(self.topology.spec.clone(), self.topology.id.instance, layout);
        self.write(&self.topology, self.uid.as_deref());
    }

    pub(crate) fn lose_key(&self) {
        let key = secrets::dir_of(&self.file).join(render::REPOSITORY_KEY);
        fs::remove_file(key).expect("a key");
    }

    pub(crate) fn remove(&self) {
        fs::remove_dir_all(self.dir.path()).expect("a folder");
    }

    pub(crate) fn generated(&self) -> Generated {
        let choices = choices(&self.topology, self.uid.as_deref());
        let (topology, file) = (self.topology.clone(), self.file.clone());
        Generated { topology, choices, file, written: true }
    }

    /// Every file of the folder.
    pub(crate) fn content(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.dir.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let content = fs::read(&path).expect("a file");
                    files.insert(path, content);
                }
            }
        }
        files
    }

    fn output(&self, file: &str, force: bool) -> OutputArgs {
        OutputArgs { output: self.dir.path().join(file), force, ..OutputArgs::default() }
    }
}

fn topology(name: &str, instance: u32, nodes: u32) -> Topology {
    Topology::new(spec(name, nodes), instance)
}

fn spec(name: &str, nodes: u32) -> Spec {
    Spec { name: name.to_owned(), nodes, ..Spec::default() }
}

#[test]
fn files_of_a_cluster_that_exists_are_never_moved_or_overwritten() {
    for uid in [Some("x"), None] {
        let place = Place::with("demo", 1, uid);
        let existing = [made_from(&place)];
        let before = place.content();
        let generate = |name, nodes, file, force| {
            generate(spec(name, nodes), &place.output(file, force), Some(&existing))
        };
        for (name, nodes, file, force) in [
            ("other", 2, "docker-compose.yaml", true),
            ("other", 2, "docker-compose.yml", true),
            ("other", 2, "docker-compose.yml", false),
            ("demo", 3, "docker-compose.yaml", true),
            ("demo", 2, "docker-compose.yml", true),
        ] {
            let error = generate(name, nodes, file, force).expect_err(name);
            assert_eq!(error.exit_code(), 2, "{error}");
            assert!(error.to_string().contains("demo-1"), "{error}");
            assert_eq!(place.content(), before, "{name} {file} {force}");
        }
        assert!(!generate("demo", 2, "docker-compose.yaml", true).expect("its own").written);
        assert_eq!(place.content(), before);

        fs::remove_file(&place.file).expect("a compose file");
        let before = place.content();
        for name in ["demo", "other"] {
            generate(name, 2, "docker-compose.yaml", false).expect_err("secrets are in use");
            assert_eq!(place.content(), before, "{name}");
        }
    }
}

#[test]
fn a_path_that_compose_reads_as_something_else_is_refused_before_anything_is_made() {
    for (name, why) in [("a,b/docker-compose.yaml", "commas"), ("b:c.yaml", "source:target")] {
        let place = Place::with("demo", 1, Some("x"));
        let before = place.content();
        for existing in [None, Some([].as_slice())] {
            let made = generate(spec("other", 2), &place.output(name, true), existing);
            let error = made.expect_err(name).to_string();
            assert!(error.contains(why) && error.contains("hint: name another"), "{error}");
            assert_eq!(place.content(), before, "{name}");
        }
        // A file that was written elsewhere and lies there now.
        let there = place.output(name, false).output;
        fs::create_dir_all(there.parent().expect("a folder")).expect("a folder");
        fs::copy(&place.file, &there).expect("a copy");
        let before = place.content();
        assert!(open(&there, Some(&[])).expect_err(name).to_string().contains(why));
        assert_eq!(place.content(), before, "{name}");
    }
}

#[test]
fn without_an_engine_secrets_stay_where_they_are() {
    let place = Place::with("demo", 1, Some("x"));
    let before = place.content();
    for (name, file) in [("other", "docker-compose.yaml"), ("other", "docker-compose.yml")] {
        let error = generate(spec(name, 2), &place.output(file, true), None);
        assert_eq!(error.expect_err("secrets are there").exit_code(), 3);
        assert_eq!(place.content(), before);
    }
    generate(spec("demo", 2), &place.output("docker-compose.yaml", false), None).expect("same");
    assert_eq!(place.content(), before);
    place.lose_key();
    let error = generate(spec("demo", 2), &place.output("docker-compose.yaml", false), None);
    assert!(error.expect_err("it may exist").to_string().contains("repository-key"));
}

#[test]
fn lost_secrets_are_made_for_a_cluster_that_is_not_there_and_for_no_other() {
    let place = Place::with("demo", 1, Some("x"));
    let existing = [made_from(&place)];
    place.lose_key();
    let before = place.content();
    let error = open(&place.file, Some(&existing)).expect_err("its data need the key");
    assert!(error.to_string().contains("repository-key"), "{error}");
    assert_eq!(place.content(), before);
    open(&place.file, Some(&[])).expect("a new cluster").expect("a file");
    let missing = secrets::missing(&place.topology, false, &secrets::dir_of(&place.file));
    assert!(missing.expect("a folder").is_empty());
}

#[test]
fn of_two_layouts_the_newer_one_counts() {
    let mut place = Place::with("demo", 1, Some("x"));
    let (before, old) = (made_from(&place), fs::read(&place.file).expect("a file"));
    place.change(&[Change::AddMember(Role::Postgres, 1)]);
    let file_is_newer = open(&place.file, Some(&[before])).expect("its own").expect("a file");
    assert_eq!(file_is_newer.topology, place.topology);
    let after = made_from(&place);
    assert_eq!(after.topology.as_ref(), Some(&place.topology));
    fs::write(&place.file, old).expect("a folder");
    let error = open(&place.file, Some(&[after])).expect_err("it is older").to_string();
    assert!(error.contains("generation 1, and it is in generation 2"), "{error}");
}

#[test]
fn force_writes_the_same_cluster_anew_where_it_does_not_exist() {
    let place = Place::with("demo", 1, Some("x"));
    let output = place.output("docker-compose.yaml", true);
    let exists = [made_from(&place)];
    assert!(!generate(spec("demo", 2), &output, Some(&exists)).expect("its own").written);
    assert!(!generate(spec("demo", 2), &output, None).expect("it may exist").written);
    let made = generate(spec("demo", 2), &output, Some(&[])).expect("a new one");
    assert!(made.written && made.choices.uid != place.uid);
}

#[test]
fn every_older_file_stays_under_a_number_of_its_own() {
    let place = Place::with("demo", 1, Some("x"));
    let key = |folder: &str| fs::read(place.dir.path().join(folder).join("repository-key")).ok();
    let mut keys = vec![key("docker-compose.secrets")];
    for name in ["b", "c", "d"] {
        generate(spec(name, 2), &place.output("docker-compose.yaml", true), Some(&[]))
            .expect("nothing is in use");
        keys.push(key("docker-compose.secrets"));
    }
    let old = [
        "docker-compose.secrets.old",
        "docker-compose.secrets.old.1",
        "docker-compose.secrets.old.2",
    ];
    assert_eq!(old.map(key).as_slice(), &keys[..3]);
    assert!(keys.iter().all(Option::is_some));
    let first = fs::read_to_string(place.dir.path().join("docker-compose.yaml.old"));
    assert!(first.expect("the first file").contains("pgha.cluster: \"demo\""));
}

#[test]
fn networks_of_a_killed_up_are_used_where_they_fit() {
    let generated = Place::with("demo", 1, Some("x")).generated();
    let network = |id: &str, name: &str, subnet: &str| NetworkFact {
        id: id.to_owned(),
        name: name.to_owned(),
        subnet: Some(subnet.to_owned()),
    };
    let left = [
        network("a", "pgha-net-DC1-1", "10.213.0.0/24"),
        network("b", "pgha-net-DC1-1", "10.213.0.0/24"),
        network("c", "pgha-net-DC2-1", "10.213.9.0/24"),
        network("d", "pgha-net-DC7-1", "10.213.7.0/24"),
    ];
    let ids: Vec<&str> = generated.misfits(&left).iter().map(|n| n.id.as_str()).collect();
    assert_eq!(ids, ["b", "c", "d"]);
    assert!(generated.misfits(&[]).is_empty());
}
