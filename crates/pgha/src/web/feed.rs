//! What readers of the page are told, in one order: states, of which only the newest counts, and a flow that goes on.
//!
//! A reader takes all that is after the last message it has. So one that was away for a while, or is slow, gets the newest state
//! once and the flow it missed, as far as that is kept.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::RngExt as _;
use serde::Serialize;
use tokio::sync::watch;

/// Messages of the flow that are kept: some ten minutes of samples.
const FLOW_MAX: usize = 1200;

/// What a message is about; its name is the event's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// The cluster as it is now.
    State,
    /// The links as they are now.
    Links,
    /// What happened, by time.
    Events,
    /// The backups there are.
    Backups,
    /// The change that runs or ran last.
    Run,
    /// One point of the charts.
    Sample,
}

impl Topic {
    /// The event's name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Links => "links",
            Self::Events => "events",
            Self::Backups => "backups",
            Self::Run => "run",
            Self::Sample => "sample",
        }
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its place in the order, from 1.
    pub(crate) place: u64,
    /// What it is about.
    pub(crate) topic: Topic,
    /// JSON.
    pub(crate) data: String,
}

/// What was told so far.
#[derive(Debug)]
pub(crate) struct Feed {
    /// Tells this run of the server from others.
    run: String,
    kept: Mutex<Kept>,
    last: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    states: BTreeMap<Topic, Message>,
    flow: VecDeque<Message>,
}

impl Default for Feed {
    fn default() -> Self {
        let number: u32 = rand::rng().random();
        let run = format!("{number:08x}");
        Self { run, kept: Mutex::default(), last: watch::Sender::new(0) }
    }
}

impl Feed {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells it; a state that is as before is not told again.
    pub(crate) fn tell(&self, topic: Topic, value: &impl Serialize) {
        let data = serde_json::to_string(value).expect("plain data is always JSON");
        let mut kept = self.kept();
        let same = kept.states.get(&topic).is_some_and(|before| before.data == data);
        if same {
            return;
        }
        kept.last += 1;
        let message = Message { place: kept.last, topic, data };
        if topic == Topic::Sample {
            kept.flow.push_back(message);
            let over = kept.flow.len().saturating_sub(FLOW_MAX);
            kept.flow.drain(..over);
        } else {
            kept.states.insert(topic, message);
        }
        self.last.send_replace(kept.last);
    }

    /// All that is after that place, in order.
    pub(crate) fn after(&self, place: u64) -> Vec<Message> {
        let kept = self.kept();
        let all = kept.states.values().chain(&kept.flow);
        let mut after: Vec<Message> =
            all.filter(|message| message.place > place).cloned().collect();
        after.sort_by_key(|message| message.place);
        after
    }

    /// The id of a message, as a reader sends it back.
    pub(crate) fn id(&self, message: &Message) -> String {
        format!("{}-{}", self.run, message.place)
    }

    /// The place of that id; 0 for one of another run, or none of these.
    pub(crate) fn place(&self, id: &str) -> u64 {
        let own = id.strip_prefix(&self.run).and_then(|rest| rest.strip_prefix('-'));
        own.and_then(|place| place.parse().ok()).unwrap_or(0)
    }

    /// Somebody who hears of each message from now on; as long as it is there, somebody reads.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Whether somebody reads.
    pub(crate) fn is_read(&self) -> bool {
        self.last.receiver_count() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(feed: &Feed, place: u64) -> Vec<String> {
        feed.after(place).into_iter().map(|m| format!("{}{}", m.topic.as_str(), m.data)).collect()
    }

    #[test]
    fn a_reader_gets_the_newest_state_once_and_the_flow_it_missed() {
        let feed = Feed::default();
        for number in 1..=3 {
            feed.tell(Topic::State, &number);
            feed.tell(Topic::Sample, &(number * 10));
        }
        assert_eq!(texts(&feed, 0), ["sample10", "sample20", "state3", "sample30"]);
        let second = feed.after(0)[1].clone();
        let place = feed.place(&feed.id(&second));
        assert_eq!(texts(&feed, place), ["state3", "sample30"]);
        assert_eq!(texts(&feed, 6), Vec::<String>::new());
    }

    #[test]
    fn an_id_of_another_run_or_of_nobody_begins_anew() {
        let (feed, other) = (Feed::default(), Feed::default());
        feed.tell(Topic::State, &1);
        let id = feed.id(&feed.after(0)[0]);
        assert_eq!(feed.place(&id), 1);
        let foreign = Feed { run: "another".to_owned(), ..other };
        for id in
            [foreign.id(&feed.after(0)[0]).as_str(), "", "1", "x-1", &format!("{}-x", feed.run)]
        {
            assert_eq!(feed.place(id), 0, "{id}");
        }
    }

    #[test]
    fn what_has_not_changed_is_not_told_again_and_the_flow_is_bounded() {
        let feed = Feed::default();
        feed.tell(Topic::Links, &"a");
        feed.tell(Topic::Links, &"a");
        assert_eq!(feed.after(0).len(), 1);
        for number in 0..FLOW_MAX * 2 {
            feed.tell(Topic::Sample, &number);
        }
        assert_eq!(feed.after(0).len(), 1 + FLOW_MAX);
    }

    #[test]
    fn somebody_reads_while_somebody_listens() {
        let feed = Feed::default();
        assert!(!feed.is_read());
        let reader = feed.listen();
        assert!(feed.is_read());
        drop(reader);
        assert!(!feed.is_read());
    }
}
