//! What looks like a secret, whoever wrote it: verifiers of passwords, private keys, passwords in URLs, settings and SQL.

use super::REDACTED;

/// How a verifier of a password begins.
const VERIFIER: &str = "SCRAM-SHA-256$";
/// Names of settings whose value is a secret; the value stands behind `=` or `:`, or in quotes.
const NAMES: [&str; 5] = ["password", "passwd", "cipher-pass", "key-secret", "s3-key"];

/// The text without them.
pub(super) fn redact(text: &str) -> String {
    let text = without_keys(text);
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let line = without_verifiers(line);
        let line = without_userinfo(&line);
        out.push_str(&without_values(&line));
    }
    out
}

/// Lines between `-----BEGIN … PRIVATE KEY-----` and its end.
fn without_keys(text: &str) -> String {
    if !text.contains("PRIVATE KEY-----") {
        return text.to_owned();
    }
    let mut inside = false;
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let begins = line.contains("-----BEGIN") && line.contains("PRIVATE KEY-----");
        if begins && !inside {
            out.push_str(REDACTED);
            out.push('\n');
        }
        inside |= begins;
        if !inside {
            out.push_str(line);
        }
        inside &= !line.contains("-----END");
    }
    out
}

fn without_verifiers(line: &str) -> String {
    let mut parts = line.split(VERIFIER);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_whitespace() || "'\"".contains(c));
        out.push_str(REDACTED);
        out.push_str(&part[end.unwrap_or(part.len())..]);
    }
    out
}

/// `postgres://app:***@host`.
fn without_userinfo(line: &str) -> String {
    let mut parts = line.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("://");
        let authority = part.find(|c: char| c.is_whitespace() || "/?#'\"".contains(c));
        let authority = &part[..authority.unwrap_or(part.len())];
        match authority.rfind('@').and_then(|at| Some((authority[..at].find(':')?, at))) {
            Some((colon, at)) => {
                out.push_str(&part[..=colon]);
                out.push_str(REDACTED);
                out.push_str(&part[at..]);
            }
            None => out.push_str(part),
        }
    }
    out
}

fn without_values(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let (mut out, mut at) = (String::new(), 0);
    while let Some((found, name)) = next_name(&lower, at) {
        let behind = found + name.len();
        let (begin, end) = value(line, behind).unwrap_or((behind, behind));
        out.push_str(&line[at..begin]);
        if begin < end {
            out.push_str(REDACTED);
        }
        at = end;
    }
    out.push_str(&line[at..]);
    out
}

fn next_name(lower: &str, from: usize) -> Option<(usize, &'static str)> {
    let found = |name: &&'static str| Some((from + lower[from..].find(*name)?, *name));
    NAMES.iter().filter_map(found).min_by_key(|(at, _)| *at)
}

/// Where the value of a name that ends there stands: `="x y"`, `: x`, ` 'x'`; `None` where it has none.
fn value(line: &str, behind: usize) -> Option<(usize, usize)> {
    let rest = &line[behind..];
    let rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest).trim_start_matches([' ', '\t']);
    let assigned = rest.strip_prefix(['=', ':']).map(|rest| rest.trim_start_matches([' ', '\t']));
    let value = assigned.unwrap_or(rest);
    let begin = line.len() - value.len();
    let quoted = value.chars().next().filter(|c| ['"', '\''].contains(c));
    if let Some(quote) = quoted {
        return Some((begin + 1, begin + 1 + quoted_len(&value[1..], quote)));
    }
    assigned?;
    let end = value.find(|c: char| c.is_whitespace() || ",;}&".contains(c));
    Some((begin, begin + end.unwrap_or(value.len())))
}

/// How long a quoted text is, behind its first quote: a quote in it is doubled or escaped.
fn quoted_len(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => chars.next(),
                _ => return at,
            };
        }
    }
    text.trim_end().len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_looks_like_a_secret_goes_and_its_surroundings_stay() {
        for (text, left) in [
            (
                "alter role x password 'SCRAM-SHA-256$4096:c2E=$c3Q=:c2U=';\n",
                "alter role x password '***';\n",
            ),
            (
                "CREATE ROLE a LOGIN PASSWORD 'it is' VALID",
                "CREATE ROLE a LOGIN PASSWORD '***' VALID",
            ),
            ("alter role a password 'it''s';", "alter role a password '***';"),
            ("{\"password\": \"a\\\"b\"}", "{\"password\": \"***\"}"),
            ("host=a password=hunter2 user=b", "host=a password=*** user=b"),
            ("\"password\": \"hunter2\", \"x\": 1", "\"password\": \"***\", \"x\": 1"),
            ("    password: hunter2\n", "    password: ***\n"),
            ("repo1-cipher-pass=k\nrepo2-s3-key=i\n", "repo1-cipher-pass=***\nrepo2-s3-key=***\n"),
            ("postgres://app:hunter2@h:1,i:2/db", "postgres://app:***@h:1,i:2/db"),
            ("http://198.18.1.101:2379 healthy", "http://198.18.1.101:2379 healthy"),
            (
                "a\n-----BEGIN EC PRIVATE KEY-----\nMIGH\n-----END EC PRIVATE KEY-----\nb\n",
                "a\n***\nb\n",
            ),
            // Prose has no value.
            (
                "FATAL:  password authentication failed for user \"app\"",
                "FATAL:  password authentication failed for user \"app\"",
            ),
            ("no password", "no password"),
        ] {
            assert_eq!(redact(text), left);
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(password|passwd|://|@|:|=|'|\"|SCRAM-SHA-256\\$|-----|\n| |\\PC){0,30}") {
            let once = redact(&text);
            prop_assert_eq!(redact(&once), once);
        }
    }
}
