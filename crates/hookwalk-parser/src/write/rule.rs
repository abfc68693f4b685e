use std::cell::OnceCell;

use rustc_hash::FxHashMap;

use super::Origin;
use crate::extensions::{Match, Target};
use crate::types::{Family, MaskedAddress, Negatable, Text};
use crate::{Backend, BaseMatches, Chain, Dump, OptionText, OptionValue, Rule, Table};

/// The rules of one table as they are written.
pub(super) struct RuleWriter<'d> {
    pub(super) dump: &'d Dump,
    pub(super) table: &'d Table,
    /// In the order they are written.
    pub(super) chains: Vec<&'d Chain>,
    /// What whoever reads the text takes the table for.
    pub(super) origin: Option<Origin>,
    /// Chains with the name of a target: where they stand, the name means them.
    hidden_targets: Vec<&'d [u8]>,
    /// The lines of rules with something unknown that stand as they are, once such a rule asks for its own.
    pub(super) standing: OnceCell<FxHashMap<u32, Vec<u8>>>,
}

impl<'d> RuleWriter<'d> {
    pub(super) fn new(
        dump: &'d Dump,
        table: &'d Table,
        chains: Vec<&'d Chain>,
        origin: Option<Origin>,
    ) -> Self {
        let names = chains.iter().map(|chain| chain.name.as_bytes());
        let hidden_targets = names.filter(|name| Target::named(name).is_some()).collect();
        RuleWriter { dump, table, chains, origin, hidden_targets, standing: OnceCell::new() }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let rules = self.chains.iter().flat_map(|chain| chain.rules.iter().map(move |rule| (chain, rule)));
        for (chain, rule) in rules {
            if rule.unknown_parts().next().is_some() {
                self.unknown(rule, chain, out);
            } else {
                append(rule, chain, out);
                self.parts(rule, out);
                out.push(b'\n');
            }
        }
    }

    /// The parts of a rule from its typed fields. What was not understood, and what would be understood
    /// otherwise where it is written, stands in quotes, which are never read as an option.
    pub(super) fn parts(&self, rule: &Rule, out: &mut Vec<u8>) {
        let family = self.origin.map(|(family, _)| family);
        let is_nft = self.origin.is_some_and(|(_, backend)| backend == Some(Backend::Nft));
        let is_other =
            |told: Option<Family>| told.is_some_and(|told| family.is_some_and(|family| told != family));
        let BaseMatches { source, destination, .. } = rule.base.unpack();
        let of = |address: Option<Negatable<MaskedAddress>>| address.map(|address| address.value.family());
        for option in &rule.base.options() {
            let is_other = match option.name {
                "-s" => is_other(of(source)),
                "-d" => is_other(of(destination)),
                _ => false,
            };
            quoted_if(is_other, out, |out| options(std::slice::from_ref(option), out));
        }
        for part in &rule.matches {
            if let Match::Unknown(unknown) = part {
                out.push(b' ');
                super::unknown::in_quotes(unknown.text.as_bytes(), out);
                continue;
            }
            quoted_if(is_other(part.family()), out, |out| write_match(part, family, is_nft, out));
        }
        match &rule.target {
            Target::None => {}
            Target::Unknown(unknown) => super::unknown::target(unknown, out),
            Target::Jump(name) => {
                jump(b" -j ", name, out);
                // The chain is gone: its name alone would be read as the target's.
                if Target::named(name.as_bytes()).is_some() && !self.is_hidden(name.as_bytes()) {
                    out.extend_from_slice(b" \"\"");
                }
            }
            Target::Goto(name) => jump(b" -g ", name, out),
            target if self.is_hidden(target.name().as_bytes()) => {
                out.extend_from_slice(b" -j ");
                out.extend_from_slice(target.name().as_bytes());
                let mut text = Vec::new();
                options(&target.options_of(family, is_nft), &mut text);
                out.push(b' ');
                quoted(text.trim_ascii_start(), b"\"\\", out);
            }
            target => write_target(target, family, is_nft, out),
        }
    }

    /// Whether a chain of the table has the name of this target.
    pub(super) fn is_hidden(&self, target: &[u8]) -> bool {
        self.hidden_targets.contains(&target)
    }
}

fn write_match(part: &Match, family: Option<Family>, is_nft: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b" -m ");
    out.extend_from_slice(part.name().as_bytes());
    options(&part.options_of(family, is_nft), out);
}

fn write_target(target: &Target, family: Option<Family>, is_nft: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b" -j ");
    out.extend_from_slice(target.name().as_bytes());
    options(&target.options_of(family, is_nft), out);
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
        if let Match::Unknown(unknown) = self {
            return unknown.text.to_str().trim().to_owned();
        }
        let mut out = Vec::new();
        write_match(self, family, false, &mut out);
        String::from_utf8_lossy(out.trim_ascii()).into_owned()
    }
}

impl Target {
    /// The target as legacy iptables-save 1.8.9 prints it, with its `-j` or `-g`; empty where there is none.
    /// As [`Match::text`] otherwise.
    pub fn text(&self, family: Option<Family>) -> String {
        let mut out = Vec::new();
        match self {
            Target::None => {}
            Target::Unknown(unknown) => out.extend_from_slice(unknown.text.as_bytes()),
            Target::Jump(name) => jump(b" -j ", name, &mut out),
            Target::Goto(name) => jump(b" -g ", name, &mut out),
            target => write_target(target, family, false, &mut out),
        }
        String::from_utf8_lossy(out.trim_ascii()).into_owned()
    }
}

impl std::fmt::Display for OptionText {
    /// `! --dport 80`, as iptables-save prints it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = Vec::new();
        options(std::slice::from_ref(self), &mut out);
        f.write_str(&String::from_utf8_lossy(out.trim_ascii()))
    }
}

/// `-A CHAIN`, behind the rule's counters.
pub(super) fn append(rule: &Rule, chain: &Chain, out: &mut Vec<u8>) {
    if let Some(counters) = rule.counters {
        out.extend_from_slice(format!("{counters} ").as_bytes());
    }
    out.extend_from_slice(b"-A ");
    word(chain.name.as_bytes(), out);
}

/// Writes what starts with a blank, if need be as one word in quotes.
fn quoted_if(is_quoted: bool, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    if is_quoted {
        let text = out.split_off((start + 1).min(out.len()));
        quoted(&text, b"\"\\", out);
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

/// A name that the kernel gave: raw, unless it would not be read as one word of its own again.
pub(super) fn word(name: &[u8], out: &mut Vec<u8>) {
    let is_other = name.is_empty() || name == b"!" || name.ends_with(b"\r");
    if is_other || name.iter().any(|b| matches!(b, b' ' | b'\t' | b'"')) {
        quoted(name, b"\"\\", out);
    } else {
        out.extend_from_slice(name);
    }
}

/// What `xtables_save_string` leaves without quotes.
fn is_plain(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

pub(super) fn quoted(text: &[u8], escaped: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for &byte in text {
        if escaped.contains(&byte) {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}
