use crate::extensions::{Match, Target};
use crate::types::{Family, Text};
use crate::{Chain, Dump, OptionText, OptionValue, Rule};

impl Dump {
    pub(super) fn write_rules(&self, family: Option<Family>, chain: &Chain, out: &mut Vec<u8>) {
        let mut verbatim = None;
        for rule in &chain.rules {
            let is_unknown = rule.unknown_parts().next().is_some();
            if is_unknown && appends(self.slice(rule.span)) {
                // The rules of one address list share a line, which stands once.
                if verbatim.replace(rule.span) != Some(rule.span) {
                    out.extend_from_slice(self.slice(rule.span).trim_ascii());
                    out.push(b'\n');
                }
                continue;
            }
            if let Some(counters) = rule.counters {
                out.extend_from_slice(format!("{counters} ").as_bytes());
            }
            out.extend_from_slice(b"-A ");
            word(chain.name.as_bytes(), out);
            write_parts(family, rule, out);
            out.push(b'\n');
        }
    }
}

/// Whether a line says `-A`, so that it stands again as it is.
fn appends(line: &[u8]) -> bool {
    let mut words = line.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty());
    matches!(words.find(|word| !word.starts_with(b"[")), Some(b"-A" | b"--append"))
}

fn write_parts(family: Option<Family>, rule: &Rule, out: &mut Vec<u8>) {
    options(&rule.base.options(), out);
    for part in &rule.matches {
        if let Match::Unknown(unknown) = part {
            out.push(b' ');
            out.extend_from_slice(unknown.text.as_bytes());
            continue;
        }
        out.extend_from_slice(b" -m ");
        out.extend_from_slice(part.name().as_bytes());
        options(&part.options_in(family), out);
    }
    match &rule.target {
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
            options(&target.options_in(family), out);
        }
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
    if name.is_empty() || name.iter().any(|b| matches!(b, b' ' | b'\t' | b'"')) {
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
