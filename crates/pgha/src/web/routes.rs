//! What the page's server answers. Whoever comes passes the [`guard`](super::guard) first.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt as _, stream};
use pgha_core::metrics::CONTENT_TYPE;

use super::feed::{Feed, Message};
use super::guard::{Admitted, Door};
use super::page::{self, FILES};
use super::run::{Refusal, Runner};
use crate::error::Result;

/// What a browser may load and do: nothing but the page's own files, and no page around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Headers of each answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
/// A comment in between, so that a dead connection is noticed.
const ALIVE: Duration = Duration::from_secs(15);
/// A command line is not longer.
const COMMAND_MAX_BYTES: usize = 1000;

/// Gathers the metrics of the cluster.
#[derive(Clone)]
pub(super) struct Metrics(
    pub(super) Arc<dyn Fn() -> BoxFuture<'static, Result<String>> + Send + Sync>,
);

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// What the answers are made of.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) door: Arc<Door>,
    pub(super) feed: Arc<Feed>,
    /// For `/metrics`.
    pub(super) metrics: Metrics,
    /// Who carries out changes; `None` without permission.
    pub(super) runner: Option<Arc<Runner>>,
}

/// Everything that is served.
pub(super) fn router(server: Server) -> Router {
    let files = FILES.iter().fold(Router::new(), |router, &(path, kind, text)| {
        router.route(path, get(move || async move { page::answer(kind, text) }))
    });
    files
        .route("/events", get(events))
        .route("/metrics", get(cluster_metrics))
        .route("/run", post(run))
        .layer(middleware::from_fn_with_state(server.clone(), admit))
        .with_state(server)
}

/// Lets a request in, or not; an address with the token is exchanged for a cookie and one without.
async fn admit(State(server): State<Server>, request: Request, next: Next) -> Response {
    let door = &server.door;
    let mut answer = match door.judge(request.method(), request.uri(), request.headers()) {
        Ok(Admitted::Exchange) if request.uri().path() == "/" => {
            let headers = [(header::SET_COOKIE, door.cookie()), (header::LOCATION, "/".to_owned())];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Ok(_) => next.run(request).await,
        Err(refused) => (refused.status(), refused.text()).into_response(),
    };
    for (name, value) in HEADERS {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// All that is told, from the last message on that the reader has.
async fn events(
    State(server): State<Server>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let place = server.feed.place(last);
    let heard = server.feed.listen();
    let pieces =
        stream::unfold((server.feed, heard, place), |(feed, mut heard, place)| async move {
            loop {
                heard.borrow_and_update();
                let messages = feed.after(place);
                if let Some(last) = messages.last() {
                    let place = last.place;
                    let events: Vec<Event> = messages.iter().map(|m| event(&feed, m)).collect();
                    return Some((stream::iter(events), (feed, heard, place)));
                }
                heard.changed().await.ok()?;
            }
        });
    Sse::new(pieces.flatten().map(Ok)).keep_alive(KeepAlive::new().interval(ALIVE))
}

fn event(feed: &Feed, message: &Message) -> Event {
    Event::default().id(feed.id(message)).event(message.topic.as_str()).data(&message.data)
}

async fn cluster_metrics(State(server): State<Server>) -> Response {
    match (server.metrics.0)().await {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

/// Carries out a change by its command line, where it is offered now.
async fn run(State(server): State<Server>, body: Body) -> Response {
    let Some(runner) = server.runner else {
        let text = "refused: the page is read-only; `pgha web --allow-changes` offers changes\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    };
    let Ok(body) = axum::body::to_bytes(body, COMMAND_MAX_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    match runner.begin(&String::from_utf8_lossy(&body)) {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(Refusal::NotOffered) => {
            (StatusCode::NOT_FOUND, "refused: not offered in this state of the cluster\n")
                .into_response()
        }
        Err(Refusal::Busy) => {
            (StatusCode::CONFLICT, "refused: another change is under way\n").into_response()
        }
    }
}
