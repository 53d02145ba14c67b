//! What a cluster must not tell: passwords, certificates and keys, made once for each cluster.
//!
//! ```text
//! docker-compose.secrets/        mode 0700, every file 0600
//! ├── cluster                    whose these are
//! ├── postgres                   password of the superuser
//! ├── replicator, rewinder       passwords of the users of replication and of pg_rewind
//! ├── patroni                    password of Patroni's REST API
//! ├── user-*                     password of each user of the cluster file
//! ├── next.*                     what `pgha passwd` or `pgha certs rotate` is at, until every member has it
//! ├── pgbouncer                  password of the user that PgBouncer looks up others by, where there are proxies with it
//! ├── init.sql                   the file that init_sql of the cluster file names
//! ├── pgpass                     the superuser's and the users', in the form that psql reads (PGPASSFILE)
//! ├── pg_service.conf            no secret: services by name (PGSERVICEFILE), where `pgha connect --service` was run
//! ├── repository-key             the key of pgBackRest's repositories
//! ├── repo2-s3-key*              credentials of a second repository in S3; empty until the user fills them in
//! ├── backup-ca.crt, .key        transport tls: the CA of this cluster; its key is mounted nowhere
//! ├── pgha-*.crt, pgha-*.key     transport tls: certificate and key of each node and of the backup host
//! └── ssh_*                      transport ssh: key of the user postgres, key of the servers
//! ```
//!
//! A file that exists is kept, so that generating again does not lock anybody out. A cluster of an earlier pgha has
//! one certificate for all of its nodes and no key of the CA, and goes on with them.

pub(crate) mod certificates;
pub(crate) mod next;
pub(crate) mod rotation;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use pgha_core::ownership::{Identity, MARK, Secrets};
use pgha_core::proxy::PGBOUNCER_PASSWORD;
use pgha_core::render;
use pgha_core::render::{
    CA_CERTIFICATE, Certificate, NODE_PASSWORDS, REPOSITORY_KEY, S3_FILES, SSH_FILES,
    repository_secrets,
};
use pgha_core::set_up::{INIT_SQL, user_of_secret, user_secret};
use pgha_core::spec::{BackupTransport, Spec};
use pgha_core::topology::Topology;
use rand::distr::{Alphanumeric, SampleString as _};
use ssh_key::{Algorithm, LineEnding, PrivateKey};

use crate::error::{Error, OrFail, Result};
use crate::kept_file;

/// Characters of a password: 32 letters and digits are 190 bits.
const PASSWORD_LEN: usize = 32;
/// Characters of the repository's key: 48 letters and digits are more than the 256 bits of AES.
const KEY_LEN: usize = 48;
/// Name of the file that psql reads the password from.
const PGPASS: &str = "pgpass";
/// Name of the file that libpq reads services from.
const SERVICES: &str = "pg_service.conf";
/// The superuser, and the secret with the password.
const SUPERUSER: &str = "postgres";

/// The folder of secrets that belongs to a compose file: `<its name>.secrets` beside it.
pub(crate) fn dir_of(compose_file: &Path) -> PathBuf {
    compose_file.with_extension("secrets")
}

/// The file for psql's `PGPASSFILE`.
pub(crate) fn pgpass_of(compose_file: &Path) -> PathBuf {
    dir_of(compose_file).join(PGPASS)
}

/// The file for psql's `PGPASSFILE`, made anew where the password is another one by now.
pub(crate) fn fresh_pgpass(compose_file: &Path) -> Result<PathBuf> {
    derive_pgpass(&dir_of(compose_file), &password(compose_file, SUPERUSER)?)?;
    Ok(pgpass_of(compose_file))
}

fn derive_pgpass(dir: &Path, password: &str) -> Result<()> {
    let what = || format!("cannot read the passwords in {}", dir.display());
    let mut lines = vec![pgpass_line(SUPERUSER, password)];
    for entry in fs::read_dir(dir).or_fail(what())? {
        let name = entry.or_fail(what())?.file_name().to_string_lossy().into_owned();
        if let Some(user) = user_of_secret(&name) {
            let password = fs::read_to_string(dir.join(&name)).or_fail(what())?;
            lines.push(pgpass_line(user, password.trim_end()));
        }
    }
    lines[1..].sort();
    let text = lines.concat();
    let same = fs::read_to_string(dir.join(PGPASS)).is_ok_and(|there| there == text);
    if same { Ok(()) } else { write(dir, PGPASS, &text) }
}

