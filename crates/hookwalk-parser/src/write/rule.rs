use super::Origin;
use crate::extensions::{Match, Target};
use crate::syntax::{Word, split_words};
use crate::types::{Family, Text};
use crate::{Backend, Chain, Dump, OptionText, OptionValue, Rule};

impl Dump {
    /// Whether the dump ends in the line that holds this offset.
    fn is_last_line(&self, at: u32) -> bool {
        self.text().get(at as usize..).is_none_or(|rest| memchr::memchr(b'\n', rest).is_none())
    }

    pub(super) fn write_rules(&self, origin: Option<Origin>, chain: &Chain, out: &mut Vec<u8>) {
        let mut verbatim = None;
        for rule in &chain.rules {
            let is_unknown = rule.unknown_parts().next().is_some();
            // Where the dump ends in this line, what would follow is unknown, and must stay so.
            let is_cut = is_unknown && self.is_last_line(rule.span.end);
            // No option takes three words.
            let end = if is_cut { " … … …\n".as_bytes() } else { b"\n" };
            if is_unknown && appends(self.slice(rule.span), chain.name.as_bytes()) {
                // The rules of one address list share a line, which stands once.
                if verbatim.replace(rule.span) != Some(rule.span) {
                    out.extend_from_slice(trim_blanks(self.slice(rule.span)));
                    protect_cr(out);
                    out.extend_from_slice(end);
                }
                continue;
            }
            if let Some(counters) = rule.counters {
                out.extend_from_slice(format!("{counters} ").as_bytes());
            }
            out.extend_from_slice(b"-A ");
            word(chain.name.as_bytes(), out);
            match behind_command(self.slice(rule.span)).filter(|_| is_unknown) {
                Some(parts) => {
                    out.push(b' ');
                    out.extend_from_slice(trim_blanks(parts));
                }
                // A quote that opens in the chain's name leaves nothing of the rule.
                None if is_unknown && names_open_chain(self.slice(rule.span)) => {
                    out.extend_from_slice(" … … …".as_bytes());
                }
                None => write_parts(origin, rule, out),
            }
            if is_unknown {
                let blanks = out.iter().rev().take_while(|b| matches!(b, b' ' | b'\t')).count();
                out.truncate(out.len() - blanks);
                protect_cr(out);
            } else if out.ends_with(b"\r") {
                // A blank behind it keeps it in its word: an interface can have such a name.
                out.push(b' ');
            }
            out.extend_from_slice(end);
        }
    }
}

fn trim_blanks(text: &[u8]) -> &[u8] {
    let is_text = |b: &u8| !matches!(b, b' ' | b'\t');
    let start = text.iter().position(is_text).unwrap_or(text.len());
    let end = text.iter().rposition(is_text).map_or(start, |at| at + 1);
    text.get(start..end).unwrap_or_default()
}

/// A carriage return at the end of a line would be taken for a part of the line's end.
fn protect_cr(out: &mut Vec<u8>) {
    if out.ends_with(b"\r") {
        out.extend_from_slice(" … … …".as_bytes());
    }
}

/// The words of a line that starts with a command, without the counters before it.
fn command_words(line: &[u8]) -> Vec<Word> {
    let from = if line.trim_ascii_start().starts_with(b"[") {
        memchr::memchr(b']', line).map_or(0, |at| at + 1)
    } else {
        0
    };
    let mut words = Vec::new();
    split_words(line, from, &mut words);
    words
}

/// Whether a line says `-A CHAIN`, so that it stands again as it is.
fn appends(line: &[u8], chain: &[u8]) -> bool {
    let words = command_words(line);
    let is = |at: usize, wanted: &[u8]| {
        words.get(at).is_some_and(|word| !word.is_open() && *word.text(line) == *wanted)
    };
    (is(0, b"-A") || is(0, b"--append")) && is(1, chain)
}

fn names_open_chain(line: &[u8]) -> bool {
    let words = command_words(line);
    let is_command = words.first().is_some_and(|word| word.bare(line).starts_with(b"-"));
    is_command && words.get(1).is_some_and(Word::is_open)
}

/// What stands behind `-A CHAIN`, `-I CHAIN 1` or `-R CHAIN 1`; none for another line.
fn behind_command(line: &[u8]) -> Option<&[u8]> {
    let words = command_words(line);
    let may_have_number = match words.first()?.bare(line) {
        b"-A" | b"--append" => false,
        b"-I" | b"--insert" | b"-R" | b"--replace" => true,
        _ => return None,
    };
    if words.get(1)?.is_open() {
        return None;
    }
    let has_number = may_have_number && words.get(2)?.bare(line).iter().all(u8::is_ascii_digit);
    line.get(words.get(if has_number { 3 } else { 2 })?.start as usize..)
}

