//! What stands behind the columns of a listed rule: matches and target in words of their own
//! (`tcp dpt:80 /* web */ ctstate NEW to:10.0.0.1`).
//!
//! Each piece is written again as options and read by its extension. Where a piece is not known, or
//! is known not to show all, the rest of the line is unknown.
#![expect(clippy::format_push_string, reason = "options are put together as text, a few words a rule")]

use crate::extensions::{Match, Target};
use crate::syntax::{Arguments, split_words};
use crate::types::Text;

/// What was read of a listed rule.
pub(super) struct Listed {
    pub(super) matches: Vec<Match>,
    /// None where the target is not known, or not all of its options.
    pub(super) target: Option<Target>,
    /// From where on the text is not understood.
    pub(super) unknown_from: Option<usize>,
}

/// Reads the text behind the columns.
pub(super) fn read(rest: &[u8], name: Option<&[u8]>, chain: Option<Text>) -> Listed {
    let Ok(text) = std::str::from_utf8(rest) else {
        let target = chain.map(Target::Jump).or_else(|| without_options(name));
        return Listed { matches: Vec::new(), target, unknown_from: Some(0) };
    };
    let mut pieces =
        Pieces { text, at: 0, name: name.unwrap_or_default(), matches: Vec::new(), options: String::new() };
    let is_goto = pieces.eat("[goto]");
    let is_chain = chain.is_some();
    let mut unknown_from = None;
    while !pieces.rest().is_empty() {
        let before = pieces.at;
        if pieces.piece(!is_chain).is_none() {
            unknown_from =
                Some(before + (text.len() - before - text.get(before..).map_or(0, |t| t.trim_start().len())));
            break;
        }
    }
    let target = match (name, chain) {
        (None, _) => Some(Target::None),
        (Some(_), Some(chain)) => Some(if is_goto { Target::Goto(chain) } else { Target::Jump(chain) }),
        (Some(name), None) if is_goto => Some(Target::Goto(Text::from(name))),
        (Some(name), None) => match without_options(Some(name)) {
            Some(target) => Some(target),
            None if Target::named(name).is_none() => Some(Target::Jump(Text::from(name))),
            // An option that was not read may be the target's.
            None if unknown_from.is_some() => None,
            None => target(name, &pieces.options),
        },
    };
    Listed { matches: pieces.matches, target, unknown_from }
}

/// The targets that have no options.
fn without_options(name: Option<&[u8]>) -> Option<Target> {
    let Some(name) = name else { return Some(Target::None) };
    matches!(name, b"ACCEPT" | b"DROP" | b"RETURN" | b"QUEUE").then(|| Target::named(name)).flatten()
}

fn target(name: &[u8], options: &str) -> Option<Target> {
    let mut target = Target::named(name)?;
    take_options(options, |option| target.read(option).ok())?;
    target.missing().is_none().then_some(target)
}

/// Offers each option of a text to an extension; none when one is refused.
fn take_options(options: &str, mut read: impl FnMut(&mut Arguments<'_>) -> Option<bool>) -> Option<()> {
    let (line, mut words) = (options.as_bytes(), Vec::new());
    split_words(line, 0, &mut words);
    let mut at = 0;
    while at < words.len() {
        let negated = words.get(at)?.bare(line) == b"!";
        at += usize::from(negated);
        let mut arguments = Arguments::new(line, words.get(at..)?, negated);
        if !read(&mut arguments)? {
            return None;
        }
        at += arguments.used();
    }
    Some(())
}

struct Pieces<'t> {
    text: &'t str,
    at: usize,
    /// The target's name.
    name: &'t [u8],
    matches: Vec<Match>,
    /// The target's options.
    options: String,
}

