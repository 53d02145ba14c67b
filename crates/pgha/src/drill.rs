//! Runs a drill once: healthy, faults under load, all healed, whole again, read, judged.
//!
//! Faults are taken back whatever happens on the way, also after Ctrl-C; what a run that was killed has left,
//! `pgha heal` takes back.

pub(crate) mod fresh;
mod steps;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pgha_core::chronicle::{Entry, MemberLog, What};
use pgha_core::drill::{
    ANSWER_TIMEOUT, Alerted, Beside, Clock, Drill, Expectation, LeaderIs, Phases, Rules, RunReport,
    Step, Until, longest,
};
use pgha_core::dynamic::Dynamic;
use pgha_core::event::Event;
use pgha_core::fault::Injected;
use pgha_core::finding::Severity;
use pgha_core::history::{History, Outage, Workload};
use pgha_core::page::Record;
use pgha_core::spec::Durability;
use pgha_core::status::ClusterView;
use pgha_core::switchover::{Switchover, To};
use pgha_core::topology::ClusterId;
use pgha_wan::units::whole_ms;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::{Instant, sleep};

use crate::alerts::Alerts;
use crate::cluster::{Cluster, Recorded};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::events::{Events, Work};
use crate::fault::{self, Asked};
use crate::interrupt::{Interrupts, interrupted};
use crate::load::target::Target;
use crate::load::writing::{Clients, Writing, Written};
use crate::provider::Provider as _;
use crate::{agree, chronicle, connection, member_logs, observe, patroni, waiting};

/// How often is looked whether what a step waits for is so.
const POLL: Duration = Duration::from_millis(200);
/// How long a cluster that has just become ready may take to be healthy.
const SETTLE_DEADLINE: Duration = Duration::from_secs(60);
/// How long the first write may take, and the first one once the cluster is whole again.
const FLOW_DEADLINE: Duration = Duration::from_secs(30);
/// Clients go on for so long once the cluster is whole.
const AFTER: Duration = Duration::from_secs(2);

/// A drill for a cluster.
#[derive(Debug)]
pub(crate) struct Course<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) id: &'a ClusterId,
    pub(crate) drill: &'a Drill,
    pub(crate) events: &'a Events,
    pub(crate) pace: Pace,
}

/// Who is waited for between steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Nobody: what is to be read is reported, and questions are taken as answered.
    Alone,
    /// Each step waits for Enter.
    Steps,
    /// A person reads, and answers questions.
    Lesson,
}

/// One run, and what is needed to judge it anew.
#[derive(Debug)]
pub(crate) struct Run {
    /// What came of it.
    pub(crate) report: RunReport,
    /// Everything that clients did.
    pub(crate) history: History,
    /// What of it is shown, and what happened meanwhile.
    pub(crate) record: Record,
    /// What members logged meanwhile.
    pub(crate) logs: Vec<MemberLog>,
    /// What a person answered to each question.
    pub(crate) answers: Vec<usize>,
}

/// A healthy cluster before a run.
#[derive(Debug)]
pub(crate) struct Healthy {
    pub(crate) cluster: Cluster,
    pub(crate) view: ClusterView,
    /// The settings in force.
    pub(crate) settings: Dynamic,
}

impl Healthy {
    /// The durability in force.
    pub(crate) fn durability(&self) -> Durability {
        self.settings.durability()
    }
}

