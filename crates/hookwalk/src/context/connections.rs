use hookwalk_engine::{ConnectionTuple, TcpState, TrackedConnection};
use hookwalk_parser::types::{Protocol, Text};

use super::error::ContextError;
use super::pieces::{Piece, pieces};
use super::text::{Line, Word};

/// Reads `conntrack -L`, with or without `-o extended`, and `/proc/net/nf_conntrack`. `file` is what the
/// connections say of where they stand ([`TrackedConnection::line`]); it is handed back by walks.
///
/// ```
/// let (connections, errors) = hookwalk::context::connections(
///     0,
///     "udp      17 29 src=10.0.0.5 dst=10.96.0.10 sport=40000 dport=53 [UNREPLIED] \
///      src=10.96.0.10 dst=10.0.0.5 sport=53 dport=40000 mark=0 use=1\n",
/// );
/// assert!(errors.is_empty());
/// assert!(connections[0].unreplied && !connections[0].is_dnat());
/// assert_eq!(connections[0].line, Some((0, 1)));
/// ```
pub fn connections(file: usize, text: &str) -> (Vec<TrackedConnection>, Vec<ContextError>) {
    let (mut connections, mut errors) = (Vec::new(), Vec::new());
    for piece in pieces(text) {
        match piece {
            Piece::Line(line) if is_around(line) => {}
            Piece::Line(line) => match connection(line) {
                Ok(mut known) => {
                    known.line = Some((file, line.at.line));
                    connections.push(known);
                }
                Err(error) => errors.push(error),
            },
            Piece::Object(at, _) => errors.push(at.error("JSON, expected lines of `conntrack -L`")),
            Piece::Bad(error) => errors.push(error),
        }
    }
    (connections, errors)
}

/// What stands around the table: `conntrack v1.4.7 (conntrack-tools): 120 flow entries have been shown.`
fn is_around(line: Line<'_>) -> bool {
    let text = line.text.trim_start();
    text.starts_with(['#', '$'])
        || text.starts_with("```")
        || text.starts_with("conntrack v")
        || text.ends_with("conntrack -L")
}

const LINE: &str = "a line of `conntrack -L` such as `udp 17 29 src=… dst=… sport=… dport=… src=… dst=… …`";

fn connection(line: Line<'_>) -> Result<TrackedConnection, ContextError> {
    let mut words = line.words().peekable();
    let first = words.peek().copied().ok_or_else(|| line.at.error(format!("nothing, expected {LINE}")))?;
    if matches!(first.text, "ipv4" | "ipv6") {
        // `ipv4     2 tcp      6`
        words.next();
        words.next();
    }
    words.next().ok_or_else(|| first.expected(LINE))?;
    let number = words.next().ok_or_else(|| first.expected(LINE))?;
    let protocol =
        number.text.parse::<u8>().map(Protocol).map_err(|_| number.expected("a protocol's number"))?;

    let mut read = Reading::default();
    for word in words {
        read.word(word)?;
    }
    let [original, reply] = read.tuples;
    let missing = || first.error("has not the addresses of both directions");
    let mut known = TrackedConnection::new(protocol, original.finish().ok_or_else(missing)?);
    known.reply = reply.finish().ok_or_else(missing)?;
    if known.original.src.is_ipv4() != known.reply.src.is_ipv4() {
        return Err(first.error("has directions of two families"));
    }
    known.unreplied = read.unreplied;
    known.assured = read.assured;
    known.tcp = read.tcp;
    known.icmp = read.icmp();
    known.icmp_reply_id = read.icmp_reply_id();
    known.mark = read.mark;
    known.zones = read.zones;
    known.timeout = read.timeout;
    known.counters = read.counters();
    known.helper = read.helper;
    known.labels = read.labels;
    Ok(known)
}

/// The words of a line, as far as they were read.
#[derive(Default)]
struct Reading {
    /// How many `src=` there were: the second begins the answers' direction.
    directions: usize,
    tuples: [Tuple; 2],
    timeout: Option<u64>,
    tcp: Option<TcpState>,
    unreplied: bool,
    assured: bool,
    mark: u32,
    zones: (u16, u16),
    helper: Option<Text>,
    labels: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Default)]
struct Tuple {
    src: Option<std::net::IpAddr>,
    dst: Option<std::net::IpAddr>,
    sport: Option<u16>,
    dport: Option<u16>,
    icmp: (Option<u8>, Option<u8>, Option<u16>),
    packets: Option<u64>,
    bytes: Option<u64>,
}

impl Tuple {
    fn finish(self) -> Option<ConnectionTuple> {
        Some(ConnectionTuple { src: self.src?, sport: self.sport, dst: self.dst?, dport: self.dport })
    }
}

