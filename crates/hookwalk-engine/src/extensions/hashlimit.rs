use hookwalk_parser::extensions::{HashlimitBurst, HashlimitLimit, HashlimitMatch, HashlimitRate, Match};
use hookwalk_parser::types::Protocol;

use super::{masked_to, opaque_text};
use crate::question::Question;
use crate::state::{Answer, BucketKey, Event, HashKey, Tokens, View};

/// Ticks of a rate in a second.
const TICKS: u64 = 1_000_000;
/// `--hashlimit-htable-expire` when it is not given, in milliseconds.
const EXPIRE: u32 = 10_000;
/// `--hashlimit-burst` when it is not given.
const BURST: u64 = 5;

/// Each address or port of the mode has a bucket, full on a host that has seen nothing else
/// (kernel: `net/netfilter/xt_hashlimit.c`).
pub(super) fn test(m: &HashlimitMatch, options: &Match, view: &View<'_>) -> Answer {
    let ask = || view.ask(Question::Opaque { text: opaque_text(options), seen: 0 });
    let Some(limit) = m.limit.filter(|_| !m.rate_match) else { return ask() };
    match (limit.rate, credit(m, limit, view)) {
        (HashlimitRate::Packets(rate), Some(credit)) => Answer::from((credit >= rate.period) != limit.above),
        // A bucket of bytes that is full covers one packet; what is left of it then is not followed.
        (HashlimitRate::Bytes(_), Some(u64::MAX)) => Answer::from(!limit.above),
        _ => ask(),
    }
}

pub(super) fn event(m: &HashlimitMatch, view: &View<'_>) -> Option<Event> {
    let limit = m.limit.filter(|_| !m.rate_match)?;
    let credit = credit(m, limit, view)?;
    let left = match limit.rate {
        HashlimitRate::Packets(rate) => credit.checked_sub(rate.period).unwrap_or(credit),
        HashlimitRate::Bytes(_) => 0,
    };
    Some(Event::Token { key: key(m, view)?, left })
}

/// What the packet's bucket holds; of bytes, the highest number when it is full.
fn credit(m: &HashlimitMatch, limit: HashlimitLimit, view: &View<'_>) -> Option<u64> {
    let (key, name) = (key(m, view)?, m.name.as_ref()?);
    let (most, ticks, cost) = match limit.rate {
        HashlimitRate::Packets(rate) => {
            let burst = match m.burst {
                Some(HashlimitBurst::Packets(burst)) => burst,
                _ => BURST,
            };
            (rate.period.saturating_mul(burst), TICKS, rate.period)
        }
        HashlimitRate::Bytes(_) => (u64::MAX, 0, u64::MAX),
    };
    let (memory, way) = (view.memory, view.state.memory);
    let untold = BucketKey::Untold(name.clone());
    if key == untold || memory.left(way, &untold).is_some() {
        // Each bucket of the table has at least what is left when all uses were of it.
        let asked = memory.asked_of(way, name);
        let least = most.saturating_sub(asked.saturating_mul(cost));
        return (least >= cost && !view.past.has_bucket_of(name)).then_some(least);
    }
    if let Some(left) = memory.left(way, &key) {
        return Some(left);
    }
    // A bucket that is idle for so long is given up; the next packet gets a full one.
    let kept = Some(u64::from(m.expire.unwrap_or(EXPIRE)).div_ceil(1000));
    let credit = Tokens::credit(view.past.bucket(&key), view.past.now, most, ticks, kept);
    // Earlier packets may have had the index of this one, or others.
    (credit >= cost || !matches!(key, BucketKey::Index(..))).then_some(credit)
}

/// The bucket's name; one of the table's where it depends on a port that is not known.
fn key(m: &HashlimitMatch, view: &View<'_>) -> Option<BucketKey> {
    let state = view.state;
    let port = |wanted: bool, port: Option<u16>| match (wanted && view.packet.protocol.has_ports(), port) {
        (true, None) => None,
        (true, port) => Some(port),
        (false, _) => Some(None),
    };
    let hash = HashKey {
        src: m.mode.src_ip.then(|| masked_to(state.src, m.src_mask.unwrap_or(128))),
        dst: m.mode.dst_ip.then(|| masked_to(state.dst, m.dst_mask.unwrap_or(128))),
        sport: port(m.mode.src_port, state.sport).unwrap_or_default(),
        dport: port(m.mode.dst_port, state.dport).unwrap_or_default(),
    };
    let is_told =
        port(m.mode.src_port, state.sport).is_some() && port(m.mode.dst_port, state.dport).is_some();
    let name = m.name.clone()?;
    // The index of AH and ESP is in the place of ports (kernel: `proto_ports_offset`).
    let by_ports = m.mode.src_port || m.mode.dst_port;
    let has_index = matches!(view.packet.protocol, Protocol(50 | 51));
    Some(match (is_told, by_ports && has_index) {
        (false, _) => BucketKey::Untold(name),
        (true, true) => BucketKey::Index(name, hash),
        (true, false) => BucketKey::Hash(name, hash),
    })
}
