//! The targets of a listed rule and their options, in the words that `iptables -L` has for them.

use super::Pieces;
use crate::syntax::split_words;

impl<'t> Pieces<'t> {
    /// A piece that is the target's.
    pub(super) fn target_piece(&mut self) -> Option<()> {
        self.skip_blanks();
        let before = self.at;
        let done = self.try_target();
        if done.is_none() {
            self.at = before;
        }
        done
    }

    pub(super) fn try_target(&mut self) -> Option<()> {
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

    pub(super) fn valued(&mut self, option: &str) -> Option<()> {
        let value = self.next()?;
        self.option(&format!("{option} {value}"))
    }

    /// A word, or a text in quotes with its quotes.
    pub(super) fn quoted(&mut self) -> Option<&'t str> {
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
    pub(super) fn mark(&mut self, name: &str) -> Option<()> {
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
    pub(super) fn log(&mut self) -> Option<()> {
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