fn write_parts(origin: Option<Origin>, rule: &Rule, out: &mut Vec<u8>) {
    let family = origin.map(|(family, _)| family);
    let is_nft = origin.is_some_and(|(_, backend)| backend == Some(Backend::Nft));
    options(&rule.base.options(), out);
    for part in &rule.matches {
        write_match(part, family, is_nft, out);
    }
    write_target(&rule.target, family, is_nft, out);
}

fn write_match(part: &Match, family: Option<Family>, is_nft: bool, out: &mut Vec<u8>) {
    if let Match::Unknown(unknown) = part {
        out.push(b' ');
        out.extend_from_slice(unknown.text.as_bytes());
        return;
    }
    out.extend_from_slice(b" -m ");
    out.extend_from_slice(part.name().as_bytes());
    options(&part.options_of(family, is_nft), out);
}

fn write_target(target: &Target, family: Option<Family>, is_nft: bool, out: &mut Vec<u8>) {
    match target {
        Target::None => {}
        Target::Unknown(unknown) => {
            out.push(b' ');
            out.extend_from_slice(unknown.text.as_bytes());
        }
        Target::Jump(name) => jump(b" -j ", name, out),
        Target::Goto(name) => jump(b" -g ", name, out),
        target => {
            out.extend_from_slice(b" -j ");
            out.extend_from_slice(target.name().as_bytes());
            options(&target.options_of(family, is_nft), out);
        }
    }
}

impl Match {
    /// The match as legacy iptables-save 1.8.9 prints it, with its `-m`; what was not understood, as it was
    /// read. Bytes that are no UTF-8 are replaced.
    ///
    /// ```
    /// let dump = hookwalk_parser::parse("*filter\n:X - [0:0]\n-A X -p tcp ! --dport 80\nCOMMIT\n");
    /// let rule = &dump.tables()[0].chains[0].rules[0];
    /// assert_eq!(rule.matches[0].text(None), "-m tcp ! --dport 80");
    /// ```
    pub fn text(&self, family: Option<Family>) -> String {
        let mut out = Vec::new();
        write_match(self, family, false, &mut out);
        String::from_utf8_lossy(trim_blanks(&out)).into_owned()
    }
}

impl Target {
    /// The target as legacy iptables-save 1.8.9 prints it, with its `-j` or `-g`; empty where there is none.
    /// As [`Match::text`] otherwise.
    pub fn text(&self, family: Option<Family>) -> String {
        let mut out = Vec::new();
        write_target(self, family, false, &mut out);
        String::from_utf8_lossy(trim_blanks(&out)).into_owned()
    }
}

impl std::fmt::Display for OptionText {
    /// `! --dport 80`, as iptables-save prints it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = Vec::new();
        options(std::slice::from_ref(self), &mut out);
        f.write_str(&String::from_utf8_lossy(trim_blanks(&out)))
    }
}

fn jump(option: &[u8], name: &Text, out: &mut Vec<u8>) {
    out.extend_from_slice(option);
    word(name.as_bytes(), out);
}

fn options(options: &[OptionText], out: &mut Vec<u8>) {
    for OptionText { name, negated, values } in options {
        out.extend_from_slice(if *negated { b" ! " } else { b" " });
        out.extend_from_slice(name.as_bytes());
        // The real tool puts two blanks here.
        if *name == "--nfacct-name" {
            out.push(b' ');
        }
        for value in values {
            out.push(b' ');
            match value {
                OptionValue::Bare(text) => out.extend_from_slice(text.as_bytes()),
                OptionValue::Raw(text) => word(text.as_bytes(), out),
                OptionValue::Quoted(text) if is_plain(text.as_bytes()) => {
                    out.extend_from_slice(text.as_bytes());
                }
                OptionValue::Quoted(text) => quoted(text.as_bytes(), b"\"\\'", out),
                OptionValue::AlwaysQuoted(text) => quoted(text.as_bytes(), b"\"\\", out),
            }
        }
    }
}

/// A name that the kernel gave: raw, unless it would not be read as one word again.
pub(super) fn word(name: &[u8], out: &mut Vec<u8>) {
    if name.is_empty() || name.ends_with(b"\r") || name.iter().any(|b| matches!(b, b' ' | b'\t' | b'"')) {
        quoted(name, b"\"\\", out);
    } else {
        out.extend_from_slice(name);
    }
}

/// What `xtables_save_string` leaves without quotes.
fn is_plain(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn quoted(text: &[u8], escaped: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        if escaped.contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}