/// A line of the file that psql reads passwords from.
pub(crate) fn pgpass_line(user: &str, password: &str) -> String {
    format!("*:*:*:{user}:{}\n", password.replace('\\', r"\\").replace(':', r"\:"))
}

/// The copy of the file that `init_sql` names.
pub(crate) fn init_sql_of(compose_file: &Path) -> PathBuf {
    dir_of(compose_file).join(INIT_SQL)
}

/// Keeps the text of `init_sql`, whose members have it mounted.
pub(crate) fn keep_init_sql(compose_file: &Path, text: &str) -> Result<()> {
    write(&dir_of(compose_file), INIT_SQL, text)
}

/// A user's password.
pub(crate) fn password(compose_file: &Path, user: &str) -> Result<String> {
    let secret = if user == SUPERUSER { SUPERUSER.to_owned() } else { user_secret(user) };
    let path = dir_of(compose_file).join(secret);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim_end().to_owned()),
        Err(e) if e.kind() == ErrorKind::NotFound && user != SUPERUSER => {
            Err(Error::missing(format!("the password of {user} is not known"))
                .because("the cluster file names no such user")
                .hint("`--no-password` does without"))
        }
        Err(e) => Err(Error::failed(format!("cannot read the password in {}", path.display()))
            .because(e)
            .hint(
                "the secrets are beside the compose file, readable by the user who generated it",
            )),
    }
}

/// Writes the services that libpq finds by name, and says where.
pub(crate) fn write_services(compose_file: &Path, text: &str) -> Result<PathBuf> {
    let dir = dir_of(compose_file);
    write(&dir, SERVICES, text)?;
    Ok(dir.join(SERVICES))
}

/// Whose the secrets of a folder are.
pub(crate) fn whose(dir: &Path) -> Secrets {
    let marked = fs::read_to_string(dir.join(MARK)).ok();
    if let Some(identity) = marked.and_then(|text| Identity::parse_mark(&text)) {
        return Secrets::Of(identity);
    }
    // What cannot be looked into is not empty.
    let nothing = match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => fs::symlink_metadata(dir).is_err(),
    };
    if nothing { Secrets::None } else { Secrets::Unmarked }
}

/// Names of the secrets that the members of a cluster need and that are not there. `shared` as for
/// [`certificates`]. The key of the CA is not among them: no member needs it.
///
/// # Errors
/// When the folder cannot be looked into.
pub(crate) fn missing(topology: &Topology, shared: bool, dir: &Path) -> Result<Vec<String>> {
    if let Err(e) = fs::read_dir(dir)
        && e.kind() != ErrorKind::NotFound
    {
        return Err(Error::bad_input(format!("cannot read the secrets in {}", dir.display()))
            .because(e)
            .hint("they are for the user alone who generated the cluster"));
    }
    let transport = match topology.spec.backup_transport {
        BackupTransport::Tls => certificate_files(&render::certificates(topology, shared)),
        BackupTransport::Ssh => SSH_FILES.map(str::to_owned).to_vec(),
    };
    let needed = NODE_PASSWORDS.into_iter().chain(repository_secrets(&topology.spec));
    let needed = needed.map(str::to_owned).chain(more_passwords(&topology.spec)).chain(transport);
    Ok(needed.filter(|name| !dir.join(name).is_file()).collect())
}

/// Passwords of users that not every cluster has.
fn more_passwords(spec: &Spec) -> impl Iterator<Item = String> {
    let users = spec.server.users.iter().map(|user| user_secret(user));
    users.chain(spec.proxy.pgbouncer.then(|| PGBOUNCER_PASSWORD.to_owned()))
}

/// What members have mounted of these: each certificate with its key, and that of the CA.
fn certificate_files(all: &[Certificate]) -> Vec<String> {
    let files = all.iter().flat_map(|certificate| certificate.files.clone());
    [CA_CERTIFICATE.to_owned()].into_iter().chain(files).collect()
}

/// A number for a cluster that no other has: 64 bits at random.
pub(crate) fn new_uid() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// A password that nobody has.
pub(crate) fn new_password() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_LEN)
}

