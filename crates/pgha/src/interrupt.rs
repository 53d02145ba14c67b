//! Being asked to end.

use futures_util::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ends when somebody wants this command to end.
pub(crate) async fn interrupted() {
    Interrupts::listen().next().await;
}

/// Hears from its beginning on that somebody wants this command to end, also while nobody waits for that.
#[derive(Debug)]
pub(crate) struct Interrupts(Option<[Signal; 2]>);

impl Interrupts {
    /// Listens.
    pub(crate) fn listen() -> Self {
        let of = |kind| signal(kind).ok();
        Self(of(SignalKind::interrupt()).zip(of(SignalKind::terminate())).map(Into::into))
    }

    /// Ends once there is one that was not told yet.
    pub(crate) async fn next(&mut self) {
        let Some([interrupt, terminate]) = &mut self.0 else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }

    /// Whether there was one that was not told yet.
    pub(crate) fn any(&mut self) -> bool {
        self.next().now_or_never().is_some()
    }
}
