//! The live page of a cluster: a small server on 127.0.0.1 that shows what is known and, with permission, runs `pgha`.
//!
//! [`look`] observes the cluster while somebody reads, and publishes into the [`feed`]; [`routes`] serves the page, the feed as
//! server-sent events, the metrics and the changes; [`guard`] decides who is let in; [`run`] has a change done by `pgha`
//! itself. What is offered is decided in [`pgha_core::console`]. Nothing here asks anybody but the engine and the cluster's
//! own ports on this machine.

mod feed;
mod guard;
mod look;
mod page;
mod routes;
mod run;
#[cfg(test)]
mod tests;
pub(crate) mod token;

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::cluster::{self, Among, Cluster};
use crate::docker::Engine;
use crate::error::{Error, Result};
use crate::interrupt::interrupted;
use crate::metrics;

use feed::Feed;
use guard::Door;
use routes::{Metrics, Server};
use run::Runner;
use token::Token;

/// A page that listens and is not served yet.
#[derive(Debug)]
pub(crate) struct Page {
    listener: TcpListener,
    door: Door,
}

impl Page {
    /// Listens on that port of 127.0.0.1; 0 for a free one.
    ///
    /// # Errors
    /// When the port is taken.
    pub(crate) async fn listen(port: u16, token: Token) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
        let (port, listener) = listener.map_err(|e| {
            Error::failed(format!("cannot listen on 127.0.0.1:{port}"))
                .because(e)
                .hint("leave --port out for a free port")
        })?;
        Ok(Self { listener, door: Door::new(port, token) })
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.door.port()
    }

    /// The address with its token.
    pub(crate) fn url(&self) -> String {
        self.door.url()
    }

    /// Serves it until somebody wants this command to end.
    ///
    /// # Errors
    /// When the listener fails.
    pub(crate) async fn serve(
        self,
        engine: Engine,
        cluster: &Cluster,
        allow_changes: bool,
    ) -> Result<()> {
        let feed = Arc::new(Feed::default());
        let id = cluster.id.to_string();
        let runner = allow_changes.then(|| Arc::new(Runner::new(feed.clone())));
        let server = Server {
            door: Arc::new(self.door),
            feed: feed.clone(),
            metrics: gathered(&engine, &id),
            runner: runner.clone(),
        };
        let looks = tokio::spawn(look::keep(engine, id, feed, runner));
        let app = routes::router(server);
        // A reader of events never ends by itself, so open connections are dropped.
        let ended = tokio::select! {
            outcome = axum::serve(self.listener, app).into_future() => outcome.map_err(|e| {
                Error::failed("cannot serve the page").because(e)
            }),
            () = interrupted() => Ok(()),
        };
        looks.abort();
        ended
    }
}

/// What gathers the metrics of that cluster.
fn gathered(engine: &Engine, id: &str) -> Metrics {
    let (engine, id) = (engine.clone(), id.to_owned());
    Metrics(Arc::new(move || {
        let (engine, id) = (engine.clone(), id.clone());
        Box::pin(async move {
            let cluster = cluster::resolve(cluster::find(&engine).await?, Some(&id), Among::All)?;
            metrics::text(&engine, &cluster).await
        })
    }))
}
