//! The matches of a listed rule, each in the words that `iptables -L` has for it.
#![expect(clippy::format_push_string, reason = "options are put together as text, a few words a rule")]

use super::{Pieces, with_mark};
use crate::extensions::Match;
use crate::types::Text;

impl Pieces<'_> {
    pub(super) fn comment(&mut self) -> Option<()> {
        let inside = self.rest().strip_prefix("/* ")?;
        let end = inside.find(" */")?;
        self.skip_blanks();
        self.at += "/* ".len() + end + " */".len();
        let comment = crate::extensions::CommentMatch { comment: Some(Text::from(inside.get(..end)?)) };
        self.matches.push(Match::Comment(comment));
        Some(())
    }

    /// `tcp spt:!5 dpts:1:2 option=3 flags:0x17/0x02`
    pub(super) fn ports(&mut self, protocol: &str) -> Option<()> {
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

    pub(super) fn flags(&mut self, options: &mut String) -> Option<()> {
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
    pub(super) fn icmp(&mut self, word: &str) -> Option<()> {
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

    pub(super) fn conntrack(&mut self, mark: &str, first: &str) -> Option<()> {
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

    pub(super) fn address_types(&mut self) -> Option<()> {
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

    pub(super) fn statistic(&mut self) -> Option<()> {
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

    pub(super) fn recent(&mut self, mark: &str) -> Option<()> {
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
    pub(super) fn as_saved(&mut self, name: &str, start: &str) -> Option<()> {
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

    pub(super) fn set(&mut self, mut options: String) -> Option<()> {
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

    pub(super) fn owner(&mut self, mut mark: &'static str) -> Option<()> {
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

    pub(super) fn ranges(&mut self, first: &str) -> Option<()> {
        let option = |word: &str| if word == "source" { "--src-range" } else { "--dst-range" };
        let mut options = self.value_with_mark(option(first))?;
        if first == "source" && self.eat("destination IP range") {
            options += " ";
            options += &self.value_with_mark("--dst-range")?;
        }
        self.add("iprange", &options)
    }

    pub(super) fn connections(&mut self) -> Option<()> {
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

    pub(super) fn hops(&mut self, word: &str) -> Option<()> {
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
}
