//! What a TLS server says before anybody has proved who they are: its certificate, and whose certificates it takes.
//!
//! TLS 1.2 says both in plain text, in answer to the first message of a client, so nothing is encrypted or verified here
//! (RFC 5246, section 7.4). The client goes away then.

/// Most of an answer that is read, in bytes.
pub const ANSWER_MAX: usize = 1 << 16;

/// A record with handshake messages.
const HANDSHAKE: u8 = 22;
/// A record with an alert.
const ALERT: u8 = 21;
/// Version of TLS 1.2.
const TLS_1_2: [u8; 2] = [3, 3];
/// With certificates of elliptic curves and of RSA (RFC 5289, RFC 7905).
const CIPHERS: [[u8; 2]; 6] =
    [[0xc0, 0x2b], [0xc0, 0x2c], [0xcc, 0xa9], [0xc0, 0x2f], [0xc0, 0x30], [0xcc, 0xa8]];
/// The curves P-256, P-384 and X25519.
const GROUPS: [[u8; 2]; 3] = [[0, 23], [0, 24], [0, 29]];
/// ECDSA, RSA-PSS and RSA with SHA-256, SHA-384 and SHA-512.
const SIGNATURES: [[u8; 2]; 9] =
    [[4, 3], [5, 3], [6, 3], [8, 4], [8, 5], [8, 6], [4, 1], [5, 1], [6, 1]];

/// What a server has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its own certificate, as DER.
    pub certificate: Vec<u8>,
    /// Subjects of the CAs whose certificates it takes from clients, each as DER.
    pub authorities: Vec<Vec<u8>>,
}

/// How far an answer has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read {
    /// It goes on.
    Part,
    /// All of it is there.
    Whole(Answer),
    /// It is none.
    Wrong(String),
}

/// The first message of a client.
pub fn client_hello() -> Vec<u8> {
    let mut body = Vec::from(TLS_1_2);
    // What is random elsewhere: no key is made of it.
    body.extend([0; 32]);
    // No session to go on with.
    body.push(0);
    body.extend(counted(&CIPHERS.concat()));
    // No compression.
    body.extend([1, 0]);
    let extension =
        |kind: u16, content: &[u8]| [&kind.to_be_bytes()[..], &counted(content)].concat();
    let extensions = [
        extension(10, &counted(&GROUPS.concat())),
        // Points are not compressed.
        extension(11, &[1, 0]),
        extension(13, &counted(&SIGNATURES.concat())),
        // Nothing is negotiated again.
        extension(0xff01, &[0]),
    ];
    body.extend(counted(&extensions.concat()));
    let message = [&[1, 0][..], &counted(&body)].concat();
    [&[HANDSHAKE, 3, 1][..], &counted(&message)].concat()
}

/// A text with its length in two bytes before it.
fn counted(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("what is said here is short");
    [&length.to_be_bytes()[..], content].concat()
}

/// Reads all that has come so far.
pub fn read(bytes: &[u8]) -> Read {
    let mut messages = Vec::new();
    let mut rest = bytes;
    while let Some((kind, content)) = record(&mut rest) {
        match (kind, content) {
            (HANDSHAKE, content) => messages.extend_from_slice(content),
            (ALERT, [_, number]) => {
                return Read::Wrong(format!("the server refuses with TLS alert {number}"));
            }
            _ => return Read::Wrong("this is no TLS server".to_owned()),
        }
    }
    match answer(&messages) {
        Ok(Some(answer)) => Read::Whole(answer),
        Ok(None) if bytes.len() >= ANSWER_MAX => Read::Wrong("the answer is too long".to_owned()),
        Ok(None) if bytes.first().is_some_and(|kind| ![HANDSHAKE, ALERT].contains(kind)) => {
            Read::Wrong("this is no TLS server".to_owned())
        }
        Ok(None) => Read::Part,
        Err(what) => Read::Wrong(format!("the server's {what} cannot be read")),
    }
}