impl<'t> Pieces<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default().trim_start()
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().len();
    }

    /// The next word, without moving.
    fn peek(&self) -> &'t str {
        self.rest().split([' ', '\t']).next().unwrap_or_default()
    }

    fn next(&mut self) -> Option<&'t str> {
        self.skip_blanks();
        let word = self.peek();
        self.at += word.len();
        (!word.is_empty()).then_some(word)
    }

    /// Moves over words when they stand here.
    fn eat(&mut self, words: &str) -> bool {
        let before = self.at;
        for word in words.split(' ') {
            if self.next() != Some(word) {
                self.at = before;
                return false;
            }
        }
        true
    }

    /// Moves over a `!` when one stands here; gives it as it stands before an option.
    fn negation(&mut self) -> &'static str {
        if self.eat("!") { "! " } else { "" }
    }

    fn add(&mut self, name: &str, options: &str) -> Option<()> {
        let mut opened = Match::open(name.as_bytes())?;
        take_options(options, |option| opened.read(option).ok())?;
        opened.missing().is_none().then(|| self.matches.push(opened))
    }

    #[expect(clippy::unnecessary_wraps, reason = "it ends the pieces of a target, which may fail")]
    fn option(&mut self, option: &str) -> Option<()> {
        self.options += " ";
        self.options += option;
        Some(())
    }

    /// `name value`, the value with or without a `!` at its start.
    fn value_with_mark(&mut self, option: &str) -> Option<String> {
        let negation = self.negation();
        let value = self.next()?;
        Some(with_mark(negation, option, value))
    }

    /// Reads one piece; none when it is not known.
    fn piece(&mut self, may_be_target: bool) -> Option<()> {
        if may_be_target && self.target_piece().is_some() {
            return Some(());
        }
        self.skip_blanks();
        let before = self.at;
        let done = self.match_piece();
        if done.is_none() {
            self.at = before;
        }
        done
    }

    fn match_piece(&mut self) -> Option<()> {
        if self.rest().starts_with("/*") {
            return self.comment();
        }
        let negated = self.eat("!");
        let mark = if negated { "! " } else { "" };
        let word = self.next()?;
        match (word, negated) {
            ("tcp" | "udp" | "udplite" | "sctp" | "dccp", false) => self.ports(word),
            ("icmptype" | "icmp" | "ipv6-icmptype" | "ipv6-icmp", false) => self.icmp(word),
            (
                "ctstate" | "ctproto" | "ctorigsrc" | "ctorigdst" | "ctreplsrc" | "ctrepldst"
                | "ctorigsrcport" | "ctorigdstport" | "ctreplsrcport" | "ctrepldstport" | "ctstatus"
                | "ctexpire" | "ctdir",
                _,
            ) => self.conntrack(mark, word),
            ("state", _) => {
                let states = self.next()?;
                self.add("state", &format!("{mark}--state {states}"))
            }
            ("mark" | "MARK" | "connmark" | "CONNMARK", false) if self.eat("match") => {
                let options = self.value_with_mark("--mark")?;
                self.add(&word.to_ascii_lowercase(), &options)
            }
            ("ADDRTYPE", false) if self.eat("match") => self.address_types(),
            ("statistic", false) if self.eat("mode") => self.statistic(),
            ("multiport", false) => {
                let option = match self.next()? {
                    "dports" => "--dports",
                    "sports" => "--sports",
                    "ports" => "--ports",
                    _ => return None,
                };
                let options = self.value_with_mark(option)?;
                self.add("multiport", &options)
            }
            ("limit:", false) if self.eat("avg") => {
                let rate = self.next()?;
                let burst = if self.eat("burst") { self.next()? } else { return None };
                self.add("limit", &format!("--limit {rate} --limit-burst {burst}"))
            }
            ("recent:", _) => self.recent(mark),
            ("PHYSDEV", false) if self.eat("match") => self.as_saved("physdev", "--physdev-"),
            ("match-set", _) => {
                let (name, directions) = (self.next()?, self.next()?);
                let options = format!("{mark}--match-set {name} {directions}");
                self.set(options)
            }
            ("owner", _) => self.owner(mark),
            ("MAC", false) => {
                let options = self.value_with_mark("--mac-source")?;
                self.add("mac", &options)
            }
            ("PKTTYPE", false) => {
                let mark = match self.next()? {
                    "=" => "",
                    "!=" => "! ",
                    _ => return None,
                };
                let kind = self.next()?;
                self.add("pkttype", &format!("{mark}--pkt-type {kind}"))
            }
            ("source" | "destination", false) if self.eat("IP range") => self.ranges(word),
            ("#conn", false) => self.connections(),
            ("length", false) => {
                let options = self.value_with_mark("--length")?;
                self.add("length", &options)
            }
            ("TTL" | "HL", false) if self.eat("match") => self.hops(word),
            ("rpfilter", false) => {
                let mut options = String::new();
                while let known @ ("loose" | "validmark" | "accept-local" | "invert") = self.peek() {
                    self.next();
                    options += &format!(" --{known}");
                }
                self.add("rpfilter", &options)
            }
            ("socket", false) => self.as_saved("socket", "--"),
            ("DSCP", false) if self.eat("match") => {
                let options = self.value_with_mark("--dscp")?;
                self.add("dscp", &options)
            }
            ("tcpmss", false) if self.eat("match") => {
                let options = self.value_with_mark("--mss")?;
                self.add("tcpmss", &options)
            }
            ("cpu", false) => {
                let options = self.value_with_mark("--cpu")?;
                self.add("cpu", &options)
            }
            _ => None,
        }
    }

    fn comment(&mut self) -> Option<()> {
        let inside = self.rest().strip_prefix("/* ")?;
        let end = inside.find(" */")?;
        self.skip_blanks();
        self.at += "/* ".len() + end + " */".len();
        let comment = crate::extensions::CommentMatch { comment: Some(Text::from(inside.get(..end)?)) };
        self.matches.push(Match::Comment(comment));
        Some(())
    }

    /// `tcp spt:!5 dpts:1:2 option=3 flags:0x17/0x02`
    fn ports(&mut self, protocol: &str) -> Option<()> {
        let mut options = String::new();
        loop {
            let word = self.peek();
            let (kind, value) = if let Some(at) = word.find([':', '=']) {
                (word.get(..at)?, word.get(at + 1..)?)
            } else {
                break;
            };
            // Old versions leave out the blank: `dpt:22flags: 0x17/0x02`.
            let (value, glued) = match value.find("flags:") {
                Some(at) => (value.get(..at)?, true),
                None => (value, false),
            };
            let option = match kind {
                "spt" | "spts" => "--sport",
                "dpt" | "dpts" => "--dport",
                "option" => "--tcp-option",
                "flags" if protocol == "tcp" => {
                    self.flags(&mut options)?;
                    continue;
                }
                _ => break,
            };
            self.skip_blanks();
            self.at += kind.len() + 1 + value.len();
            if !glued && !self.peek().is_empty() && !self.text.get(self.at..)?.starts_with([' ', '\t']) {
                return None;
            }
            options += " ";
            options += &with_mark("", option, value);
        }
        // Chunks and types are shown in numbers that are not read.
        let more = self.peek();
        let has_more =
            more.starts_with(|c: char| c.is_ascii_digit()) || matches!(more, "!" | "any" | "all" | "only");
        if matches!(protocol, "sctp" | "dccp") && has_more {
            return None;
        }
        self.add(protocol, &options)
    }

    fn flags(&mut self, options: &mut String) -> Option<()> {
        self.skip_blanks();
        self.at += "flags:".len();
        let told = self.next()?;
        let (mark, told) = told.strip_prefix('!').map_or(("", told), |rest| ("! ", rest));
        let (looked_at, set) = told.split_once('/')?;
        let names = |hex: &str| {
            const FLAGS: [&str; 6] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"];
            let bits = u8::from_str_radix(hex.strip_prefix("0x")?, 16).ok()?;
            let set: Vec<_> =
                (0..).zip(FLAGS).filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| name).collect();
            (bits < 0x40).then(|| if set.is_empty() { "NONE".to_owned() } else { set.join(",") })
        };
        *options += &format!(" {mark}--tcp-flags {} {}", names(looked_at)?, names(set)?);
        Some(())
    }

    /// `icmptype 8 code 0`, `icmp !type 3 code 4`, `icmp echo-request`
    fn icmp(&mut self, word: &str) -> Option<()> {
        let (name, option) =
            if word.starts_with("ipv6") { ("icmp6", "--icmpv6-type") } else { ("icmp", "--icmp-type") };
        let (mark, kind) = if word.ends_with("type") {
            ("", self.next()?)
        } else {
            match self.next()? {
                "!type" => ("! ", self.next()?),
                kind => kind.strip_prefix('!').map_or(("", kind), |kind| ("! ", kind)),
            }
        };
        let mut value = kind.to_owned();
        if self.eat("code") {
            value = format!("{value}/{}", self.next()?);
        } else if self.peek() == "codes" {
            return None;
        }
        self.add(name, &format!("{mark}{option} {value}"))
    }

    fn conntrack(&mut self, mark: &str, first: &str) -> Option<()> {
        let value = self.next()?;
        let mut options = format!("{mark}--{first} {value}");
        loop {
            let before = self.at;
            let mark = self.negation();
            let word = self.peek();
            let known =
                word.starts_with("ct") && word.len() > 4 && word.bytes().all(|b| b.is_ascii_lowercase());
            if !known || options.contains(&format!("--{word} ")) {
                self.at = before;
                break;
            }
            self.next();
            let value = self.next()?;
            options += &format!(" {mark}--{word} {value}");
        }
        self.add("conntrack", &options)
    }

    fn address_types(&mut self) -> Option<()> {
        let mut options = String::new();
        loop {
            let option = match self.peek() {
                "src-type" => "--src-type",
                "dst-type" => "--dst-type",
                "limit-in" => "--limit-iface-in",
                "limit-out" => "--limit-iface-out",
                _ => break,
            };
            if options.contains(option) {
                break;
            }
            self.next();
            options += " ";
            if option.ends_with("type") {
                let types = self.next()?;
                options += &with_mark("", option, types);
            } else {
                options += option;
            }
        }
        self.add("addrtype", &options)
    }

    fn statistic(&mut self) -> Option<()> {
        let mode = self.next()?;
        let mark = self.negation();
        let options = match (mode, self.next()?) {
            ("random", "probability") => format!("--mode random {mark}--probability {}", self.next()?),
            ("nth", "every") => {
                let every = self.next()?;
                let packet = if self.eat("packet") { self.next()? } else { "0" };
                format!("--mode nth {mark}--every {every} --packet {packet}")
            }
            _ => return None,
        };
        self.add("statistic", &options)
    }

    fn recent(&mut self, mark: &str) -> Option<()> {
        let action = match self.next()? {
            "SET" => "--set",
            "CHECK" => "--rcheck",
            "UPDATE" => "--update",
            "REMOVE" => "--remove",
            _ => return None,
        };
        let mut options = format!("{mark}{action}");
        loop {
            let option = match self.peek() {
                "seconds:" => "--seconds",
                "hit_count:" => "--hitcount",
                "name:" => "--name",
                "mask:" => "--mask",
                "reap" => "--reap",
                "TTL-Match" => "--rttl",
                "side:" => {
                    self.next();
                    options += match self.next()? {
                        "source" => " --rsource",
                        "dest" => " --rdest",
                        _ => return None,
                    };
                    continue;
                }
                _ => break,
            };
            self.next();
            options += " ";
            options += option;
            if !matches!(option, "--reap" | "--rttl") {
                options += " ";
                options += self.next()?;
            }
        }
        self.add("recent", &options)
    }

    /// Options that the listing shows as a save does.
    fn as_saved(&mut self, name: &str, start: &str) -> Option<()> {
        let mut options = String::new();
        loop {
            let before = self.at;
            let mark = self.negation();
            let word = self.peek();
            if !word.starts_with(start) {
                self.at = before;
                break;
            }
            self.next();
            options += &format!(" {mark}{word}");
            if matches!(word, "--physdev-in" | "--physdev-out") {
                options += " ";
                options += self.next()?;
            }
        }
        self.add(name, &options)
    }

    fn set(&mut self, mut options: String) -> Option<()> {
        loop {
            let before = self.at;
            let mark = self.negation();
            let word = self.peek();
            match word {
                "return-nomatch" | "update-counters" | "update-subcounters" => {
                    self.next();
                    options += &format!(" {mark}--{word}");
                }
                "packets-eq" | "packets-lt" | "packets-gt" | "bytes-eq" | "bytes-lt" | "bytes-gt" => {
                    self.next();
                    options += &format!(" {mark}--{word} {}", self.next()?);
                }
                _ => {
                    self.at = before;
                    break;
                }
            }
        }
        self.add("set", &options)
    }

    fn owner(&mut self, mut mark: &'static str) -> Option<()> {
        let mut options = String::new();
        loop {
            let option = if self.eat("UID match") {
                "--uid-owner"
            } else if self.eat("GID match") {
                "--gid-owner"
            } else if self.eat("socket exists") {
                "--socket-exists"
            } else {
                return None;
            };
            options += &format!(" {mark}{option}");
            if option != "--socket-exists" {
                options += " ";
                options += self.next()?;
            }
            if self.eat("incl. suppl. groups") {
                options += " --suppl-groups";
            }
            let before = self.at;
            mark = self.negation();
            let again = ["UID match", "GID match", "socket exists"];
            let names = ["--uid-owner", "--gid-owner", "--socket-exists"];
            let follows = self.eat("owner")
                && again
                    .iter()
                    .zip(names)
                    .any(|(words, name)| self.rest().starts_with(words) && !options.contains(name));
            if !follows {
                self.at = before;
                break;
            }
        }
        self.add("owner", &options)
    }

    fn ranges(&mut self, first: &str) -> Option<()> {
        let option = |word: &str| if word == "source" { "--src-range" } else { "--dst-range" };
        let mut options = self.value_with_mark(option(first))?;
        if first == "source" && self.eat("destination IP range") {
            options += " ";
            options += &self.value_with_mark("--dst-range")?;
        }
        self.add("iprange", &options)
    }

    fn connections(&mut self) -> Option<()> {
        let (side, mask) = self.next()?.split_once('/')?;
        let option = match self.next()? {
            ">" => "--connlimit-above",
            "<=" => "--connlimit-upto",
            _ => return None,
        };
        let count = self.next()?;
        let side = match side {
            "src" => "--connlimit-saddr",
            "dst" => "--connlimit-daddr",
            _ => return None,
        };
        self.add("connlimit", &format!("{option} {count} --connlimit-mask {mask} {side}"))
    }

    fn hops(&mut self, word: &str) -> Option<()> {
        let (name, start) = if word == "TTL" { ("ttl", "--ttl") } else { ("hl", "--hl") };
        if !self.eat(word) {
            return None;
        }
        let (mark, option) = match self.next()? {
            "==" => ("", "eq"),
            "!=" => ("! ", "eq"),
            "<" => ("", "lt"),
            ">" => ("", "gt"),
            _ => return None,
        };
        let hops = self.next()?;
        self.add(name, &format!("{mark}{start}-{option} {hops}"))
    }

    /// A piece that is the target's.
    fn target_piece(&mut self) -> Option<()> {
        self.skip_blanks();
        let before = self.at;
        let done = self.try_target();
        if done.is_none() {
            self.at = before;
        }
        done
    }

    fn try_target(&mut self) -> Option<()> {
        let name = std::str::from_utf8(self.name).ok()?;
        let word = self.next()?;
        match (name, word) {
            ("DNAT" | "SNAT" | "NETMAP", _) if word.starts_with("to:") => {
                let option = match name {
                    "DNAT" => "--to-destination",
                    "SNAT" => "--to-source",
                    _ => "--to",
                };
                let value = word.get(3..)?;
                self.option(&format!("{option} {value}"))
            }
            ("DNAT" | "SNAT" | "MASQUERADE" | "REDIRECT", "random" | "random-fully" | "persistent") => {
                self.option(&format!("--{word}"))
            }
            ("MASQUERADE", "masq") if self.eat("ports:") => self.valued("--to-ports"),
            ("REDIRECT", "redir") if self.eat("ports") => self.valued("--to-ports"),
            ("MARK", "MARK") | ("CONNMARK", "CONNMARK") => self.mark(name),
            ("REJECT", "reject-with") => self.valued("--reject-with"),
            ("LOG", "LOG") => self.log(),
            ("NFLOG", "nflog-prefix" | "nflog-group" | "nflog-size" | "nflog-range" | "nflog-threshold") => {
                let value = self.quoted()?;
                self.option(&format!("--{word} {value}"))
            }
            ("CT", "CT") => {
                while let word @ ("notrack" | "helper" | "ctevents" | "expevents" | "zone" | "zone-orig"
                | "zone-reply" | "timeout") = self.peek()
                {
                    self.next();
                    self.option(&format!("--{word}"))?;
                    if word != "notrack" {
                        let value = self.next()?;
                        self.option(value)?;
                    }
                }
                Some(())
            }
            ("NOTRACK", "NOTRACK") => Some(()),
            ("TPROXY", "TPROXY") if self.eat("redirect") => {
                let place = self.next()?;
                let (address, port) = place.rsplit_once(':')?;
                let address = address.trim_matches(['[', ']']);
                let mark = if self.eat("mark") { self.next()? } else { return None };
                self.option(&format!("--on-port {port} --on-ip {address} --tproxy-mark {mark}"))
            }
            ("NFQUEUE", "NFQUEUE") => {
                match self.next()? {
                    "num" => self.valued("--queue-num")?,
                    "balance" => self.valued("--queue-balance")?,
                    _ => return None,
                }
                if self.eat("bypass") {
                    self.option("--queue-bypass")?;
                }
                if self.eat("cpu-fanout") { self.option("--queue-cpu-fanout") } else { Some(()) }
            }
            ("TCPMSS", "TCPMSS") if self.eat("clamp to PMTU") => self.option("--clamp-mss-to-pmtu"),
            ("TCPMSS", "TCPMSS") if self.eat("set") => self.valued("--set-mss"),
            ("CHECKSUM", "CHECKSUM") if self.eat("fill") => self.option("--checksum-fill"),
            ("TOS", "TOS") if self.eat("set") => self.valued("--set-tos"),
            ("DSCP", "DSCP") if self.eat("set") => self.valued("--set-dscp"),
            ("TTL", "TTL") | ("HL", "HL") => {
                let start = if name == "TTL" { "--ttl" } else { "--hl" };
                let what = match (self.next()?, self.next()?) {
                    ("set", "to") => "set",
                    ("decrement", "by") => "dec",
                    ("increment", "by") => "inc",
                    _ => return None,
                };
                self.valued(&format!("{start}-{what}"))
            }
            ("AUDIT", "AUDIT") => self.valued("--type"),
            ("TEE", "TEE") => {
                let gateway = self.next()?.strip_prefix("gw:")?;
                self.option(&format!("--gateway {gateway}"))?;
                match self.peek().strip_prefix("oif=") {
                    Some(interface) => {
                        self.next();
                        self.option(&format!("--oif {interface}"))
                    }
                    None => Some(()),
                }
            }
            _ => None,
        }
    }

    fn valued(&mut self, option: &str) -> Option<()> {
        let value = self.next()?;
        self.option(&format!("{option} {value}"))
    }

    /// A word, or a text in quotes with its quotes.
    fn quoted(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        if !rest.starts_with('"') {
            return self.next();
        }
        let (line, mut words) = (rest.as_bytes(), Vec::new());
        split_words(line, 0, &mut words);
        let word = words.first()?;
        self.skip_blanks();
        self.at += word.end as usize;
        rest.get(..word.end as usize)
    }

    /// `MARK xset 0x1/0xff`, `CONNMARK restore mask 0xff`
    fn mark(&mut self, name: &str) -> Option<()> {
        let action = self.next()?;
        match (name, action) {
            (_, "set" | "xset" | "or" | "and" | "xor") => {
                let option = match action {
                    "set" => "--set-mark",
                    "xset" => "--set-xmark",
                    "or" => "--or-mark",
                    "and" => "--and-mark",
                    _ => "--xor-mark",
                };
                self.valued(option)?;
            }
            ("CONNMARK", "save" | "restore") => {
                self.option(&format!("--{action}-mark"))?;
                if self.eat("mask") {
                    self.valued("--mask")?;
                } else if self.peek() == "nfmask" {
                    return None;
                }
            }
            _ => return None,
        }
        if name == "CONNMARK"
            && let word @ ("left-shift-mark" | "right-shift-mark") = self.peek()
        {
            self.next();
            self.valued(&format!("--{word}"))?;
        }
        Some(())
    }

    /// `LOG flags 47 level 7 prefix "a b"`: the prefix is not escaped, and ends the line.
    fn log(&mut self) -> Option<()> {
        if self.eat("flags") {
            let bits: u8 = self.next()?.parse().ok()?;
            let known = [
                (1, "--log-tcp-sequence"),
                (2, "--log-tcp-options"),
                (4, "--log-ip-options"),
                (8, "--log-uid"),
                (32, "--log-macdecode"),
            ];
            for (bit, option) in known {
                if bits & bit != 0 {
                    self.option(option)?;
                }
            }
            if bits & !0x2f != 0 {
                return None;
            }
        }
        if !self.eat("level") {
            return None;
        }
        match self.next()? {
            // The save leaves it out.
            "4" => {}
            level => self.option(&format!("--log-level {level}"))?,
        }
        if self.eat("prefix") {
            let told = self.rest().trim_end();
            let open = told.chars().next().filter(|c| matches!(c, '"' | '`'))?;
            let close = if open == '"' { '"' } else { '\'' };
            let prefix = told.get(1..)?.strip_suffix(close)?;
            let prefix = prefix.replace('\\', "\\\\").replace('"', "\\\"");
            self.at = self.text.len();
            self.option(&format!("--log-prefix \"{prefix}\""))?;
        }
        Some(())
    }
}

/// An option and its value, where a `!` may stand at the value's start.
fn with_mark(mark: &str, option: &str, value: &str) -> String {
    match value.strip_prefix('!') {
        Some(value) => format!("! {option} {value}"),
        None => format!("{mark}{option} {value}"),
    }
}
