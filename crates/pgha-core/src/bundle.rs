//! What is handed on for a bug report, and what must not be in it.
//!
//! Every text of a [`Bundle`] passes a [`Redactor`] on its way out, which knows the secrets of the cluster in the forms that
//! programs write them in, and what looks like a secret that nobody has told it.

mod patterns;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

use crate::connect::percent_encoded;
use crate::ownership::MARK;
use crate::set_up::INIT_SQL;

/// What stands where a secret was.
pub const REDACTED: &str = "***";
/// The file that says what could not be read.
pub const MISSING: &str = "missing.txt";
/// Shorter texts are parts of ordinary words.
const SECRET_MIN_CHARS: usize = 4;
/// Lines of a file with several that are shorter, such as `);`, say nothing.
const LINE_MIN_CHARS: usize = 12;
/// A shorter piece of base64 is found in ordinary words.
const BASE64_MIN_CHARS: usize = 6;

/// Takes secrets out of texts.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Every form of every secret, the longest first: one may be a part of another.
    needles: Vec<String>,
    /// Files with a secret that is too short to be looked for.
    too_short: Vec<String>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor {{ {} forms }}", self.needles.len())
    }
}

impl Redactor {
    /// One that knows the files of a cluster's secrets, by name.
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let (mut needles, mut too_short) = (BTreeSet::new(), Vec::new());
        for (name, text) in files {
            for secret in secrets_of(name, text) {
                if secret.chars().count() < SECRET_MIN_CHARS {
                    too_short.push(name.to_owned());
                } else {
                    needles.extend(forms(&secret));
                }
            }
        }
        let mut needles: Vec<String> = needles.into_iter().collect();
        needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
        too_short.dedup();
        Self { needles, too_short }
    }

    /// Files with a secret that is too short to be looked for.
    pub fn too_short(&self) -> &[String] {
        &self.too_short
    }

    /// The text without any of them.
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for needle in &self.needles {
            if text.contains(needle.as_str()) {
                text = text.replace(needle.as_str(), REDACTED);
            }
        }
        patterns::redact(&text)
    }
}

/// The secrets in a file of that name.
fn secrets_of(name: &str, text: &str) -> Vec<String> {
    let public = |end: &str| name.ends_with(end);
    if name == MARK || name == "pg_service.conf" || public(".crt") || public(".pub") {
        return Vec::new();
    }
    if name == "pgpass" {
        // `host:port:database:user:password`, where a colon of a text is `\:`.
        let password = |line: &str| {
            let line = line.replace(r"\\", "\0").replace(r"\:", "\u{1}");
            let password = line.splitn(5, ':').nth(4)?.replace('\u{1}', ":");
            Some(password.replace('\0', "\\"))
        };
        return text.lines().filter_map(password).filter(|text| !text.is_empty()).collect();
    }
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.as_slice() {
        [only] if name != INIT_SQL => vec![(*only).to_owned()],
        lines => {
            let says = |line: &&&str| line.len() >= LINE_MIN_CHARS && !line.starts_with("-----");
            lines.iter().filter(says).map(|line| (*line).to_owned()).collect()
        }
    }
}

/// A secret as programs write it.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap_or_default();
    let url = percent_encoded(secret);
    let mut forms = vec![
        secret.to_owned(),
        json.trim_matches('"').to_owned(),
        secret.replace('\'', "''"),
        secret.replace('\\', r"\\").replace(':', r"\:"),
        secret.replace('\\', r"\\").replace('\'', r"\'"),
        small(&url),
        url.replace("%20", "+"),
        url,
    ];
    for before in 0..3 {
        forms.extend(base64_cores(secret, before));
    }
    forms.retain(|form| form.chars().count() >= SECRET_MIN_CHARS);
    forms
}