/// Makes whatever is not there yet; `shared` as for [`missing`].
pub(crate) fn create(
    topology: &Topology,
    shared: bool,
    dir: &Path,
    owner: &Identity,
) -> Result<()> {
    let what = || format!("cannot write secrets into {}", dir.display());
    fs::DirBuilder::new().mode(0o700).recursive(true).create(dir).or_fail(what())?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).or_fail(what())?;
    // Before all others: what an interrupted command leaves says whose it is.
    if whose(dir) == Secrets::None {
        write(dir, MARK, &owner.mark())?;
    }
    let more = more_passwords(&topology.spec);
    for name in NODE_PASSWORDS.into_iter().map(str::to_owned).chain(more) {
        if !dir.join(&name).exists() {
            write(dir, &name, &new_password())?;
        }
    }
    let password = fs::read_to_string(dir.join("postgres")).or_fail(what())?;
    derive_pgpass(dir, password.trim_end())?;
    for name in repository_secrets(&topology.spec) {
        if dir.join(name).exists() {
            continue;
        }
        let text = match name {
            REPOSITORY_KEY => Alphanumeric.sample_string(&mut rand::rng(), KEY_LEN),
            _ => String::new(),
        };
        write(dir, name, &text)?;
    }
    match topology.spec.backup_transport {
        BackupTransport::Tls => certificates::create(topology, shared, dir),
        BackupTransport::Ssh if SSH_FILES.iter().all(|name| dir.join(name).exists()) => Ok(()),
        BackupTransport::Ssh => create_ssh_keys(topology, dir),
    }
}

/// Files that the user has yet to fill in, in the folder of secrets.
pub(crate) fn to_fill_in(topology: &Topology, dir: &Path) -> Vec<PathBuf> {
    let wanted = repository_secrets(&topology.spec).into_iter().filter(|n| S3_FILES.contains(n));
    let empty = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.trim().is_empty());
    wanted.map(|name| dir.join(name)).filter(empty).collect()
}

fn create_ssh_keys(topology: &Topology, dir: &Path) -> Result<()> {
    let [login, login_public, host, host_public] = SSH_FILES;
    for (private, public) in [(login, login_public), (host, host_public)] {
        let what = "cannot make SSH keys";
        let mut key =
            PrivateKey::random(&mut ssh_key::rand_core::OsRng, Algorithm::Ed25519).or_fail(what)?;
        key.set_comment(format!("pgha {}", topology.id));
        write(dir, private, &key.to_openssh(LineEnding::LF).or_fail(what)?)?;
        write(dir, public, &key.public_key().to_openssh().or_fail(what)?)?;
    }
    Ok(())
}

/// Reads one secret.
fn read(dir: &Path, name: &str) -> Result<String> {
    let path = dir.join(name);
    fs::read_to_string(&path).or_fail(format!("cannot read {}", path.display()))
}

