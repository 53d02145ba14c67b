//! Whether this machine can run a cluster: one remark for each thing that matters.
//!
//! Changes nothing and needs nothing: what cannot be asked because the engine does not answer is
//! left out, and the engine's own remark says why.

mod engine;
mod machine;

use serde::Serialize;

use crate::compose_tool::ComposeTool;
use crate::docker::Engine;

/// The oldest Compose of version 1 that takes the compose file.
const COMPOSE_MIN: [u32; 3] = [1, 29, 2];

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// As a cluster needs it.
    Ok,
    /// Good to know, and no cluster needs it.
    Info,
    /// Something will not work, or not well.
    Warning,
    /// No cluster can run.
    Failed,
}

/// One remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// What was looked at; one word, the same in every version.
    pub(crate) name: &'static str,
    /// How it is.
    pub(crate) state: State,
    /// What was found.
    pub(crate) found: String,
    /// What to do; `null` where there is nothing to do.
    pub(crate) hint: Option<String>,
}

impl Check {
    fn new(name: &'static str, state: State, found: impl Into<String>) -> Self {
        Self { name, state, found: found.into(), hint: None }
    }

    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(name, State::Ok, found)
    }

    fn info(name: &'static str, found: impl Into<String>) -> Self {
        Self::new(name, State::Info, found)
    }

    fn warning(name: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(name, State::Warning, found) }
    }

    fn failed(name: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(name, State::Failed, found) }
    }
}

/// Looks at everything, the engine first.
pub(crate) async fn examine() -> Vec<Check> {
    let mut checks = Vec::new();
    let mut local = true;
    match Engine::connect().await {
        Ok(engine) => local = engine::examine(&engine, &mut checks).await,
        Err(error) => checks.push(Check {
            hint: error.advice().map(ToOwned::to_owned),
            ..Check::new(
                "engine",
                State::Failed,
                format!("{}: {}", error.headline(), error.cause()),
            )
        }),
    }
    checks.push(compose(
        ComposeTool::find().map(|tool| (tool.shown(), tool.version().unwrap_or_default())),
    ));
    machine::examine(local, &mut checks);
    checks
}

fn compose(found: crate::error::Result<(String, String)>) -> Check {
    let name = "compose";
    match found {
        Err(error) => Check {
            hint: error.advice().map(ToOwned::to_owned),
            ..Check::new(name, State::Failed, error.headline())
        },
        Ok((command, version)) => {
            let found = format!("{version} (`{command}`)");
            match numbers(&version) {
                Some(numbers) if numbers < COMPOSE_MIN => Check::failed(
                    name,
                    found,
                    "version 1.29.2 or any version 2 reads the compose file: install one",
                ),
                Some(_) => Check::ok(name, found),
                None => Check::warning(name, found, "version 1.29.2 or any version 2 is wanted"),
            }
        }
    }
}

/// The first three numbers of a version, such as `v2.40.3-desktop.1`.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let mut numbers = version.trim().trim_start_matches('v').splitn(3, '.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).map_or(part, |end| &part[..end]);
        digits.parse::<u32>().ok()
    });
    let major = numbers.next()??;
    Some([major, numbers.next().flatten().unwrap_or(0), numbers.next().flatten().unwrap_or(0)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(numbers("v2.40.3-desktop.1"), Some([2, 40, 3]));
        assert_eq!(numbers("1.29.2"), Some([1, 29, 2]));
        assert_eq!(numbers("2.40"), Some([2, 40, 0]));
        assert_eq!(numbers("unknown"), None);
        assert!(numbers("1.9.0") < Some(COMPOSE_MIN));
    }

    #[test]
    fn an_old_compose_fails_and_an_odd_one_is_doubtful() {
        let state = |version: &str| compose(Ok(("compose".into(), version.into()))).state;
        assert_eq!(state("1.25.0"), State::Failed);
        assert_eq!(state("1.29.2"), State::Ok);
        assert_eq!(state("v2.40.3"), State::Ok);
        assert_eq!(state("dev"), State::Warning);
        let none = compose(Err(Error::missing("none").hint("install it")));
        assert_eq!((none.state, none.hint.as_deref()), (State::Failed, Some("install it")));
    }
}
