//! What stands behind the columns of a listed rule: matches and target in words of their own
//! (`tcp dpt:80 /* web */ ctstate NEW to:10.0.0.1`).
//!
//! Each piece is written again as options and read by its extension. Where a piece is not known, or
//! is known not to show all, the rest of the line is unknown.
#![expect(clippy::format_push_string, reason = "options are put together as text, a few words a rule")]

mod matches;
mod targets;

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
}

/// An option and its value, where a `!` may stand at the value's start.
fn with_mark(mark: &str, option: &str, value: &str) -> String {
    match value.strip_prefix('!') {
        Some(value) => format!("! {option} {value}"),
        None => format!("{mark}{option} {value}"),
    }
}
