//! The terminal: taken over, put back, and what is typed on it.

use std::io::{IsTerminal as _, stdin, stdout};
use std::thread;

use pgha_core::watch::Key;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::error::{Error, OrFail, Result};

/// What comes from the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// A key with a meaning.
    Key(Key),
    /// Ctrl-C, which is a key like others now.
    Interrupt,
    /// It has another size.
    Resized,
    /// It was closed.
    Closed,
}

/// A terminal that is put back when this is dropped, and before a panic is told.
#[derive(Debug)]
pub(super) struct Tty {
    pub(super) terminal: DefaultTerminal,
    input: mpsc::UnboundedReceiver<Input>,
    hangup: Signal,
    _back: PutBack,
}

#[derive(Debug)]
struct PutBack;

impl Drop for PutBack {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing any more.
        let _ = ratatui::try_restore();
    }
}

impl Tty {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn open() -> Result<Self> {
        if !stdin().is_terminal() || !stdout().is_terminal() {
            return Err(Error::bad_input("`pgha watch` needs a terminal").hint(
                "`pgha watch --once` prints the cluster screen, `--json` a line for each look",
            ));
        }
        let hangup = signal(SignalKind::hangup()).or_fail("cannot listen for signals")?;
        let back = PutBack;
        let terminal = ratatui::try_init().or_fail("cannot take over the terminal")?;
        let (send, input) = mpsc::unbounded_channel();
        // Reading blocks; the thread ends with the process, or with nobody to tell.
        thread::spawn(move || {
            while let Ok(event) = event::read() {
                if input_of(&event).is_some_and(|input| send.send(input).is_err()) {
                    return;
                }
            }
        });
        Ok(Self { terminal, input, hangup, _back: back })
    }

    /// What comes next.
    pub(super) async fn next(&mut self) -> Input {
        tokio::select! {
            input = self.input.recv() => input.unwrap_or(Input::Closed),
            _ = self.hangup.recv() => Input::Closed,
        }
    }
}

fn input_of(event: &Event) -> Option<Input> {
    match event {
        Event::Resize(..) => Some(Input::Resized),
        Event::Key(key) if key.kind != KeyEventKind::Release => input_of_key(*key),
        _ => None,
    }
}

fn input_of_key(key: KeyEvent) -> Option<Input> {
    let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    Some(Input::Key(match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
            return Some(Input::Interrupt);
        }
        KeyCode::Char(character) if plain => Key::Char(character),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab => Key::Tab,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_c_ends_and_other_control_keys_mean_nothing() {
        let of = |code, modifiers| input_of_key(KeyEvent::new(code, modifiers));
        assert_eq!(of(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Input::Interrupt));
        assert_eq!(of(KeyCode::Char('x'), KeyModifiers::CONTROL), None);
        assert_eq!(of(KeyCode::Char('I'), KeyModifiers::SHIFT), Some(Input::Key(Key::Char('I'))));
        assert_eq!(of(KeyCode::F(1), KeyModifiers::NONE), None);
    }
}