/// Writes one secret; it is never readable for others, not even while being written.
fn write(dir: &Path, name: &str, text: &str) -> Result<()> {
    let path = dir.join(name);
    let text = format!("{}\n", text.trim_end());
    kept_file::write(&path, text.as_bytes(), kept_file::PRIVATE)
        .or_fail(format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pgha_core::layout::{Change, Layout};
    use pgha_core::render::CA_KEY;
    use pgha_core::spec::PostgresSpec;
    use pgha_core::topology::Role;

    fn owner() -> Identity {
        let id = Topology::new(Spec::default(), 1).id;
        Identity { id, uid: Some(new_uid()) }
    }

    fn modes(dir: &Path) -> Vec<(String, u32)> {
        let mut all: Vec<_> = fs::read_dir(dir)
            .expect("the folder is there")
            .map(|e| e.expect("an entry"))
            .map(|e| {
                let mode = e.metadata().expect("metadata").permissions().mode() & 0o777;
                (e.file_name().to_string_lossy().into_owned(), mode)
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn every_secret_is_for_its_owner_alone() {
        for &backup_transport in BackupTransport::ALL {
            let at = tempfile::tempdir().expect("a temporary folder");
            let dir = at.path().join("secrets");
            let spec = Spec { data_centers: 2, backup_transport, ..Spec::default() };
            create(&Topology::new(spec, 1), false, &dir, &owner()).expect("secrets are made");
            assert_eq!(
                fs::metadata(&dir).expect("it is there").permissions().mode() & 0o777,
                0o700
            );
            let files = modes(&dir);
            assert!(files.iter().all(|(_, mode)| *mode == 0o600), "{files:?}");
            let expected = 7 + match backup_transport {
                // The CA's, and two for each node and the backup host.
                BackupTransport::Tls => 2 + 2 * 5,
                BackupTransport::Ssh => SSH_FILES.len(),
            };
            assert_eq!(files.len(), expected, "{files:?}");
        }
    }

    #[test]
    fn the_password_file_follows_the_password() {
        let at = tempfile::tempdir().expect("a temporary folder");
        let file = at.path().join("docker-compose.yaml");
        let dir = dir_of(&file);
        create(&Topology::new(Spec::default(), 1), false, &dir, &owner())
            .expect("secrets are made");
        write(&dir, "postgres", r"new:pass\word").expect("a new password");
        let passfile = fresh_pgpass(&file).expect("it is made");
        let text = fs::read_to_string(&passfile).expect("it is there");
        assert_eq!(text, "*:*:*:postgres:new\\:pass\\\\word\n");
        let mode = fs::metadata(&passfile).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn each_user_has_a_password_and_a_line_for_psql() {
        let at = tempfile::tempdir().expect("a temporary folder");
        let dir = at.path().join("secrets");
        let server = PostgresSpec {
            users: vec!["report".to_owned(), "app".to_owned()],
            ..PostgresSpec::default()
        };
        let topology = Topology::new(Spec { server, ..Spec::default() }, 1);
        assert!(missing(&topology, false, &dir).expect("a list").contains(&"user-app".to_owned()));
        create(&topology, false, &dir, &owner()).expect("secrets are made");
        let password = |name: &str| fs::read_to_string(dir.join(name)).expect("a password");
        let (app, report) = (password("user-app"), password("user-report"));
        assert!(app.trim().len() == PASSWORD_LEN && app != report);
        let pgpass = password(PGPASS);
        let lines: Vec<_> = pgpass.lines().collect();
        assert!(lines[0].starts_with("*:*:*:postgres:"), "{pgpass}");
        assert_eq!(
            lines[1..],
            [format!("*:*:*:app:{}", app.trim()), format!("*:*:*:report:{}", report.trim())]
        );
        assert_eq!(missing(&topology, false, &dir).expect("a list"), [""; 0]);
    }

    #[test]
    fn a_folder_of_secrets_says_whose_it_is_and_what_it_lacks() {
        let at = tempfile::tempdir().expect("a temporary folder");
        let dir = at.path().join("secrets");
        let (topology, owner) = (Topology::new(Spec::default(), 1), owner());
        assert_eq!(whose(&dir), Secrets::None);
        fs::create_dir(&dir).expect("a folder");
        assert_eq!(whose(&dir), Secrets::None);
        let missing = || missing(&topology, false, &dir).expect("a folder");
        assert!(missing().contains(&REPOSITORY_KEY.to_owned()));
        create(&topology, false, &dir, &owner).expect("secrets are made");
        assert_eq!(whose(&dir), Secrets::Of(owner));
        assert_eq!(missing(), Vec::<String>::new());
        fs::remove_file(dir.join(REPOSITORY_KEY)).expect("a key");
        assert_eq!(missing(), [REPOSITORY_KEY]);
        for mark in ["", "demo", "\u{0}"] {
            fs::write(dir.join(MARK), mark).expect("a folder");
            assert_eq!(whose(&dir), Secrets::Unmarked, "{mark:?}");
        }
        fs::remove_file(dir.join(MARK)).expect("a mark");
        assert_eq!(whose(&dir), Secrets::Unmarked);
        assert_eq!(whose(&dir.join("postgres")), Secrets::Unmarked, "a file is in the way");
    }

    fn read(dir: &Path, name: &str) -> String {
        fs::read_to_string(dir.join(name)).expect(name)
    }

    #[test]
    fn a_member_that_is_added_gets_a_certificate_of_the_same_ca_and_the_others_keep_theirs() {
        let at = tempfile::tempdir().expect("a temporary folder");
        let (dir, spec) = (at.path(), Spec::default());
        create(&Topology::new(spec.clone(), 1), false, dir, &owner()).expect("secrets are made");
        let kept = [CA_CERTIFICATE, CA_KEY, "pgha-demo1-DC1-1.crt", "pgha-pgbackrest-DC2-1.key"];
        let before = kept.map(|name| read(dir, name));
        let layout = Layout::of(&spec).changed(&[Change::AddMember(Role::Postgres, 1)]);
        let topology = Topology::with(spec, 1, layout.expect("a node"));
        let new = ["pgha-demo3-DC1-1.crt", "pgha-demo3-DC1-1.key"];
        assert_eq!(missing(&topology, false, dir).expect("a folder"), new);
        create(&topology, false, dir, &owner()).expect("one more");
        assert_eq!(kept.map(|name| read(dir, name)), before);
        assert!(missing(&topology, false, dir).expect("a folder").is_empty());
        assert_eq!(signed_by(dir, new[0]), Ok(()));

        // Without the CA's key nothing is lost, until there is a certificate to be made.
        fs::remove_file(dir.join(CA_KEY)).expect("a key");
        create(&topology, false, dir, &owner()).expect("nothing to do");
        assert!(missing(&topology, false, dir).expect("a folder").is_empty());
        assert_eq!(read(dir, CA_CERTIFICATE), before[0]);
        fs::remove_file(dir.join(new[0])).expect("a certificate");
        create(&topology, false, dir, &owner()).expect("all of them");
        assert!(kept.iter().zip(&before).all(|(name, text)| read(dir, name) != *text));
        for member in ["pgha-demo1-DC1-1.crt", new[0], "pgha-pgbackrest-DC2-1.crt"] {
            assert_eq!(signed_by(dir, member), Ok(()));
        }
    }

    /// Whether OpenSSL takes a certificate for one of the folder's CA.
    fn signed_by(dir: &Path, name: &str) -> Result<(), String> {
        let ca = dir.join(CA_CERTIFICATE);
        let made = std::process::Command::new("openssl")
            .args(["verify", "-CAfile"])
            .args([ca, dir.join(name)])
            .output()
            .expect("openssl runs");
        made.status
            .success()
            .then_some(())
            .ok_or(String::from_utf8_lossy(&made.stderr).into_owned())
    }

    #[test]
    fn a_cluster_of_an_earlier_pgha_goes_on_with_its_certificates() {
        let at = tempfile::tempdir().expect("a temporary folder");
        let (dir, topology) = (at.path(), Topology::new(Spec::default(), 1));
        create(&topology, true, dir, &owner()).expect("as it was");
        fs::remove_file(dir.join(CA_KEY)).expect("it was thrown away");
        let before = modes(dir);
        let names = ["backup-ca.crt", "backup-node.crt", "backup-node.key"];
        let texts = names.map(|name| read(dir, name));
        create(&topology, true, dir, &owner()).expect("nothing to do");
        assert_eq!((modes(dir), names.map(|name| read(dir, name))), (before, texts));
        fs::remove_file(dir.join(names[2])).expect("a key");
        assert_eq!(missing(&topology, true, dir).expect("a folder"), [names[2]]);
    }

    #[test]
    fn passwords_stay_when_secrets_are_made_again() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let topology = Topology::new(Spec::default(), 1);
        create(&topology, false, dir.path(), &owner()).expect("secrets are made");
        let read = || fs::read_to_string(dir.path().join("postgres")).expect("a password");
        let before = read();
        create(&topology, false, dir.path(), &owner()).expect("secrets are made again");
        assert_eq!(read(), before);
        assert_eq!(before.trim_end().len(), PASSWORD_LEN);
    }

    #[test]
    fn credentials_of_s3_wait_for_the_user_and_no_key_is_made_without_encryption() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let spec = Spec::from_toml(
            "[backup]\nencryption = \"none\"\n[backup.repo2]\ntype = \"s3\"\nbucket = \"b\"\n\
             endpoint = \"e\"\nregion = \"r\"\n",
        );
        let topology = Topology::new(spec.expect("a spec"), 1);
        create(&topology, false, dir.path(), &owner()).expect("secrets are made");
        assert!(!dir.path().join(REPOSITORY_KEY).exists());
        assert_eq!(to_fill_in(&topology, dir.path()).len(), 2);
        fs::write(dir.path().join(S3_FILES[0]), "key").expect("a file");
        create(&topology, false, dir.path(), &owner()).expect("secrets are kept");
        assert_eq!(to_fill_in(&topology, dir.path()), [dir.path().join(S3_FILES[1])]);
    }
}
