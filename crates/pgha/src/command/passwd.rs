//! `pgha passwd`: a new password for a role of Postgres or for Patroni's REST API, without an outage.
//!
//! Postgres knows one password for a role, so there is a moment in which some have the old one and some the new. Whoever is
//! logged in stays so, and that moment is as short as telling every node takes. The new password is kept beside the old one
//! from before until after, so that the same command goes on wherever this one was killed.

mod told;

use std::io::Read as _;
use std::time::Instant;

use pgha_core::passwd::{self, Account, Plan, Refused};
use pgha_core::topology::ClusterId;
use pgha_wan::units::whole_ms;
use serde::Serialize;

use crate::agree::agree;
use crate::cli;
use crate::cluster::{self, Among, Cluster, Meant};
use crate::docker::Engine;
use crate::error::{Error, OrFail as _, Result};
use crate::events::{Events, Work};
use crate::secrets::{self, next::Next};
use crate::{observe, project, terminal};

/// Most of a password that is read from stdin, in bytes: what is longer is refused anyway.
const STDIN_MAX: u64 = 4096;

/// What `--json` prints. Never the password.
#[derive(Debug, Serialize)]
struct Done {
    cluster: String,
    /// `null` for Patroni's REST API.
    user: Option<String>,
    /// The file with the password.
    file: String,
    #[serde(flatten)]
    plan: Plan,
    /// An interrupted command was gone on with.
    resumed: bool,
    dry_run: bool,
    took_ms: Option<u64>,
}

/// Carries out `pgha passwd`.
pub(crate) async fn run(args: &cli::Passwd, events: &Events) -> Result<()> {
    let engine = Engine::connect().await?;
    let (Meant { cluster, guessed }, user) = whose(cluster::find(&engine).await?, args)?;
    let (id, events) = (&cluster.id, &events.of(&cluster.id));
    let account = account(&cluster, user, args.rest_api)?;
    let compose_file = project::secrets_beside(&cluster)?;
    let view = observe::view(&engine, &cluster).await?;
    let plan = Plan::of(&view, &account).map_err(|why| refusal(&why, id))?;
    let next = Next::of(&compose_file, &account.secret())?;
    let pending = next.pending()?;
    let mut done = Done {
        cluster: id.to_string(),
        user: account.role().map(str::to_owned),
        file: next.file().display().to_string(),
        resumed: pending.is_some(),
        dry_run: args.dry_run,
        took_ms: None,
        plan,
    };
    if args.dry_run {
        for (n, step) in (1..).zip(done.plan.steps(&account)) {
            events.note(format!("{n}. {step}"));
        }
        return if args.json { terminal::print_json(&done) } else { Ok(()) };
    }
    if guessed {
        let question =
            format!("New password of {account} in cluster {id}, the only one on this engine?");
        agree(false, &question, &format!("name it: `pgha passwd {id} …`"))?;
    }
    let new = match (&pending, args.stdin) {
        (_, true) => given()?,
        (Some(pending), false) => {
            events.note("going on with the password that an interrupted command was at");
            pending.clone()
        }
        (None, false) => secrets::new_password(),
    };
    let began = Instant::now();
    let rotation = Rotation { engine: &engine, account: &account, plan: &done.plan, next: &next };
    let work = events.begin(format!("passwd {id}"));
    let ended = tokio::select! {
        ended = rotation.carry_out(&new, pending.is_some(), &work) => ended,
        () = crate::interrupt::interrupted() => Err(Error::failed("interrupted")),
    };
    ended.map_err(|error| match next.pending() {
        // Nobody was told.
        Ok(None) => error,
        _ => error.also_hint(&format!("`{}` goes on", again(id, &account))),
    })?;
    for node in &done.plan.at_their_start {
        events.note(format!("{node} does not run, and finds the new password when it starts"));
    }
    work.done(&format!("{account} has a new password, in {}", done.file));
    done.took_ms = Some(whole_ms(began.elapsed()));
    if args.json { terminal::print_json(&done) } else { Ok(()) }
}

