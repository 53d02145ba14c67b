//! Measures, from a member, the round trip to every other site by echo requests (ICMP) and prints one JSON
//! document on one line.
//!
//! Kernels answer echo requests, so it works whatever the state of the services.

use std::io::{ErrorKind, Write as _};
use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use pgha_core::topology::Member;
use pgha_wan::measured::{RoundTrip, RoundTrips};
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, socket_with};

use crate::Result;
use crate::identity::Identity;

/// Between two requests to one member.
const INTERVAL: Duration = Duration::from_millis(10);
/// Enough for one socket; the default of 2 MiB for each member would be for nothing.
const STACK_BYTES: usize = 128 << 10;
/// An echo request, and the length of its head (RFC 792).
const ECHO_REQUEST: u8 = 8;
const HEAD_LEN: usize = 8;

/// Measures by so many requests to each member, of which the last is waited for so long, and prints.
pub(crate) fn run(me: &Identity, count: u16, wait: Duration) -> Result<()> {
    let own = me.member()?;
    let others = me.topology.members.iter().filter(|m| m.site != own.site);
    let asked: Vec<(&Member, _)> = others
        .filter_map(|member| {
            let address = member.address;
            let builder = thread::Builder::new().stack_size(STACK_BYTES);
            let asking = builder.spawn(move || measure(address, count, wait)).ok()?;
            Some((member, asking))
        })
        .collect();
    let mut best: Vec<(u8, Vec<Duration>)> = Vec::new();
    for (member, asking) in asked {
        let answers = asking.join().map_err(|_| "a measurement panicked".to_owned())??;
        match best.iter_mut().find(|(site, _)| *site == member.site) {
            Some((_, known)) if better(&answers, known) => *known = answers,
            Some(_) => {}
            None => best.push((member.site, answers)),
        }
    }
    let measured = RoundTrips {
        from: me.topology.site(own.site).name.clone(),
        to: me
            .topology
            .sites
            .iter()
            .filter(|site| site.number != own.site)
            .map(|site| {
                let answers = best.iter().find(|(number, _)| *number == site.number);
                summary(site.name.clone(), count, answers.map_or(&[], |(_, a)| a.as_slice()))
            })
            .collect(),
    };
    let mut line = serde_json::to_vec(&measured).map_err(|e| format!("cannot write JSON: {e}"))?;
    line.push(b'\n');
    std::io::stdout().write_all(&line).map_err(|e| format!("cannot print: {e}"))
}

/// More answers are better, and of as many the quicker ones.
fn better(answers: &[Duration], known: &[Duration]) -> bool {
    (answers.len(), std::cmp::Reverse(answers.iter().min()))
        > (known.len(), std::cmp::Reverse(known.iter().min()))
}

fn summary(to: String, sent: u16, answers: &[Duration]) -> RoundTrip {
    let mut sorted: Vec<u64> =
        answers.iter().map(|d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX)).collect();
    sorted.sort_unstable();
    RoundTrip {
        to,
        sent: sent.into(),
        received: u32::try_from(sorted.len()).unwrap_or(u32::MAX),
        min_us: sorted.first().copied(),
        median_us: sorted.get(sorted.len() / 2).copied(),
        max_us: sorted.last().copied(),
    }
}

/// Sends requests at a steady pace and waits for their answers; the round trips, in no order.
fn measure(address: Ipv4Addr, count: u16, wait: Duration) -> Result<Vec<Duration>> {
    let explain = |e: std::io::Error| format!("cannot send echo requests to {address}: {e}");
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(ipproto::ICMP),
    )
    .map_err(|e| explain(e.into()))?;
    // An echo socket is used like one of UDP, but for its messages.
    let socket = UdpSocket::from(socket);
    socket.connect((address, 0)).map_err(explain)?;

    let begin = Instant::now();
    let sent_at = |sequence: u16| begin + INTERVAL * u32::from(sequence);
    let end = sent_at(count.saturating_sub(1)) + wait;
    let mut sent: Vec<Instant> = Vec::with_capacity(count.into());
    let mut answers: Vec<Option<Duration>> = vec![None; count.into()];
    while answers.iter().any(Option::is_none) {
        let now = Instant::now();
        let sequence = u16::try_from(sent.len()).unwrap_or(count);
        if sequence < count && sent_at(sequence) <= now {
            let mut request = [0; HEAD_LEN + 16];
            request[0] = ECHO_REQUEST;
            request[6..HEAD_LEN].copy_from_slice(&sequence.to_be_bytes());
            sent.push(Instant::now());
            // No way there at the moment is as good as no answer.
            let _ = socket.send(&request);
            continue;
        }
        let until = if sequence < count { sent_at(sequence) } else { end };
        let Some(left) = until.checked_duration_since(now).filter(|d| !d.is_zero()) else { break };
        socket.set_read_timeout(Some(left)).map_err(explain)?;
        let mut answer = [0; 64];
        match socket.recv(&mut answer) {
            Ok(len) if len >= HEAD_LEN && answer[0] == 0 => {
                let sequence = usize::from(u16::from_be_bytes([answer[6], answer[7]]));
                if let (Some(at), Some(known)) = (sent.get(sequence), answers.get_mut(sequence)) {
                    // The first of two answers counts: the other is a copy.
                    known.get_or_insert(at.elapsed());
                }
            }
            Ok(_) => {}
            // Also what a router says on the way, such as that nobody is there.
            Err(e) if e.kind() == ErrorKind::WouldBlock || e.kind() == ErrorKind::TimedOut => {}
            Err(_) if sequence < count => {}
            Err(_) => break,
        }
    }
    Ok(answers.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_judged_by_its_member_that_answers_best() {
        let ms = Duration::from_millis;
        assert!(better(&[ms(9), ms(9)], &[ms(1)]), "more answers count first");
        assert!(better(&[ms(1)], &[ms(2)]));
        assert!(!better(&[], &[]));
        let said = summary("DC2".into(), 3, &[ms(5), ms(1), ms(3)]);
        assert_eq!(
            (said.min_us, said.median_us, said.max_us),
            (Some(1000), Some(3000), Some(5000))
        );
        assert_eq!(summary("DC2".into(), 3, &[]).median_us, None);
    }
}
