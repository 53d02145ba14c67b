//! A rotation on a simulated cluster: killed at every effect and repeated, each member serves its new certificate in the end.
//!
//! Claim, at every moment: whatever a member's server shows is signed by a CA that every other member that runs trusts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use pgha_core::agent::{BUSY, HELD, Request, Restore};
use pgha_core::certs::{Given, InUse, Purpose, Served, Shown};
use pgha_core::steps::StepJournal as _;
use tokio::sync::Notify;

use super::*;
use crate::cluster::tests::made_from;
use crate::events::tests::Kept;
use crate::generated::tests::Place;
use crate::provider::{Command, Printed, not_asked_for};
use crate::secrets::certificates::{Known, read_all};
use crate::secrets::dir_of;

/// What a member has: the text that counts, and what its server has read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Own {
    ca: String,
    certificate: String,
    key: String,
}

#[derive(Debug, Clone)]
struct Member {
    state: ContainerState,
    files: Own,
    /// What the server has read, which is a moment behind.
    server: Own,
    pending: bool,
}

#[derive(Debug, Default)]
struct World {
    members: BTreeMap<String, Member>,
    put: BTreeMap<String, String>,
    locked: bool,
    effects: usize,
    kill_at: Option<usize>,
}

#[derive(Debug)]
struct Inner {
    place: Place,
    world: Mutex<World>,
    killed: Notify,
}

/// A cluster of a map and a folder with real certificates.
#[derive(Debug, Clone)]
struct Fake(Arc<Inner>);

impl Fake {
    fn new() -> Self {
        let place = Place::of_size("demo", 1, Some("x"), 2);
        let mut world = World::default();
        for certificate in certificates(&place.topology, false) {
            let files = mounted(&place, &certificate);
            let member = Member {
                state: ContainerState::Running,
                server: files.clone(),
                files,
                pending: false,
            };
            world.members.insert(certificate.common_name, member);
        }
        Self(Arc::new(Inner { place, world: Mutex::new(world), killed: Notify::new() }))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().expect("nobody panics with it")
    }

    fn rotation(&self) -> Rotation<Fake> {
        let place = &self.0.place;
        Rotation {
            provider: self.clone(),
            events: Kept::stream().0,
            topology: place.topology.clone(),
            shared: false,
            files: Certificates::of(&place.file),
        }
    }

    async fn effect<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let dies = {
            let mut world = self.world();
            world.effects += 1;
            world.kill_at == Some(world.effects - 1)
        };
        if dies {
            self.0.killed.notify_one();
            return std::future::pending().await;
        }
        let changed = change(&mut self.world());
        self.check();
        changed
    }

    /// The container starts anew, with what is among the secrets now.
    fn start(&self, name: &str) {
        let all = certificates(&self.0.place.topology, false);
        let certificate = all.iter().find(|c| c.common_name == name).expect("a member");
        let files = mounted(&self.0.place, certificate);
        let server = files.clone();
        let state = ContainerState::Running;
        let member = Member { state, files, server, pending: false };
        self.world().members.insert(name.to_owned(), member);
        self.check();
    }

    fn stop(&self, name: &str) {
        let mut world = self.world();
        world.members.get_mut(name).expect("a member").state = ContainerState::Stopped;
    }

    /// Everybody trusts what everybody serves, and shows in what it asks of others.
    fn check(&self) {
        let world = self.world();
        let running: Vec<_> =
            world.members.iter().filter(|(_, m)| m.state == ContainerState::Running).collect();
        for (name, member) in &running {
            for own in [&member.server, &member.files] {
                let shown = one(&own.certificate);
                assert_eq!(shown.facts.names[0], **name, "it is its own");
                for (other, trusting) in &running {
                    for by in [&trusting.server.ca, &trusting.files.ca] {
                        let mut cas = read_all(by).expect("CAs").into_iter();
                        let known = cas.any(|ca| ca.facts.subject == shown.facts.issuer);
                        assert!(known, "{other} distrusts {name}");
                    }
                }
            }
        }
    }

    fn fingerprints(&self) -> BTreeMap<String, String> {
        let world = self.world();
        let print = |m: &Member| one(&m.server.certificate).facts.fingerprint;
        world.members.iter().map(|(name, m)| (name.clone(), print(m))).collect()
    }

    fn names(&self) -> Vec<String> {
        let all = std::fs::read_dir(dir_of(&self.0.place.file)).expect("a folder");
        let mut names: Vec<String> =
            all.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn mounted(place: &Place, certificate: &Certificate) -> Own {
    let dir = dir_of(&place.file);
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).expect(name);
    let [crt, key] = &certificate.files;
    Own { ca: read("backup-ca.crt"), certificate: read(crt), key: read(key) }
}

fn one(pem: &str) -> Known {
    read_all(pem).expect("PEM").pop().expect("a certificate")
}

/// Lets go of the lock, however whoever holds it ends.
struct Held(Fake);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.world().locked = false;
    }
}