impl Course<'_> {
    /// The cluster, where it is healthy: a run on another one would measure something else.
    ///
    /// # Errors
    /// When it is not, with what is wrong.
    pub(crate) async fn healthy(&self) -> Result<Healthy> {
        let id = self.id;
        let mut clusters = self.engine.clusters().await?.into_iter();
        let cluster = clusters.find(|cluster| cluster.id == *id);
        let cluster =
            cluster.ok_or_else(|| Error::missing(format!("there is no cluster {id} any more")))?;
        let view = observe::whole_view(self.engine, &cluster).await?;
        let wrong = view.problems.iter().filter(|problem| problem.severity != Severity::Info);
        let wrong: Vec<&str> = wrong.map(|problem| problem.message.as_str()).collect();
        let settings = view.settings;
        match settings {
            Some(settings) if wrong.is_empty() && view.acknowledging.reached() => {
                Ok(Healthy { cluster, view, settings })
            }
            _ => Err(Error::missing(format!(
                "a drill begins on a healthy cluster, and cluster {id} is not"
            ))
            .because(wrong.join("\n"))
            .hint(format!("see `pgha status {id}`"))),
        }
    }

    /// The same for a cluster that has just become ready: it has a while for that.
    ///
    /// # Errors
    /// When it is not healthy by then.
    pub(crate) async fn settled(&self) -> Result<Healthy> {
        let began = Instant::now();
        loop {
            match self.healthy().await {
                Err(_) if began.elapsed() < SETTLE_DEADLINE => sleep(POLL).await,
                done => return done,
            }
        }
    }

    /// Has a node lead in one of these sites, or outside of them.
    ///
    /// # Errors
    /// When no node there may lead, or the switchover fails.
    pub(crate) async fn place_leader(&self, lost: &[String], leader: LeaderIs) -> Result<()> {
        let Healthy { cluster, view, .. } = self.healthy().await?;
        let topology = cluster.topology()?;
        let fits = |name: &str| {
            let site = topology.member(name).map(|member| &topology.site(member.site).name);
            site.is_some_and(|site| lost.contains(site) == (leader == LeaderIs::Inside))
        };
        let now = view.leader.as_deref().unwrap_or_default();
        if fits(now) {
            return Ok(());
        }
        let plan = Switchover::plan(&view, &To::Best);
        let plan = plan.map_err(|why| Error::missing(why.to_string()))?;
        let mut candidates = [&plan.to].into_iter().chain(&plan.others).map(String::as_str);
        let next = candidates.find(|name| fits(name));
        let next = next.ok_or_else(|| Error::missing("no node there may lead now"))?;
        self.events.note(format!("switchover from {now} to {next}"));
        patroni::hand_over(self.engine, now, next).await?;
        let view = waiting::until_whole(self.engine, self.id, self.events).await?;
        if view.leader.as_deref() == Some(next) {
            return Ok(());
        }
        Err(Error::failed(format!("{next} does not lead after the switchover")))
    }

    /// Runs it once; what is drawn at random follows from the seed.
    ///
    /// # Errors
    /// When the cluster is not healthy, a fault cannot be injected or taken back, or somebody ends it. Then, too,
    /// every fault of the run is taken back as far as that goes.
    pub(crate) async fn run(&self, expected: Expectation, seed: u64, title: &str) -> Result<Run> {
        if self.drill.alerts().next().is_none() {
            return Box::pin(self.watched(expected, seed, title, None)).await;
        }
        let alerts = tokio::select! {
            alerts = Alerts::begin(self.engine, self.id) => alerts?,
            () = interrupted() => return Err(Error::failed("interrupted")),
        };
        let ran = Box::pin(self.watched(expected, seed, title, Some(&alerts))).await;
        alerts.end().await;
        ran
    }

    /// Who writes meanwhile.
    fn clients(&self) -> Clients {
        let load = self.drill.load;
        Clients {
            workload: load.workload,
            count: load.clients,
            readers: load.readers,
            rate: (load.rate > 0).then_some(load.rate),
            timeout: ANSWER_TIMEOUT,
        }
    }

    async fn watched(
        &self,
        expected: Expectation,
        seed: u64,
        title: &str,
        alerts: Option<&Alerts>,
    ) -> Result<Run> {
        let mut interrupts = Interrupts::listen();
        let before = self.healthy().await?;
        let work = self.events.begin(title);
        work.at("begin", "");
        let connection = connection::Connection::of(self.engine, &before.cluster).await?;
        let target = Target::of(&connection)?;
        let id = self.id.to_string();
        let writing = Writing::begin(target.clone(), &id, self.clients()).await?;
        let began = ago(writing.tally().elapsed());
        let mut going = Going {
            course: self,
            before: &before,
            writing: &writing,
            target: &target,
            alerts,
            work: &work,
            title,
            faults: Vec::new(),
            titles: Vec::new(),
            done: chronicle::etcd_leader(began, &before.view).into_iter().collect(),
            began: Vec::new(),
            last: Duration::ZERO,
            healed: None,
            alerted: Vec::new(),
            unmet: Vec::new(),
            answers: Vec::new(),
        };
        let mut rng = StdRng::seed_from_u64(seed);
        let went = tokio::select! {
            went = async {
                going.flowing().await?;
                going.quiet().await?;
                Box::pin(going.steps(&mut rng)).await?;
                going.agreed(self.drill.steps.len() + 1).await
            } => went,
            () = interrupts.next() => Err(Error::failed("interrupted")),
        };
        let healed = going.heal().await;
        let Going { titles, mut done, began: injected, healed: healed_at, .. } = going;
        let Going { alerted, unmet, answers, .. } = going;
        let first = injected.first().copied();
        let now = writing.tally().elapsed();
        let (healing, healed_at) = healed_at.unwrap_or((now, now));
        if let Err(error) = went.and(healed) {
            leave_nothing(writing).await;
            return Err(error);
        }
        work.at("waiting until it is whole", "");
        let whole = tokio::select! {
            whole = self.whole(healed_at, &writing) => Some(whole),
            () = interrupts.next() => None,
        };
        let Some(whole) = whole else {
            leave_nothing(writing).await;
            return Err(Error::failed("interrupted"));
        };
        if let Ok(healthy) = self.healthy().await {
            done.extend(chronicle::etcd_leader(Timestamp::now(), &healthy.view));
        }
        let now = writing.tally().elapsed();
        // Where no write goes any more the verdict says so.
        if self.drill.load.workload != Workload::None {
            let _ = tokio::time::timeout(FLOW_DEADLINE, sent_after(&writing, now)).await;
            sleep(AFTER).await;
        }
        let written = writing.end().await;
        work.at("reading what is there", "");
        let injected_at = first.unwrap_or_default();
        let beside = Beside {
            injected_s: injected_at.as_secs_f64(),
            healing_s: healing.as_secs_f64(),
            healed_s: healed_at.as_secs_f64(),
            differing_nodes: 0,
            alerts: alerted,
            unmet,
        };
        let (mut report, history) =
            self.told(expected, &before, written, beside, whole, titles).await;
        let logs = member_logs::of_cluster(self.engine, &before.cluster, Some(began)).await;
        done.extend(pgha_core::chronicle::of_logs(&logs));
        let operations = history.writes();
        let record = Record {
            nodes: history.nodes.clone(),
            took: history.took,
            clock: Clock {
                began_ms: began.as_millisecond(),
                fault: to_blame(&injected, longest(&operations, history.took, injected_at)),
                whole: whole.map(|whole| healed_at + whole),
            },
            operations,
            events: chronicle::ordered(done, Some(began)),
        };
        let Record { operations, nodes, events, clock, .. } = &record;
        report.phases = first.and_then(|_| Phases::of(*clock, events, operations, nodes));
        work.done(&format!("{title}: {}", report.verdict.prediction.as_str()));
        Ok(Run { report, history, record, logs, answers })
    }

    /// How long after it was healed every node streams and the durability is met; `None` where that is not in time.
    async fn whole(&self, healed: Duration, writing: &Writing) -> Option<Duration> {
        let whole = waiting::until_whole(self.engine, self.id, self.events).await;
        whole.is_ok().then(|| writing.tally().elapsed().saturating_sub(healed))
    }

    /// Reads what is there, and judges.
    async fn told(
        &self,
        expected: Expectation,
        before: &Healthy,
        written: Written,
        beside: Beside,
        whole: Option<Duration>,
        faults: Vec<String>,
    ) -> (RunReport, History) {
        let found = written.read().await.ok();
        let differing = match &found {
            Some(found) => written.differing(found).await,
            None => Vec::new(),
        };
        if let Some(found) = &found {
            written.drop_table(found).await;
        }
        let history = written.history(found);
        let beside = Beside { differing_nodes: differing.len() as u64, ..beside };
        let whole = whole.map(|whole| whole.as_secs_f64());
        let judged =
            RunReport::judged(&history, &Rules::of(expected, before.settings), beside, whole);
        let after = self.healthy().await.ok().and_then(|after| after.view.leader);
        let leaders = [before.view.leader.clone(), after];
        (RunReport { faults, leaders, ..judged }, history)
    }
}

