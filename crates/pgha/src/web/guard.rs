//! Who is let in: the right host, the right origin, the right token. Decides; answers nobody.

use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use super::token::Token;

/// What a browser says of where a request is from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The door of one page.
#[derive(Debug)]
pub(crate) struct Door {
    port: u16,
    token: Token,
    /// Cookies do not tell ports apart, so the name does.
    cookie: String,
}

/// A request that may come in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// As it is.
    In,
    /// With the token in its address, which is exchanged for a cookie.
    Exchange,
}

/// Why a request may not come in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It was sent to another name: somebody else's name that resolves to this machine.
    Host,
    /// Another page sent it.
    Origin,
    /// It has no token, or a wrong one.
    Token,
}

impl Refused {
    /// The status that answers it.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
        }
    }

    /// What is said.
    pub(crate) fn text(&self) -> &'static str {
        match self {
            Self::Host => "refused: this is not the address of the page\n",
            Self::Origin => "refused: another page asked for this\n",
            Self::Token => "refused: open the address that `pgha web` printed; it has the token\n",
        }
    }
}

impl Door {
    /// The door of the page on that port.
    pub(crate) fn new(port: u16, token: Token) -> Self {
        Self { port, token, cookie: format!("pgha_web_{port}") }
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The address with the token.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/?token={}", self.port, self.token.word())
    }

    /// What a browser is to keep: for this page alone, not for scripts, not sent along by other sites.
    pub(crate) fn cookie(&self) -> String {
        format!("{}={}; Path=/; HttpOnly; SameSite=Strict", self.cookie, self.token.word())
    }

    /// Judges a request.
    ///
    /// # Errors
    /// Why it is not let in.
    pub(crate) fn judge(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Admitted, Refused> {
        let own = ["127.0.0.1", "localhost"].map(|name| format!("{name}:{}", self.port));
        let host = one(headers, &HOST).filter(|host| own.iter().any(|own| own == host));
        let host = host.ok_or(Refused::Host)?;
        let origin = headers.get(ORIGIN).map(HeaderValue::as_bytes);
        let same = format!("http://{host}");
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if origin.map_or(!reads, |origin| origin != same.as_bytes()) {
            return Err(Refused::Origin);
        }
        let from = headers.get(&FETCH_SITE).map(HeaderValue::as_bytes);
        if from.is_some_and(|from| !matches!(from, b"same-origin" | b"none")) {
            return Err(Refused::Origin);
        }
        if self.shown(headers).any(|word| self.token.is(word)) {
            return Ok(Admitted::In);
        }
        let query = uri.query().unwrap_or_default().split('&');
        let mut words = query.filter_map(|pair| pair.strip_prefix("token="));
        match words.next() {
            // A change is never a link.
            Some(word) if reads && self.token.is(word) => Ok(Admitted::Exchange),
            _ => Err(Refused::Token),
        }
    }

    /// The tokens that a request shows.
    fn shown<'a>(&'a self, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
        let bearer = one(headers, &AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let cookies = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| {
            let (name, word) = cookie.trim().split_once('=')?;
            (name == self.cookie).then_some(word)
        });
        bearer.into_iter().chain(cookies)
    }
}

/// The value of a header that is there once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}
