//! The server in process: who is let in, what is told again, and that nothing is changed without permission.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode, header};
use futures_util::StreamExt as _;
use pgha_core::console::{Change, Group};
use tower::ServiceExt as _;

use super::feed::{Feed, Topic};
use super::guard::Door;
use super::page::FILES;
use super::routes::{Metrics, Server, router};
use super::run::{Refusal, Runner};
use super::token::Token;

const HOST: &str = "127.0.0.1:7432";

/// A server of no cluster.
struct Lab {
    app: Router,
    feed: Arc<Feed>,
    word: String,
    runner: Arc<Runner>,
}

fn lab(allow_changes: bool) -> Lab {
    let token = Token::random();
    let (word, feed) = (token.word().to_owned(), Arc::new(Feed::default()));
    let runner = Arc::new(Runner::new(feed.clone()));
    let server = Server {
        door: Arc::new(Door::new(7432, token)),
        feed: feed.clone(),
        metrics: Metrics(Arc::new(|| Box::pin(async { Ok("pg_up 1\n".to_owned()) }))),
        runner: allow_changes.then(|| runner.clone()),
    };
    Lab { app: router(server), feed, word, runner }
}

impl Lab {
    fn cookie(&self) -> (&'static str, String) {
        ("cookie", format!("other=1; pgha_web_7432={}", self.word))
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if headers.iter().all(|(name, _)| *name != "host") {
            request = request.header("host", HOST);
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        self.app.clone().oneshot(request).await.expect("an answer")
    }

    async fn get(&self, path: &str, headers: &[(&str, String)]) -> Response<Body> {
        self.ask(Method::GET, path, headers, "").await
    }
}

#[tokio::test]
async fn nothing_is_told_without_the_token() {
    let lab = lab(true);
    for (path, _, _) in FILES {
        assert_eq!(lab.get(path, &[]).await.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(lab.get(path, &[lab.cookie()]).await.status(), StatusCode::OK, "{path}");
    }
    for path in ["/events", "/metrics", "/?token=wrong", "/?token=", "/nowhere"] {
        assert_eq!(lab.get(path, &[]).await.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    let wrong = ("cookie", "pgha_web_7432=wrong".to_owned());
    assert_eq!(lab.get("/", &[wrong]).await.status(), StatusCode::UNAUTHORIZED);
    let of_another_page = ("cookie", format!("pgha_web_7433={}", lab.word));
    assert_eq!(lab.get("/", &[of_another_page]).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_address_with_the_token_is_exchanged_for_a_cookie_that_scripts_do_not_see() {
    let lab = lab(false);
    let answer = lab.get(&format!("/?token={}", lab.word), &[]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()[header::LOCATION], "/");
    let cookie = answer.headers()[header::SET_COOKIE].to_str().expect("text").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let own = cookie.split(';').next().expect("a pair").to_owned();
    assert_eq!(lab.get("/", &[("cookie", own)]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_for_who_has_the_token_as_bearer_or_in_the_address() {
    let lab = lab(false);
    let bearer = ("authorization", format!("Bearer {}", lab.word));
    let answer = lab.get("/metrics", &[bearer]).await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(told(answer, "\n").await, "pg_up 1\n");
    let answer = lab.get(&format!("/metrics?token={}", lab.word), &[]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.headers().get(header::SET_COOKIE).is_none());
}

#[tokio::test]
async fn another_host_and_another_origin_are_refused_with_the_token_too() {
    let lab = lab(true);
    for host in ["evil.example:7432", "127.0.0.1", "127.0.0.1:80", "localhost:7433", ""] {
        let answer = lab.get("/", &[lab.cookie(), ("host", host.to_owned())]).await;
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    assert_eq!(
        lab.get("/", &[lab.cookie(), ("host", "localhost:7432".to_owned())]).await.status(),
        StatusCode::OK
    );
    for origin in ["http://evil.example", "http://127.0.0.1:7433", "http://localhost:7432", "null"]
    {
        let headers = [lab.cookie(), ("origin", origin.to_owned())];
        assert_eq!(lab.get("/events", &headers).await.status(), StatusCode::FORBIDDEN, "{origin}");
        assert_eq!(
            lab.ask(Method::POST, "/run", &headers, "x").await.status(),
            StatusCode::FORBIDDEN,
            "{origin}"
        );
    }
    for site in ["cross-site", "same-site"] {
        let headers = [lab.cookie(), ("sec-fetch-site", site.to_owned())];
        assert_eq!(lab.get("/", &headers).await.status(), StatusCode::FORBIDDEN, "{site}");
    }
    // A change without an origin comes from no page of ours.
    assert_eq!(
        lab.ask(Method::POST, "/run", &[lab.cookie()], "x").await.status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn each_answer_forbids_all_but_the_pages_own_files() {
    let lab = lab(false);
    for headers in [vec![], vec![lab.cookie()]] {
        let answer = lab.get("/", &headers).await;
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    }
}

/// What the first pieces of an answer say.
async fn told(answer: Response<Body>, until: &str) -> String {
    let mut body = answer.into_body().into_data_stream();
    let mut text = String::new();
    while !text.contains(until) {
        let piece = tokio::time::timeout(Duration::from_secs(5), body.next()).await;
        let piece = piece.expect("it is told in time").expect("it goes on").expect("a piece");
        text.push_str(&String::from_utf8_lossy(&piece));
    }
    text
}

#[tokio::test]
async fn a_reader_that_comes_back_is_told_what_it_missed() {
    let lab = lab(false);
    lab.feed.tell(Topic::State, &"first");
    lab.feed.tell(Topic::Sample, &"one");
    let text = told(lab.get("/events", &[lab.cookie()]).await, "one").await;
    assert!(text.contains("event: state\n") && text.contains("data: \"first\""), "{text}");
    let last = text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back();
    let last = ("last-event-id", last.expect("each has an id").to_owned());
    lab.feed.tell(Topic::State, &"second");
    lab.feed.tell(Topic::Sample, &"two");
    let text = told(lab.get("/events", &[lab.cookie(), last]).await, "two").await;
    assert!(text.contains("second") && !text.contains("first") && !text.contains("one"), "{text}");
    let foreign = ("last-event-id", "0000-7".to_owned());
    let text = told(lab.get("/events", &[lab.cookie(), foreign]).await, "two").await;
    assert!(text.contains("one") && text.contains("second"), "{text}");
}

fn offer(command: &str) -> Change {
    let argv = command.split(' ').skip(1).map(str::to_owned).collect();
    Change {
        group: Group::Heal,
        about: None,
        label: String::new(),
        command: command.to_owned(),
        argv,
    }
}

#[tokio::test]
async fn nothing_is_run_without_permission_and_nothing_but_what_is_offered() {
    let origin = ("origin", format!("http://{HOST}"));
    let without = lab(false);
    without.runner.offer(vec![offer("pgha heal demo-1")]);
    let headers = [without.cookie(), origin.clone()];
    let answer = without.ask(Method::POST, "/run", &headers, "pgha heal demo-1").await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let with = lab(true);
    with.runner.offer(vec![offer("pgha heal demo-1")]);
    let headers = [with.cookie(), origin];
    for command in ["pgha down demo-1", "pgha heal demo-1; rm", "pgha heal", ""] {
        let answer = with.ask(Method::POST, "/run", &headers, command).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{command}");
    }
    let long = "x".repeat(5000);
    let answer = with.ask(Method::POST, "/run", &headers, &long).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let by_link = format!("/run?token={}", with.word);
    assert_eq!(
        with.ask(
            Method::POST,
            &by_link,
            &[("origin", format!("http://{HOST}"))],
            "pgha heal demo-1"
        )
        .await
        .status(),
        StatusCode::UNAUTHORIZED
    );
    assert!(with.feed.after(0).is_empty(), "nothing was run");
}

#[tokio::test]
async fn one_change_at_a_time_is_run_and_told() {
    let lab = lab(true);
    lab.runner.offer(vec![offer("pgha --list"), offer("pgha --help")]);
    assert_eq!(lab.runner.begin("pgha --list"), Ok(()));
    assert_eq!(lab.runner.begin("pgha --help"), Err(Refusal::Busy));
    assert_eq!(lab.runner.begin("pgha other"), Err(Refusal::NotOffered));
    let mut heard = lab.feed.listen();
    let done = async {
        loop {
            let data = lab.feed.after(0).pop().map(|message| message.data).unwrap_or_default();
            if data.contains("\"code\":0") {
                return data;
            }
            heard.changed().await.expect("it is told");
        }
    };
    // The child is this test's own program, which lists its tests.
    let data = tokio::time::timeout(Duration::from_secs(30), done).await.expect("it ends");
    assert!(data.contains("\"command\":\"pgha --list\"") && data.contains("benchmark"), "{data}");
    assert_eq!(lab.runner.begin("pgha --help"), Ok(()));
}