/// Ends clients whose run is not judged.
async fn leave_nothing(writing: Writing) {
    let written = writing.end().await;
    if let Ok(found) = written.read().await {
        written.drop_table(&found).await;
    }
}

/// Of several faults the one that began the longest time without writes: the last one before, or while writes still ended.
fn to_blame(injected: &[Duration], longest: Option<Outage>) -> Duration {
    let by = longest.map_or(Duration::ZERO, |outage| outage.from + ANSWER_TIMEOUT);
    let before = injected.iter().rev().find(|at| **at <= by);
    before.or_else(|| injected.first()).copied().unwrap_or_default()
}

/// A run at its steps.
struct Going<'a> {
    course: &'a Course<'a>,
    before: &'a Healthy,
    writing: &'a Writing,
    target: &'a Target,
    /// Where alerts are expected.
    alerts: Option<&'a Alerts>,
    work: &'a Work,
    /// Which run it is, in words.
    title: &'a str,
    /// What was injected and lasts.
    faults: Vec<Injected>,
    /// What was injected, in words.
    titles: Vec<String>,
    /// The same with its time, and when it was taken back.
    done: Vec<Entry>,
    /// When each fault was about to be injected.
    began: Vec<Duration>,
    /// When the last one had taken hold.
    last: Duration,
    /// When all of them were about to be taken back, and when they were; none while one is in force, and where none lasts.
    healed: Option<(Duration, Duration)>,
    /// What became of alerts that were expected.
    alerted: Vec<Alerted>,
    /// What statements answered instead of what was expected.
    unmet: Vec<String>,
    /// What was answered to each question.
    answers: Vec<usize>,
}

