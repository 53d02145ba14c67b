//! An S3 service of a test's own: moto in a container, behind TLS with a certificate of an authority
//! that nobody else knows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rand::distr::{Alphanumeric, SampleString as _};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::docker::{docker, exec, inspect, try_docker};
use crate::process::run;
use crate::test_cluster::{PGHA_DEADLINE_S, TestCluster};
use crate::waiting::tell;

/// What it is built on.
const BASE: &str = "debian:trixie-slim";
/// Image of the service; it stays for the next run.
const IMAGE: &str = "pgha-test-s3";
/// The name that the backup host knows it by.
const NAME: &str = "s3.test";
const PORT: &str = "9000";
const BUCKET: &str = "shop-backups";
const REGION: &str = "eu-test-1";
/// How it is made; the host's certificates are for a way out that re-signs TLS.
const DOCKERFILE: &str = "FROM debian:trixie-slim
COPY host-ca.crt /build/
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends ca-certificates curl python3-pip > /dev/null \\
 && cat /build/host-ca.crt >> /etc/ssl/certs/ca-certificates.crt \\
 && pip install --quiet --root-user-action=ignore --break-system-packages 'moto[s3]==5.2.5' flask flask-cors
COPY s3_server.py /
ENTRYPOINT [\"python3\", \"-u\", \"/s3_server.py\"]
";
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A service that runs; gone when this value is.
#[derive(Debug)]
pub(crate) struct S3 {
    container: String,
    network: String,
    folder: PathBuf,
}

impl S3 {
    /// Starts one for a cluster, in no network of it yet.
    pub(crate) fn start(cluster: &TestCluster) -> Self {
        let folder = cluster.dir().join("s3");
        fs::create_dir(&folder).expect("the folder can be made");
        make_files(&folder);
        build(cluster);
        let container = format!("{IMAGE}-{}", cluster.instance);
        try_docker(&["rm", "--force", "--volumes", &container]);
        let mount = format!("{}:/s3:ro", folder.display());
        docker(&[
            "run", "-d", "--name", &container, "-v", &mount, IMAGE, PORT, BUCKET, REGION, "/s3",
        ]);
        let network = format!("pgha-net-DC2-{}", cluster.instance);
        Self { container, network, folder }
    }

    /// The table `[backup]` of a cluster file with the bucket as second repository. Nothing is compressed,
    /// so that plain rows would be found.
    pub(crate) fn cluster_file(&self) -> String {
        format!(
            "[backup]\ncompression = \"none\"\n[backup.repo2]\ntype = \"s3\"\nbucket = \"{BUCKET}\"\n\
             endpoint = \"{NAME}\"\nregion = \"{REGION}\"\nuri_style = \"path\"\nport = {PORT}\n\
             ca_file = \"{}\"\n",
            self.ca_file().display()
        )
    }

    /// The certificate of its authority.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.join("ca")
    }

    /// Writes one more file beside its own, and gives its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("it can be written");
        path.display().to_string()
    }

    /// Paths of the files with access key and secret key.
    pub(crate) fn credentials(&self) -> [String; 2] {
        ["access", "secret"].map(|name| self.folder.join(name).display().to_string())
    }

    /// How a container of no cluster reaches it: by its address, which its certificate does not have.
    fn endpoint(&self) -> String {
        let seen = inspect(&self.container);
        let networks = seen["NetworkSettings"]["Networks"].as_object().expect("networks");
        let address = networks.values().find_map(|network| network["IPAddress"].as_str());
        format!("{}:{PORT}", address.expect("it has an address"))
    }

    /// `pgha restore --from` this path of the bucket.
    pub(crate) fn url(&self, path: &str) -> String {
        format!(
            "s3://{BUCKET}{path}?endpoint={}&region={REGION}&uri_style=path&verify_tls=false",
            self.endpoint()
        )
    }

    /// Arguments of `docker run` for a container that makes a repository in the bucket.
    pub(crate) fn for_container(&self) -> Vec<String> {
        let volume = format!("{}:/s3:ro", self.folder.display());
        let variables = [
            format!("S3_ENDPOINT={}", self.endpoint()),
            format!("S3_BUCKET={BUCKET}"),
            format!("S3_REGION={REGION}"),
        ];
        let variables = variables.into_iter().flat_map(|variable| ["--env".to_owned(), variable]);
        ["--volume".to_owned(), volume].into_iter().chain(variables).collect()
    }

    /// A checksum of everything it keeps.
    pub(crate) fn objects(&self) -> String {
        let ask = format!(
            "curl -sf --cacert /s3/ca --resolve {NAME}:{PORT}:127.0.0.1 \
             https://{NAME}:{PORT}/everything > /tmp/all && test -s /tmp/all && sha256sum < /tmp/all"
        );
        exec(&self.container, &["sh", "-c", &ask])
    }

    /// Writes access key and secret key where a cluster looks for them.
    pub(crate) fn give_credentials(&self, cluster: &TestCluster) {
        for (own, its) in [("access", "repo2-s3-key"), ("secret", "repo2-s3-key-secret")] {
            let text = fs::read(self.folder.join(own)).expect("a credential");
            fs::write(cluster.secrets_dir().join(its), text).expect("it can be written");
        }
    }

    /// Puts it into the network of the backup host, once there is one.
    pub(crate) fn come(&self) -> Result<(), String> {
        let connect = ["network", "connect", "--alias", NAME, &self.network, &self.container];
        try_docker(&connect).result().map(drop)
    }

    /// Takes it out of that network.
    pub(crate) fn go_away(&self) {
        docker(&["network", "disconnect", &self.network, &self.container]);
    }

    /// How many lines of everything it keeps hold a text.
    pub(crate) fn lines_with(&self, text: &str) -> u32 {
        let ask = format!(
            "curl -sf --cacert /s3/ca --resolve {NAME}:{PORT}:127.0.0.1 \
             https://{NAME}:{PORT}/everything > /tmp/all && test -s /tmp/all && \
             {{ grep -caF -- '{text}' /tmp/all || true; }}"
        );
        exec(&self.container, &["sh", "-c", &ask]).parse().expect("a number")
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = try_docker(&["logs", "--tail", "20", &self.container]);
            tell(&format!("the S3 service said:\n{}{}", log.stdout, log.stderr));
        }
        try_docker(&["rm", "--force", "--volumes", &self.container]);
    }
}