/// What base64 has of a secret with so many bytes before it, whatever these and those behind it are. Three of such numbers
/// stand for all.
fn base64_cores(secret: &str, before: usize) -> Vec<String> {
    let bytes = [&vec![0; before], secret.as_bytes()].concat();
    let (begin, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    let cores = [BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD]
        .map(|alphabet| alphabet.encode(&bytes).get(begin..end).unwrap_or_default().to_owned());
    cores.into_iter().filter(|core| core.len() >= BASE64_MIN_CHARS).collect()
}

/// The same with small letters in its numbers.
fn small(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    let small = |part: &str| format!("%{}{}", part[..2].to_ascii_lowercase(), &part[2..]);
    first + &parts.map(small).collect::<String>()
}

/// Files for a bug report, and what could not be read for it.
#[derive(Debug, Default)]
pub struct Bundle {
    files: BTreeMap<String, String>,
    missing: BTreeMap<String, String>,
}

impl Bundle {
    /// Adds a file, or why there is none.
    pub fn add(&mut self, name: impl Into<String>, text: Result<String, String>) {
        match text {
            Ok(text) => self.files.insert(name.into(), text),
            Err(why) => self.missing.insert(name.into(), why),
        };
    }

    /// What could not be read.
    pub fn missing(&self) -> usize {
        self.missing.len()
    }

    /// Every file without secrets, with one that says what is missing.
    pub fn sealed(mut self, redactor: &Redactor) -> BTreeMap<String, String> {
        for name in redactor.too_short() {
            let why = format!(
                "its text has fewer than {SECRET_MIN_CHARS} characters, and was not looked for in the files here"
            );
            self.missing.insert(format!("secret {name}"), why);
        }
        let line = |(name, why): (&String, &String)| {
            format!("{name}: {}\n", why.trim().replace('\n', "\n  "))
        };
        let missing: String = self.missing.iter().map(line).collect();
        let missing = if missing.is_empty() { "nothing is missing\n".to_owned() } else { missing };
        self.files.insert(MISSING.to_owned(), missing);
        self.files.into_iter().map(|(name, text)| (name, redactor.redact(&text))).collect()
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn knows(secret: &str) -> Redactor {
        Redactor::of([("postgres", secret)])
    }

    /// Without the sign that stands in place of a secret.
    fn secret() -> impl Strategy<Value = String> {
        "[!-)+-~äß€]{6,40}"
    }

    proptest! {
        #[test]
        fn no_form_of_a_secret_is_left(secret in secret(), before in "\\PC{0,9}", behind in "\\PC{0,9}") {
            let redactor = knows(&format!("{secret}\n"));
            for form in forms(&secret) {
                let left = redactor.redact(&format!("{before}{form}{behind} {form}"));
                prop_assert!(!left.contains(&form), "{form} in {left}");
            }
        }

        #[test]
        fn nothing_is_left_of_it_in_base64_of_more(
            secret in secret(),
            before in prop::collection::vec(any::<u8>(), 0..9),
            behind in prop::collection::vec(any::<u8>(), 0..9),
        ) {
            let whole = BASE64_STANDARD.encode([&before[..], secret.as_bytes(), &behind[..]].concat());
            let left = knows(&secret).redact(&whole);
            // Somebody who decodes each rest, from wherever, does not find it.
            for rest in left.split(REDACTED) {
                for from in 0..rest.len().min(4) {
                    let piece = &rest[from..];
                    let piece = &piece[..piece.len() / 4 * 4];
                    let read = BASE64_STANDARD.decode(piece.trim_end_matches('=')).unwrap_or_default();
                    let read = String::from_utf8_lossy(&read).into_owned();
                    prop_assert!(!read.contains(&secret), "{secret} in {left}");
                }
            }
        }

        #[test]
        fn other_texts_stay_as_they_are(text in "[a-z ]{0,80}") {
            prop_assert_eq!(knows("Rq7Zp1Vn0TtYw").redact(&text), text);
        }

        #[test]
        fn what_was_redacted_stays_so(text in "\\PC{0,60}", secret in secret()) {
            let redactor = knows(&secret);
            let once = redactor.redact(&text);
            prop_assert_eq!(redactor.redact(&once), once);
        }
    }

    #[test]
    fn a_file_has_its_secrets_by_its_kind() {
        let of = |name: &str, text: &str| secrets_of(name, text);
        assert_eq!(of("postgres", "p w\n"), ["p w"]);
        assert_eq!(of("pgpass", "*:*:*:app:a\\:b\\\\c\n*:*:*:x:y\n"), ["a:b\\c", "y"]);
        let key =
            "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\nAgEG\n-----END PRIVATE KEY-----\n";
        assert_eq!(of("pgha-demo1-DC1-1.key", key), ["MIGHAgEAMBMGByqGSM49"]);
        assert_eq!(
            of("init.sql", "create role x password 'y';\n"),
            ["create role x password 'y';"]
        );
        for public in ["cluster", "backup-ca.crt", "ssh_key.pub", "pg_service.conf"] {
            assert!(of(public, "demo-1 of somebody").is_empty(), "{public}");
        }
    }

    #[test]
    fn what_is_missing_is_said_and_is_redacted_like_all_else() {
        let redactor = Redactor::of([("postgres", "Rq7Zp1Vn0TtYw"), ("user-app", "abc")]);
        let mut bundle = Bundle::default();
        bundle.add("status.json", Ok("{\"x\": \"Rq7Zp1Vn0TtYw\"}".to_owned()));
        bundle.add("wan.json", Err("no router\nRq7Zp1Vn0TtYw".to_owned()));
        let files = bundle.sealed(&redactor);
        assert_eq!(files["status.json"], "{\"x\": \"***\"}");
        let missing = &files[MISSING];
        assert!(missing.contains("wan.json: no router\n  ***\n"), "{missing}");
        assert!(missing.contains("secret user-app: "), "{missing}");
        let none = Bundle::default().sealed(&Redactor::default());
        assert_eq!(none[MISSING], "nothing is missing\n");
    }
}