impl Provider for Fake {
    not_asked_for!(up, stop, start, restart, kill, pause, unpause, make_volume, remove, get_file);

    async fn clusters(&self) -> Result<Vec<Cluster>> {
        let mut cluster = made_from(&self.0.place);
        let world = self.world();
        for container in &mut cluster.containers {
            if let Some(member) = world.members.get(&container.name) {
                container.state = member.state;
            }
        }
        Ok(vec![cluster])
    }

    async fn run(
        &self,
        container: &str,
        command: Command<'_>,
        mut each: impl FnMut(Printed<'_>) + Send,
    ) -> Result<Option<i64>> {
        let mut say = |text: &str| each(Printed::Out(format!("{text}\n").as_bytes()));
        match Request::parse(command.argv).expect("a request") {
            Request::Restore(Restore::Lock) => {
                let taken = std::mem::replace(&mut self.world().locked, true);
                say(if taken { BUSY } else { HELD });
                if !taken {
                    let _held = Held(self.clone());
                    std::future::pending::<()>().await;
                }
                return Ok(None);
            }
            Request::Restore(Restore::Journal) => {}
            Request::Certificates => {
                let mut world = self.world();
                let member = world.members.get_mut(container).expect("a member");
                let server = &member.server;
                let cas = read_all(&server.ca).expect("CAs");
                let shown = Shown {
                    certificate: one(&server.certificate).der,
                    authorities: cas.into_iter().map(|ca| ca.subject).collect(),
                };
                let used = InUse { trusted: member.files.ca.clone(), shown: Ok(shown) };
                // The first who asks is answered by a server that has not read its files yet.
                if std::mem::take(&mut member.pending) {
                    member.server = member.files.clone();
                }
                say(&serde_json::to_string(&used).expect("plain data is JSON"));
            }
            Request::CertificatesFile { .. } => {
                self.effect(|world| {
                    let text = world.put.remove(container).expect("it was put there");
                    let given: Given = serde_json::from_str(&text).expect("its own");
                    let member = world.members.get_mut(container).expect("a member");
                    member.files.ca = given.ca;
                    if let Some([certificate, key]) = given.own {
                        (member.files.certificate, member.files.key) = (certificate, key);
                    }
                    member.pending = true;
                })
                .await;
            }
            other => panic!("nobody asks for {other:?}"),
        }
        Ok(Some(0))
    }

    async fn put_file(&self, container: &str, _: &str, _: &str, text: &str) -> Result<()> {
        self.effect(|world| world.put.insert(container.to_owned(), text.to_owned())).await;
        Ok(())
    }

    async fn log(&self, _: &str, _: u32) -> String {
        String::new()
    }
}

/// Runs it in a time that passes only where everybody waits.
fn run<T>(test: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().expect("a runtime").block_on(test)
}

/// One command: it goes on with what was interrupted, else begins.
async fn command(fake: &Fake, ca: bool) -> Result<()> {
    let rotation = fake.rotation();
    let lock = rotation.lock().await?;
    let mut journal = rotation.plan(ca, None).await?.journal;
    rotation.go_on(&mut journal, &lock).await
}

/// The command, killed at that effect; whether it came to its end before.
async fn killed(fake: &Fake, ca: bool, effect: usize) -> bool {
    {
        let mut world = fake.world();
        (world.effects, world.kill_at) = (0, Some(effect));
    }
    let ended = tokio::select! {
        biased;
        ended = command(fake, ca) => {
            ended.expect("nothing is wrong");
            true
        }
        () = fake.0.killed.notified() => false,
    };
    fake.world().kill_at = None;
    // What it held it holds no longer.
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    ended
}

/// Nothing is left of it, and everybody serves a certificate that nobody had before.
async fn check_end(fake: &Fake, ca: bool, before: &BTreeMap<String, String>, names: &[String]) {
    fake.check();
    assert_eq!(fake.names(), names);
    let report = fake.rotation().look(jiff::Timestamp::now()).await.expect("it is read");
    assert_eq!((report.problems, report.rotation), (vec![], None));
    let cas: Vec<_> = report.certificates.iter().filter(|c| c.purpose == Purpose::Ca).collect();
    assert_eq!(cas.len(), 1);
    // The first CA has no time in its name.
    assert_eq!(cas[0].subject.ends_with("UTC"), ca, "{}", cas[0].subject);
    for view in report.certificates.iter().filter(|c| c.purpose != Purpose::Ca) {
        assert_eq!((view.served.as_ref(), &view.issuer), (Some(&Served::Same), &cas[0].subject));
    }
    for (name, fingerprint) in fake.fingerprints() {
        assert_ne!(before[&name], fingerprint, "{name}");
    }
    // What signs the next member's certificate is what everybody trusts.
    let pem = fake.rotation().files.trusted().expect("a CA");
    assert_eq!(one(&pem).facts.fingerprint, cas[0].fingerprint);
}

fn kill_and_repeat(ca: bool) {
    run(async {
        for effect in 0.. {
            let fake = Fake::new();
            let (before, names) = (fake.fingerprints(), fake.names());
            if killed(&fake, ca, effect).await {
                check_end(&fake, ca, &before, &names).await;
                assert!(effect >= 2 * before.len(), "it has {effect} effects");
                return;
            }
            // A member that starts anew in between has what is among the secrets then.
            let names_of = before.keys().cloned().collect::<Vec<_>>();
            fake.start(&names_of[effect % names_of.len()]);
            command(&fake, ca).await.unwrap_or_else(|e| panic!("{effect}: {e}"));
            check_end(&fake, ca, &before, &names).await;
        }
    });
}

#[test]
fn killed_at_every_effect_a_repeat_renews_every_certificate() {
    kill_and_repeat(false);
}

#[test]
fn killed_at_every_effect_nobody_distrusts_what_serves_the_old_ca() {
    kill_and_repeat(true);
}

#[test]
fn a_step_that_was_done_and_not_written_down_is_done_again() {
    run(async {
        let fake = Fake::new();
        let (before, names) = (fake.fingerprints(), fake.names());
        let rotation = fake.rotation();
        let lock = rotation.lock().await.expect("nobody has it");
        let mut journal = rotation.plan(true, Some(90)).await.expect("a plan").journal;
        for step in journal.steps() {
            let work = rotation.events.begin("test");
            for _ in 0..2 {
                let done = crate::steps::Verb::run(&rotation, step.clone(), &mut journal, &work);
                done.await.unwrap_or_else(|e| panic!("{step:?}: {e}"));
                fake.check();
            }
        }
        drop(lock);
        rotation.files.keep(None, &rotation.all()).expect("it is over");
        check_end(&fake, true, &before, &names).await;
        let report = rotation.look(jiff::Timestamp::now()).await.expect("it is read");
        assert!(report.certificates.iter().all(|c| c.days_left == 90), "{report:?}");
    });
}

#[test]
fn who_does_not_run_finds_its_certificate_and_who_starts_too_early_is_waited_for() {
    run(async {
        let fake = Fake::new();
        let (before, names) = (fake.fingerprints(), fake.names());
        fake.stop("pgha-demo2-DC1-1");
        command(&fake, true).await.expect("it is not in the way");
        fake.start("pgha-demo2-DC1-1");
        check_end(&fake, true, &before, &names).await;

        // A server that goes on with an old certificate keeps the old CA among the secrets.
        let old = fake.world().members["pgha-demo2-DC1-1"].clone();
        fake.stop("pgha-demo2-DC1-1");
        let rotation = fake.rotation();
        let mut journal = rotation.plan(true, None).await.expect("a plan").journal;
        let work = rotation.events.begin("test");
        for step in journal.steps() {
            if step == pgha_core::certs::Step::Replace {
                break;
            }
            crate::steps::Verb::run(&rotation, step, &mut journal, &work).await.expect("done");
        }
        let both = rotation.files.trusted().expect("CAs");
        let mut back = old;
        (back.files.ca, back.server.ca) = (both.clone(), both.clone());
        fake.world().members.insert("pgha-demo2-DC1-1".to_owned(), back);
        let replace = pgha_core::certs::Step::Replace;
        let refused = crate::steps::Verb::run(&rotation, replace, &mut journal, &work).await;
        let refused = refused.expect_err("it serves the old one");
        assert!(refused.to_string().contains("pgha-demo2-DC1-1"), "{refused}");
        assert_eq!(rotation.files.trusted().expect("CAs"), both);
        fake.check();
    });
}

#[test]
fn without_the_key_of_the_ca_only_a_new_ca_helps_and_nothing_is_left() {
    run(async {
        let fake = Fake::new();
        let dir = dir_of(&fake.0.place.file);
        std::fs::remove_file(dir.join("backup-ca.key")).expect("a key");
        let (before, names) = (fake.fingerprints(), fake.names());
        let refused = command(&fake, false).await.expect_err("nobody signs");
        assert!(refused.to_string().contains("--ca"), "{refused}");
        assert_eq!(fake.names(), names);
        command(&fake, true).await.expect("a new CA");
        let mut names = names;
        names.push("backup-ca.key".to_owned());
        names.sort();
        check_end(&fake, true, &before, &names).await;
    });
}

#[test]
fn a_rotation_without_a_new_ca_ends_before_one_with_a_new_ca() {
    run(async {
        let fake = Fake::new();
        assert!(!killed(&fake, false, 2).await);
        let refused = fake.rotation().plan(true, None).await.expect_err("one goes on");
        assert!(refused.to_string().contains("finishes it"), "{refused}");
        assert!(fake.rotation().plan(false, None).await.expect("a plan").resumed);
        fake.world().members.get_mut("pgha-demo1-DC1-1").expect("a member").state =
            ContainerState::Paused;
        let refused = fake.rotation().plan(false, None).await.expect_err("one is frozen");
        assert!(refused.to_string().contains("docker unpause"), "{refused}");
    });
}