impl Reading {
    fn word(&mut self, word: Word<'_>) -> Result<(), ContextError> {
        let Some((key, value)) = word.text.split_once('=') else {
            self.flag(word);
            return Ok(());
        };
        if key == "src" {
            self.directions += 1;
        }
        let bad = || word.expected("a value of its kind");
        let number = |text: &str| super::values::number(text).ok_or_else(bad);
        let small = |text: &str| number(text).and_then(|n| u16::try_from(n).map_err(|_| bad()));
        let byte = |text: &str| number(text).and_then(|n| u8::try_from(n).map_err(|_| bad()));
        let Some(tuple) = self.tuples.get_mut(self.directions.saturating_sub(1)) else {
            return Err(word.error("is a third direction"));
        };
        match key {
            "src" => tuple.src = Some(value.parse().map_err(|_| bad())?),
            "dst" => tuple.dst = Some(value.parse().map_err(|_| bad())?),
            "sport" => tuple.sport = Some(small(value)?),
            "dport" => tuple.dport = Some(small(value)?),
            "type" => tuple.icmp.0 = Some(byte(value)?),
            "code" => tuple.icmp.1 = Some(byte(value)?),
            "id" if tuple.icmp.0.is_some() => tuple.icmp.2 = Some(small(value)?),
            "packets" => tuple.packets = Some(value.parse().map_err(|_| bad())?),
            "bytes" => tuple.bytes = Some(value.parse().map_err(|_| bad())?),
            "mark" => self.mark = number(value)?,
            "zone" => self.zones = (small(value)?, small(value)?),
            "zone-orig" => self.zones.0 = small(value)?,
            "zone-reply" => self.zones.1 = small(value)?,
            "helper" => self.helper = Some(Text::from(value)),
            "labels" => self.labels = labels(value),
            // srckey, dstkey, secctx, use, delta-time, …
            _ => {}
        }
        Ok(())
    }

    fn flag(&mut self, word: Word<'_>) {
        match word.text {
            "[UNREPLIED]" => self.unreplied = true,
            "[ASSURED]" => self.assured = true,
            text if self.directions == 0 => {
                self.tcp = self.tcp.or(TcpState::named(text));
                self.timeout = self.timeout.or(text.parse().ok());
            }
            // [OFFLOAD], [HW_OFFLOAD], …
            _ => {}
        }
    }

    /// The id of the answers, where it is another one.
    fn icmp_reply_id(&self) -> Option<u16> {
        let [original, reply] = &self.tuples;
        reply.icmp.2.filter(|id| original.icmp.2 != Some(*id))
    }

    fn icmp(&self) -> Option<(u8, u8, u16)> {
        let (kind, code, id) = self.tuples.first()?.icmp;
        Some((kind?, code.unwrap_or(0), id?))
    }

    fn counters(&self) -> Option<[(u64, u64); 2]> {
        let [original, reply] = self.tuples;
        let of = |tuple: Tuple| Some((tuple.packets?, tuple.bytes?));
        Some([of(original)?, of(reply)?])
    }
}

/// Labels by number, `labels=3,17`; none where they have names that only the host knows.
fn labels(text: &str) -> Option<Vec<u8>> {
    text.split(',').map(|label| label.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<TrackedConnection>, Vec<String>) {
        let (connections, errors) = connections(3, text);
        (connections, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_three_forms_are_one() {
        let plain = "tcp      6 431999 ESTABLISHED src=10.0.0.5 dst=10.96.0.1 sport=45678 dport=443 \
                     src=172.30.4.40 dst=10.0.0.5 sport=12388 dport=45678 [ASSURED] mark=5 use=1";
        for text in
            [plain.to_owned(), format!("ipv4     2 {plain}"), format!("ipv4 2 {plain} zone=0 use=2\r")]
        {
            let (connections, errors) = read(&text);
            assert_eq!(errors, [""; 0]);
            let known = &connections[0];
            assert!(known.assured && !known.unreplied && known.is_dnat() && !known.is_snat());
            assert_eq!(
                (known.tcp, known.timeout, known.mark),
                (Some(TcpState::Established), Some(431_999), 5)
            );
            assert_eq!((known.reply.sport, known.line), (Some(12388), Some((3, 1))));
        }
    }

    #[test]
    fn what_else_a_line_can_hold() {
        let (connections, errors) = read(
            "conntrack v1.4.7 (conntrack-tools): 4 flow entries have been shown.\n\
             icmp     1 29 src=10.0.0.5 dst=1.1.1.1 type=8 code=0 id=77 packets=1 bytes=84 src=1.1.1.1 dst=10.0.0.5 type=0 code=0 id=77 packets=0 bytes=0 mark=0 zone=7 use=1\n\
             tcp      6 src=10.0.0.5 dst=10.0.0.6 sport=1 dport=2 src=10.0.0.6 dst=10.0.0.5 sport=2 dport=1 [OFFLOAD] mark=0 helper=ftp labels=3,17 use=2\n\
             ipv6     10 unknown  89 590 src=fe80::1 dst=ff02::5 [UNREPLIED] src=ff02::5 dst=fe80::1 mark=0\n",
        );
        assert_eq!(errors, [""; 0]);
        assert_eq!(connections[0].icmp, Some((8, 0, 77)));
        assert_eq!(connections[0].zones, (7, 7));
        assert_eq!(connections[0].counters, Some([(1, 84), (0, 0)]));
        assert_eq!((connections[1].tcp, connections[1].timeout), (None, None));
        assert_eq!(connections[1].labels.as_deref(), Some([3, 17].as_slice()));
        assert_eq!(connections[2].protocol, Protocol(89));
    }

    #[test]
    fn a_bad_line_loses_itself_alone() {
        let good =
            "udp 17 29 src=10.0.0.5 dst=10.0.0.6 sport=1 dport=2 src=10.0.0.6 dst=10.0.0.5 sport=2 dport=1";
        let (connections, errors) = read(&format!(
            "udp 17 29 src=10.0.0.5 dst=10.0\n{good}\nudp 17 29 src=10.0.0.5 dst=10.0.0.6\nhello\n"
        ));
        assert_eq!(connections.len(), 1);
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert_eq!(errors[0], "1:24: `dst=10.0` is not a value of its kind");
        assert_eq!(errors[1], "3:1: `udp` has not the addresses of both directions");
    }
}
