//! Certificates of this member: which it uses, and new ones while it runs.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgha_core::certs::hello::{self, ANSWER_MAX, Answer, Read};
use pgha_core::certs::{Given, InUse, Shown};
use pgha_core::render::CA_CERTIFICATE;
use pgha_core::spec::BackupTransport;
use pgha_core::topology::{PGBACKREST_PORT, Role};

use crate::backup::{self, CA_FILE, End};
use crate::identity::Identity;
use crate::layout::{Program, reload};
use crate::{Result, files, say};

/// How long the server may take for its answer.
const DEADLINE: Duration = Duration::from_secs(3);

/// Prints what pgBackRest trusts here, and what its server shows.
pub(crate) fn show() -> Result<()> {
    let path = format!("{}/{CA_FILE}", backup::certificates());
    let trusted = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {path}: {e}"))?;
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, PGBACKREST_PORT));
    let shown = ask(server).map(|answer| Shown {
        certificate: STANDARD.encode(answer.certificate),
        authorities: answer.authorities.iter().map(|name| STANDARD.encode(name)).collect(),
    });
    say(&serde_json::to_string(&InUse { trusted, shown }).map_err(|e| e.to_string())?);
    Ok(())
}

/// What a server shows to whoever connects.
fn ask(server: SocketAddr) -> Result<Answer> {
    let cannot = |e: std::io::Error| format!("the server of pgBackRest does not answer: {e}");
    let began = Instant::now();
    let mut stream = TcpStream::connect_timeout(&server, DEADLINE).map_err(cannot)?;
    stream.set_read_timeout(Some(DEADLINE)).map_err(cannot)?;
    stream.set_write_timeout(Some(DEADLINE)).map_err(cannot)?;
    stream.write_all(&hello::client_hello()).map_err(cannot)?;
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match hello::read(&said) {
            Read::Whole(answer) => return Ok(answer),
            Read::Wrong(why) => return Err(why),
            Read::Part => {}
        }
        let count = stream.read(&mut piece).map_err(cannot)?;
        if count == 0 {
            return Err("the server of pgBackRest closes the connection".to_owned());
        }
        if began.elapsed() > DEADLINE || said.len() > ANSWER_MAX {
            return Err("the server of pgBackRest does not end its answer".to_owned());
        }
        said.extend_from_slice(&piece[..count]);
    }
}

/// Takes new certificates from a file, which is removed, and has the server read them.
pub(crate) fn take(me: &Identity, path: &Path) -> Result<()> {
    let cannot = |e: &dyn std::fmt::Display| format!("cannot read {}: {e}", path.display());
    let text = std::fs::read_to_string(path).map_err(|e| cannot(&e))?;
    files::remove_if_there(path)?;
    let given: Given = serde_json::from_str(&text).map_err(|e| cannot(&e))?;
    let end = match me.role() {
        Role::Postgres => End::Node,
        Role::Backup => End::Host,
        Role::Etcd | Role::Proxy | Role::Wan => {
            return Err("this member has no certificate".to_owned());
        }
    };
    if me.topology.spec.backup_transport != BackupTransport::Tls {
        return Err("this cluster has no certificates: its backups go over SSH".to_owned());
    }
    files::renew_secret(CA_CERTIFICATE, given.ca.trim_end())?;
    for (secret, text) in end.secrets().into_iter().zip(given.own.iter().flatten()) {
        files::renew_secret(secret, text.trim_end())?;
    }
    backup::install_certificates(end)?;
    reload(Program::PgBackRest).map(drop)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// Ends with the test.
    struct Server(Child);

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn openssl(arguments: &[&str]) -> Command {
        let mut command = Command::new("openssl");
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    #[test]
    fn a_server_shows_its_certificate_and_whose_it_takes() {
        let dir = std::env::temp_dir().join(format!("pgha-certs-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder");
        let path = |name: &str| dir.join(name).display().to_string();
        let (crt, key, der) = (path("own.crt"), path("own.key"), path("own.der"));
        let request =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let rest = ["-days", "1", "-subj", "/CN=shown", "-keyout", &key, "-out", &crt];
        let made = openssl(&[&request[..], &rest].concat()).status().expect("openssl runs");
        assert!(made.success());
        let converted = openssl(&["x509", "-in", &crt, "-outform", "DER", "-out", &der]).status();
        assert!(converted.expect("openssl runs").success());

        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = free.local_addr().expect("an address");
        drop(free);
        let port = at.port().to_string();
        let serve = ["s_server", "-accept", &port, "-cert", &crt, "-key", &key, "-Verify", "1"];
        // As pgBackRest has it: of the curves this one alone.
        let more = ["-CAfile", &crt, "-groups", "prime256v1", "-naccept", "100"];
        let server = openssl(&[&serve[..], &more].concat()).stdin(Stdio::piped()).spawn();
        let server = Server(server.expect("openssl runs"));
        let began = Instant::now();
        let answer = loop {
            match ask(at) {
                Ok(answer) => break answer,
                Err(why) => assert!(began.elapsed() < Duration::from_secs(30), "{why}"),
            }
            std::thread::yield_now();
        };
        drop(server);
        assert_eq!(answer.certificate, std::fs::read(&der).expect("it is there"));
        let [name] = answer.authorities.as_slice() else { panic!("{:?}", answer.authorities) };
        assert!(name.ends_with(b"shown"), "{name:?}");
        std::fs::remove_dir_all(&dir).expect("the folder is gone");
        assert!(ask(at).is_err(), "nobody answers any more");
    }
}