/// The cluster, and the user that is named.
fn whose(clusters: Vec<Cluster>, args: &cli::Passwd) -> Result<(Meant, Option<&str>)> {
    let named =
        |word: &String| clusters.iter().any(|c| c.id.name == *word || c.id.to_string() == *word);
    let (cluster, user) = match args.words.as_slice() {
        [cluster, user] => (Some(cluster), Some(user)),
        [word] if named(word) || args.rest_api => (Some(word), None),
        [word] => (None, Some(word)),
        _ => (None, None),
    };
    if let Some(user) = user.filter(|_| args.rest_api) {
        return Err(Error::bad_input(format!("`{user}` is no user of Patroni's REST API"))
            .because("it has one password and no users")
            .hint("leave out the user, or --rest-api"));
    }
    let meant = cluster::meant(clusters, cluster.map(String::as_str), Among::Created)?;
    Ok((meant, user.map(String::as_str)))
}

fn account(cluster: &Cluster, user: Option<&str>, rest_api: bool) -> Result<Account> {
    if rest_api {
        return Ok(Account::RestApi);
    }
    let (spec, user) = (&cluster.topology()?.spec, user.unwrap_or("postgres"));
    Account::role_named(spec, user).ok_or_else(|| {
        Error::bad_input(format!("cluster {} has no user `{user}` of pgha's", cluster.id))
            .because(format!("there are {}", Account::roles(spec).join(", ")))
            .hint(format!(
                "users made with SQL have their passwords by `\\password {user}` in `pgha psql {}`",
                cluster.id
            ))
    })
}

fn refusal(why: &Refused, id: &ClusterId) -> Error {
    let hint = match why {
        Refused::Frozen(nodes) => format!("`docker unpause {}`", nodes.join(" ")),
        Refused::NoLeader | Refused::NoQuorum => format!("`pgha status {id}` says why"),
        Refused::Restoring => format!("`pgha status {id}` says how to end it"),
    };
    Error::missing(why.to_string()).hint(hint)
}

fn given() -> Result<String> {
    let mut text = String::new();
    let stdin = std::io::stdin().lock();
    stdin.take(STDIN_MAX).read_to_string(&mut text).or_fail("cannot read the password")?;
    passwd::password(&text)
        .map(str::to_owned)
        .map_err(|why| Error::bad_input(why.to_string()).hint("one line; nothing was changed"))
}

fn again(id: &ClusterId, account: &Account) -> String {
    match account.role() {
        Some(role) => format!("pgha passwd {id} {role}"),
        None => format!("pgha passwd {id} --rest-api"),
    }
}

/// One password that takes the place of another.
#[derive(Debug)]
struct Rotation<'a> {
    engine: &'a Engine,
    account: &'a Account,
    plan: &'a Plan,
    next: &'a Next,
}

impl Rotation<'_> {
    /// Does all steps, whether or not an earlier command has done some: each may be done again.
    async fn carry_out(&self, new: &str, resumed: bool, work: &Work) -> Result<()> {
        let Self { engine, account, plan, next } = self;
        next.keep(new)?;
        if let (Some(leader), Some(role)) = (&plan.alter_on, account.role()) {
            let began = Instant::now();
            work.at("altering the role", leader);
            if let Some(refused) = told::alter(*engine, leader, role, new).await? {
                // An earlier command may have got further.
                if !resumed {
                    next.forget()?;
                }
                return Err(Error::failed(format!("{leader} does not alter the role {role}"))
                    .because(refused));
            }
            let altered = format!("altered on {leader}");
            work.step_done("role", whole_ms(began.elapsed()), &altered);
        }
        next.put_in_place(new)?;
        if !plan.told.is_empty() {
            let began = Instant::now();
            work.at("telling the nodes", &plan.told.join(", "));
            told::tell(*engine, &plan.told, &account.secret(), new).await?;
            work.step_done("reload", whole_ms(began.elapsed()), &plan.told.join(", "));
        }
        let began = Instant::now();
        work.at("waiting until every node has it", "");
        told::until_all_have_it(*engine, account, plan, work).await?;
        work.step_done("check", whole_ms(began.elapsed()), "every node has it");
        next.forget()
    }
}