/// Credentials as long as the other secrets, and certificates.
fn make_files(folder: &Path) {
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).expect("the folder can be written to");
    };
    write("access", &Alphanumeric.sample_string(&mut rand::rng(), 32));
    write("secret", &Alphanumeric.sample_string(&mut rand::rng(), 48));
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "the authority of a test");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = KeyPair::generate().expect("a key");
    write("ca", &ca.self_signed(&authority_key).expect("a certificate").pem());
    let issuer = Issuer::new(ca, authority_key);
    let key = KeyPair::generate().expect("a key");
    let own = CertificateParams::new(vec![NAME.to_owned()]).expect("a name");
    write("crt", &own.signed_by(&key, &issuer).expect("a certificate").pem());
    write("key", &key.serialize_pem());
}

fn build(cluster: &TestCluster) {
    // On a new machine the base is made with pgha's own images.
    if try_docker(&["image", "inspect", BASE]).code != Some(0) {
        cluster.pgha(&["build"]).ok();
    }
    let context = cluster.dir().join("s3-image");
    fs::create_dir(&context).expect("the folder can be made");
    let certificates = fs::read(CERTIFICATES).unwrap_or_default();
    fs::write(context.join("host-ca.crt"), certificates).expect("it can be written");
    fs::write(context.join("Dockerfile"), DOCKERFILE).expect("it can be written");
    fs::write(context.join("s3_server.py"), include_str!("s3_server.py"))
        .expect("it can be written");
    let mut build = Command::new("docker");
    build.args(["build", "--quiet", "--tag", IMAGE]).arg(&context);
    if try_docker(&["buildx", "version"]).code != Some(0) {
        build.env("DOCKER_BUILDKIT", "0");
    }
    run(&mut build, PGHA_DEADLINE_S).ok();
}
