//! Steps that inject nothing: alerts, verbs of pgha, statements, and what a lesson says and asks.

use std::cell::Cell;
use std::process::Stdio;
use std::time::Duration;

use pgha_core::drill::{ANSWER_TIMEOUT, Alerted, Question, arguments};
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::SimpleQueryMessage;

use super::{Going, POLL, Pace};
use crate::error::{Error, OrFail as _, Result};
use crate::{agree, screen, terminal};

/// How long a verb of pgha may take: a restore copies and replays.
const VERB_DEADLINE: Duration = Duration::from_secs(1800);
/// How long a statement may take to answer as expected.
const CHECK_DEADLINE: Duration = Duration::from_secs(60);

impl Going<'_> {
    /// Fails where an alert fires already: it would say nothing about the drill.
    pub(super) async fn quiet(&self) -> Result<()> {
        let Some(alerts) = self.alerts else { return Ok(()) };
        let firing = alerts.firing().await.unwrap_or_default();
        let mut expected = self.course.drill.alerts();
        let Some(name) = expected.find(|name| firing.iter().any(|it| it == name)) else {
            return Ok(());
        };
        let id = self.course.id;
        Err(Error::missing(format!("alert {name} fires already, and nothing was done yet"))
            .hint(format!("`pgha status {id}` and `pgha metrics {id}` show why")))
    }

    /// Waits until an alert fires.
    pub(super) async fn alert(&mut self, name: &str, within: Duration) {
        let Some(alerts) = self.alerts else { return };
        let began = Instant::now();
        let fires = async { timeout(within, alerts.until_firing(name)).await.is_ok() };
        let fires = Box::pin(self.shown(fires, &format!("alert {name}"))).await;
        let after_s = fires.then(|| began.elapsed().as_secs_f64());
        self.course.events.note(match after_s {
            Some(after) => format!("alert {name} fires, after {after:.1} s"),
            None => format!("alert {name} does not fire within {within:?}"),
        });
        let (alert, within_s) = (name.to_owned(), within.as_secs_f64());
        self.alerted.push(Alerted { alert, within_s, after_s });
    }

    /// Runs a verb of pgha.
    pub(super) async fn pgha(&mut self, given: &[String]) -> Result<()> {
        let words = arguments(given, &self.course.id.to_string());
        let shown = format!("pgha {}", words.join(" "));
        let pgha = std::env::current_exe().or_fail("cannot find pgha itself")?;
        self.began.push(self.writing.tally().elapsed());
        self.titles.push(format!("pgha {}", words[0]));
        let mut command = Command::new(pgha);
        command.args(&words).stdin(Stdio::null()).kill_on_drop(true);
        let ended = timeout(VERB_DEADLINE, command.output());
        let ended = Box::pin(self.shown(ended, &shown)).await.map_err(|_| {
            Error::deadline(format!("`{shown}` takes too long"))
                .because(format!("waited {} s", VERB_DEADLINE.as_secs()))
                .hint(format!("`pgha status {}` shows what is going on", self.course.id))
        })?;
        let ended = ended.or_fail(format!("cannot run `{shown}`"))?;
        self.last = self.writing.tally().elapsed();
        if !ended.status.success() {
            return Err(Error::failed(format!("`{shown}` failed"))
                .because(String::from_utf8_lossy(&ended.stderr).trim()));
        }
        self.course.events.note(format!("`{shown}` is done"));
        if self.course.pace == Pace::Lesson {
            self.work.pause();
            terminal::tell(&String::from_utf8_lossy(&ended.stdout))?;
        }
        Ok(())
    }

    /// Waits until a statement answers as expected.
    pub(super) async fn check(&mut self, sql: &str, is: &str) {
        let last = Cell::new(None);
        let so = async {
            loop {
                let answer = self.answer(sql).await;
                let same = answer.as_deref() == Some(is);
                if same {
                    return;
                }
                last.set(answer.or_else(|| last.take()));
                sleep(POLL).await;
            }
        };
        let said = if timeout(CHECK_DEADLINE, so).await.is_ok() {
            format!("`{sql}` answers {is}")
        } else {
            let answer = last.take().map_or("nothing".to_owned(), |answer| format!("{answer:?}"));
            let unmet = format!("`{sql}` answers {answer}, and {is:?} was expected");
            self.unmet.push(unmet.clone());
            unmet
        };
        self.course.events.note(said);
    }

    /// The first value that the leader answers to a statement.
    async fn answer(&self, sql: &str) -> Option<String> {
        let session = self.target.connect().await?;
        let answer = timeout(ANSWER_TIMEOUT, session.client.simple_query(sql)).await;
        answer.ok()?.ok()?.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
    }

    pub(super) async fn say(&self, text: &str) -> Result<()> {
        if self.course.pace != Pace::Lesson {
            self.course.events.note(text.split_whitespace().collect::<Vec<_>>().join(" "));
            return Ok(());
        }
        self.work.pause();
        agree::enter(&format!("\n{}\n", screen::learn::paragraphs(text, 0))).await
    }

    pub(super) async fn ask(&mut self, question: &Question) -> Result<()> {
        if self.course.pace != Pace::Lesson {
            self.answers.push(question.answer);
            return Ok(());
        }
        self.work.pause();
        let text = format!("\n{}", screen::learn::question(question));
        self.answers.push(agree::choose(&text, question.choices.len()).await?);
        Ok(())
    }
}