/// The moment so long before now.
fn ago(time: Duration) -> Timestamp {
    let time = SignedDuration::try_from(time).unwrap_or_default();
    Timestamp::now().checked_sub(time).unwrap_or(Timestamp::MIN)
}

/// Ends once a write is acknowledged that was sent after this time.
async fn sent_after(writing: &Writing, time: Duration) {
    while writing.tally().last_sent() <= time {
        sleep(POLL).await;
    }
}

impl Going<'_> {
    /// Waits until writes go: a fault before that would find nobody.
    async fn flowing(&self) -> Result<()> {
        if self.course.drill.load.workload == Workload::None {
            return Ok(());
        }
        let flows = sent_after(self.writing, self.writing.tally().elapsed());
        tokio::time::timeout(FLOW_DEADLINE, flows).await.map_err(|_| {
            Error::deadline("no write is acknowledged, and nothing was done yet")
                .because(format!("looked for {} s", FLOW_DEADLINE.as_secs()))
                .hint(format!("see `pgha status {}`", self.course.id))
        })
    }

    async fn steps(&mut self, rng: &mut StdRng) -> Result<()> {
        for (step, number) in self.course.drill.steps.iter().zip(1..) {
            self.agreed(number).await?;
            self.work.at(&step.to_string(), "");
            match step {
                Step::Sleep { least, most } => {
                    let ms = rng.random_range(whole_ms(*least)..=whole_ms(*most));
                    self.shown(sleep(Duration::from_millis(ms)), &step.to_string()).await;
                    self.look_at_etcd().await;
                }
                Step::Inject { deed, targets } => {
                    let asked = Asked { deed: *deed, targets: targets.clone(), for_: None };
                    self.inject(&asked, rng).await?;
                }
                Step::Wait { until, timeout } => {
                    let so = self.until(*until);
                    let so = async { tokio::time::timeout(*timeout, so).await.is_ok() };
                    if !Box::pin(self.shown(so, &step.to_string())).await {
                        self.course.events.note(format!("{step}: not in time"));
                    }
                    self.look_at_etcd().await;
                }
                Step::Heal => self.heal().await?,
                Step::Alert { name, within } => self.alert(name, *within).await,
                Step::Pgha(given) => self.pgha(given).await?,
                Step::Check { sql, is } => self.check(sql, is).await,
                Step::Say(text) => self.say(text).await?,
                Step::Ask(question) => self.ask(question).await?,
            }
        }
        Ok(())
    }

    /// Notes who leads etcd: no log has it.
    async fn look_at_etcd(&mut self) {
        let Course { engine, id, .. } = self.course;
        let clusters = engine.clusters().await.unwrap_or_default();
        let Some(cluster) = clusters.iter().find(|cluster| cluster.id == **id) else { return };
        if let Ok(view) = observe::view(*engine, cluster).await {
            self.done.extend(chronicle::etcd_leader(Timestamp::now(), &view));
        }
    }

    /// Waits for Enter before the step of that number, where each is done by hand.
    async fn agreed(&self, number: usize) -> Result<()> {
        if self.course.pace != Pace::Steps {
            return Ok(());
        }
        let steps = self.course.drill.in_words();
        self.work.pause();
        let (title, of) = (self.title, steps.len());
        agree::enter(&format!("{title}, step {number} of {of}: {}", steps[number - 1])).await
    }

    async fn inject(&mut self, asked: &Asked, rng: &mut StdRng) -> Result<()> {
        let Course { engine, id, events, .. } = self.course;
        // Who is what is asked anew: an earlier fault may have changed it.
        let clusters = engine.clusters().await?;
        let cluster = clusters.iter().find(|cluster| cluster.id == **id);
        let cluster = cluster.unwrap_or(&self.before.cluster);
        let began = self.writing.tally().elapsed();
        let mut pick = |of: usize| rng.random_range(0..of);
        let fault = fault::inject(*engine, cluster, asked, &mut pick, events).await?;
        self.began.push(began);
        let since = self.writing.tally().elapsed().saturating_sub(began);
        let at = ago(since);
        self.done.push(chronicle::fault(at, &fault));
        // What was sent before it took hold says nothing about what goes afterwards.
        self.last = self.writing.tally().elapsed();
        events.note(fault.title());
        self.titles.push(fault.title());
        if fault.kind.lasts() {
            self.healed = None;
            self.faults.push(fault);
        }
        Ok(())
    }

    /// Takes back whatever of this run is still in force.
    async fn heal(&mut self) -> Result<()> {
        let Course { engine, id, events, .. } = self.course;
        let clusters = engine.clusters().await?;
        let cluster = clusters.into_iter().find(|cluster| cluster.id == **id);
        let recorded: Vec<Recorded> = cluster.map(|cluster| cluster.faults).unwrap_or_default();
        let mut failed = None;
        let (began, any) = (self.writing.tally().elapsed(), !self.faults.is_empty());
        if any {
            let at = member_logs::stamp(Timestamp::now());
            self.done.push(Entry { at, member: None, what: What::Healed });
        }
        while let Some(fault) = self.faults.pop() {
            let Some(recorded) = recorded.iter().find(|r| r.fault.id == fault.id) else { continue };
            match fault::heal(*engine, id, recorded).await {
                Ok(()) => events.emit(Event::Fault {
                    fault: "heal".to_owned(),
                    targets: fault.targets,
                    undone_in_ms: None,
                }),
                Err(error) => failed = Some(failed.unwrap_or(error)),
            }
        }
        if any {
            self.healed = Some((began, self.writing.tally().elapsed()));
        }
        failed.map_or(Ok(()), |error: Error| {
            Err(error.also_hint(&format!("`pgha heal {id}` takes back what is left")))
        })
    }

    /// Ends once it is so.
    async fn until(&self, what: Until) {
        loop {
            let so = match what {
                Until::Writes => return sent_after(self.writing, self.last).await,
                Until::AnotherLeader => self
                    .leader()
                    .await
                    .is_some_and(|now| self.before.view.leader.as_ref() != Some(&now)),
            };
            if so {
                return;
            }
            sleep(POLL).await;
        }
    }

    async fn leader(&self) -> Option<String> {
        let Course { engine, id, .. } = self.course;
        let clusters = engine.clusters().await.ok()?;
        let cluster = clusters.iter().find(|cluster| cluster.id == **id)?;
        observe::view(*engine, cluster).await.ok()?.leader
    }

    /// Shows how writes go meanwhile.
    async fn shown<T>(&self, what: impl Future<Output = T>, doing: &str) -> T {
        tokio::pin!(what);
        loop {
            tokio::select! {
                done = &mut what => return done,
                () = sleep(Duration::from_secs(1)) => {
                    self.work.at(doing, &self.writing.tally().line());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fault_that_ended_writes_is_to_blame() {
        let s = Duration::from_secs;
        let from = |from: u64| {
            Some(Outage { from: s(from), to: Some(s(from + 20)), before: None, after: None })
        };
        let injected = [s(4), s(20), s(60)];
        for (outage, fault) in [(from(61), 60), (from(59), 60), (from(21), 20), (from(4), 4)] {
            assert_eq!(to_blame(&injected, outage), s(fault), "{outage:?}");
        }
        assert_eq!(to_blame(&injected, None), s(4));
    }
}