/// The next record, where it is whole.
fn record<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let mut ahead = *rest;
    let head = take(&mut ahead, 3)?;
    let content = counted_by(&mut ahead, 2)?;
    *rest = ahead;
    Some((head[0], content))
}

/// What these messages come to; `None` where more are to come.
fn answer(mut messages: &[u8]) -> Result<Option<Answer>, &'static str> {
    let (mut certificate, mut authorities) = (None, Vec::new());
    loop {
        let Some(kind) = take(&mut messages, 1) else { return Ok(None) };
        let Some(body) = counted_by(&mut messages, 3) else { return Ok(None) };
        match kind[0] {
            11 => certificate = Some(first_certificate(body).ok_or("certificate")?),
            13 => authorities = asked_for(body).ok_or("request for a certificate")?,
            14 => {
                let certificate = certificate.ok_or("certificate")?;
                return Ok(Some(Answer { certificate, authorities }));
            }
            _ => {}
        }
    }
}

fn first_certificate(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut list = counted_by(&mut body, 3)?;
    counted_by(&mut list, 3).map(<[u8]>::to_vec)
}

fn asked_for(mut body: &[u8]) -> Option<Vec<Vec<u8>>> {
    counted_by(&mut body, 1)?;
    counted_by(&mut body, 2)?;
    let mut list = counted_by(&mut body, 2)?;
    let mut names = Vec::new();
    while !list.is_empty() {
        names.push(counted_by(&mut list, 2)?.to_vec());
    }
    Some(names)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

/// What has its length before it, in so many bytes.
fn counted_by<'a>(rest: &mut &'a [u8], width: usize) -> Option<&'a [u8]> {
    let length = take(rest, width)?.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
    take(rest, length)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind, 0][..], &counted(body)].concat()
    }

    /// What a server says, in records of at most so many bytes.
    fn said(answer: &Answer, size: usize) -> Vec<u8> {
        let one = [&[0][..], &counted(&answer.certificate)].concat();
        let certificate = message(11, &[&[0][..], &counted(&one)].concat());
        let names: Vec<u8> = answer.authorities.iter().flat_map(|name| counted(name)).collect();
        let request = [&[1, 64][..], &counted(&[4, 3]), &counted(&names)].concat();
        let parts =
            [message(2, &[9; 40]), certificate, message(12, &[7; 9]), message(13, &request)];
        let all = [parts.concat(), message(14, &[])].concat();
        all.chunks(size).flat_map(|c| [&[HANDSHAKE, 3, 3][..], &counted(c)].concat()).collect()
    }

    proptest! {
        #[test]
        fn an_answer_is_read_in_whatever_pieces_it_comes(
            certificate in vec(any::<u8>(), 1..600),
            authorities in vec(vec(any::<u8>(), 0..80), 0..4),
            size in 1..700_usize,
            cut in any::<prop::sample::Index>(),
        ) {
            let answer = Answer { certificate, authorities };
            let bytes = said(&answer, size);
            prop_assert_eq!(read(&bytes[..cut.index(bytes.len())]), Read::Part);
            prop_assert_eq!(read(&bytes), Read::Whole(answer));
        }

        #[test]
        fn whatever_a_server_says_is_no_reason_to_panic(bytes in vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes);
            let _ = read(&[&[HANDSHAKE, 3, 3, 1, 0][..], &bytes].concat());
        }
    }

    #[test]
    fn a_refusal_is_told_and_what_is_no_tls_is_not_waited_for() {
        let wrong = |bytes: &[u8]| match read(bytes) {
            Read::Wrong(why) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(wrong(&[ALERT, 3, 3, 0, 2, 2, 40]), "the server refuses with TLS alert 40");
        assert_eq!(wrong(b"SSH-2.0-OpenSSH"), "this is no TLS server");
        let none = [&[HANDSHAKE, 3, 3][..], &counted(&message(14, &[]))].concat();
        assert_eq!(wrong(&none), "the server's certificate cannot be read");
        let long = vec![HANDSHAKE; ANSWER_MAX];
        assert_eq!(wrong(&long), "the answer is too long");
    }
}
