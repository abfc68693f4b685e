//! What stands around a dump in files and mails: prompts and their commands, error messages of the
//! tools, line numbers, marks of quotation, and the text of `nft`.

use super::origin::Origin;
use crate::Backend;
use crate::types::Family;

/// What a command says about the lines that it printed, or that it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Command<'l> {
    pub(super) origin: Origin,
    /// The table of `-S` and `-L`.
    pub(super) table: Option<&'l [u8]>,
    /// `iptables-restore --noflush`
    pub(super) noflush: bool,
    /// It adds, moves or takes away rules or chains.
    pub(super) changes: bool,
}

/// A line with a shell's prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prompt<'l> {
    /// The command of iptables behind it, when there is one.
    pub(super) command: Option<Command<'l>>,
}

/// Reads a command line in which some word is a program of iptables.
fn command(text: &[u8]) -> Option<Command<'_>> {
    let mut words = text.split(|b| matches!(b, b' ' | b'\t')).filter(|word| !word.is_empty());
    let program = words.by_ref().map(base_name).find(|word| is_program(word))?;
    let has = |part: &[u8]| program.windows(part.len()).any(|window| window == part);
    let mut command = Command::default();
    command.origin.family = Some(if program.starts_with(b"ip6") { Family::V6 } else { Family::V4 });
    command.origin.backend = match (has(b"-nft"), has(b"-legacy")) {
        (true, _) => Some(Backend::Nft),
        (_, true) => Some(Backend::Legacy),
        _ => None,
    };
    let (is_restore, mut lists, mut table) = (program.ends_with(b"-restore"), false, None);
    while let Some(word) = words.next() {
        match word {
            b"-t" | b"--table" => table = words.next(),
            b"|" | b">" | b"<" | b"<<" => break,
            b"--noflush" | b"-n" if is_restore => command.noflush = true,
            b"--list-rules" | b"--list" => lists = true,
            b"--append" | b"--insert" | b"--delete" | b"--replace" | b"--flush" | b"--policy"
            | b"--new-chain" | b"--delete-chain" | b"--rename-chain" => command.changes = true,
            [b'-', b't', name @ ..] if !name.is_empty() => table = Some(name),
            [b'-', short @ ..] if !short.starts_with(b"-") => {
                lists |= short.iter().any(|b| matches!(b, b'S' | b'L'));
                command.changes |=
                    matches!(short, b"A" | b"I" | b"D" | b"R" | b"F" | b"X" | b"N" | b"P" | b"E");
                if short.ends_with(b"t") {
                    table = words.next();
                }
            }
            _ => {}
        }
    }
    command.table = if lists { table.or(Some(b"filter")) } else { None };
    Some(command)
}

fn base_name(word: &[u8]) -> &[u8] {
    memchr::memrchr(b'/', word).and_then(|at| word.get(at + 1..)).unwrap_or(word)
}

fn is_program(word: &[u8]) -> bool {
    let rest = word.strip_prefix(b"iptables").or_else(|| word.strip_prefix(b"ip6tables"));
    matches!(
        rest,
        Some(
            b"" | b"-save"
                | b"-restore"
                | b"-legacy"
                | b"-legacy-save"
                | b"-legacy-restore"
                | b"-nft"
                | b"-nft-save"
                | b"-nft-restore"
        )
    )
}

/// Reads a line with a shell's prompt: none when it has none.
pub(super) fn prompt(line: &[u8]) -> Option<Prompt<'_>> {
    const LONGEST: usize = 120;
    let line = line.trim_ascii();
    let shown = line.get(..LONGEST).unwrap_or(line);
    for at in memchr::memchr3_iter(b'#', b'$', b'%', shown) {
        let behind = line.get(at + 1..).unwrap_or_default();
        if !(behind.is_empty() || behind.starts_with(b" ")) {
            continue;
        }
        let before = shown.get(..at).unwrap_or_default();
        let told = command(behind.get(..LONGEST).unwrap_or(behind));
        if before.is_empty() {
            // `# iptables -S` is no prompt for sure: it may be a comment about the lines behind it.
            let first = behind.trim_ascii_start();
            let starts = |word: &[u8]| first.starts_with(word);
            let is_command = starts(b"iptables") || starts(b"ip6tables") || starts(b"sudo ");
            return (told.is_some() && is_command).then_some(Prompt { command: told });
        }
        let name = before.trim_ascii_end();
        let is_prompt = (name.contains(&b'@') && !name.starts_with(b"-"))
            || (name.starts_with(b"[") && name.ends_with(b"]") && name.len() > 2)
            || name.starts_with(b"sh-")
            || name.starts_with(b"bash-")
            || matches!(name, b"/" | b"~");
        if is_prompt {
            return Some(Prompt { command: told });
        }
    }
    None
}

/// A line that is nothing but a command of iptables, as a script prints what it runs. The family is
/// not taken from it: programs print several commands in a row and then what one of them is given.
pub(super) fn bare_command(line: &[u8]) -> Option<Command<'_>> {
    let line = line.trim_ascii();
    let first = line.split(|b| matches!(b, b' ' | b'\t')).next().unwrap_or_default();
    let is_plain = is_program(base_name(first)) && memchr::memchr(b':', line).is_none();
    let told = if is_plain { command(line) } else { None }?;
    Some(Command { origin: Origin::default(), ..told })
}

/// The version line of `iptables -V`, which tells the backend.
pub(super) fn version(line: &[u8]) -> Option<Backend> {
    let mut words = line.trim_ascii_end().split(|&b| b == b' ');
    let (program, version, backend, end) = (words.next()?, words.next()?, words.next()?, words.next());
    if !is_program(program) || !version.starts_with(b"v") || end.is_some() {
        return None;
    }
    match backend {
        b"(nf_tables)" => Some(Backend::Nft),
        b"(legacy)" => Some(Backend::Legacy),
        _ => None,
    }
}

/// Whether a line is an error message of iptables or of the shell that did not find it.
pub(super) fn is_tool_error(line: &[u8]) -> bool {
    const LONGEST: usize = 400;
    const SAID: &[&[u8]] = &[
        b"not found",
        b"ermission denied",
        b"can't initialize",
        b"ould not fetch rule set",
        b"No such file",
        b"does not exist",
        b"o chain/target/match",
        b"Fatal",
        b"xtables lock",
        b"for more information",
        b"needs to be upgraded",
        b"Operation not permitted",
        b"insmod",
        b"Bad ",
        b"failed",
    ];
    let line = line.get(..LONGEST).unwrap_or(line);
    let has = |part: &[u8]| line.windows(part.len()).any(|window| window == part);
    (has(b"tables") || line.starts_with(b"modprobe") || line.starts_with(b"sudo:"))
        && SAID.iter().any(|said| has(said))
}

/// Whether a line stands for others that somebody left out.
pub(super) fn is_elision(line: &[u8]) -> bool {
    const LONGEST: usize = 60;
    if line.len() > LONGEST {
        return false;
    }
    let Ok(text) = std::str::from_utf8(line) else { return false };
    let bare = text.trim_matches(|c: char| " \t.-[]()<>*#/\u{2026}\u{2014}=".contains(c));
    // `# -----` is a line that a person drew in a comment.
    let is_mark = |c: &char| ".\u{2026}".contains(*c) || (*c == '-' && !text.starts_with('#'));
    let marks = text.chars().filter(is_mark).count();
    let said = bare.to_ascii_lowercase();
    match said.as_str() {
        "" => marks >= 3 || text.contains('\u{2026}') || text.trim_matches(['[', ']', '(', ')', ' ']) == "..",
        "snip" | "snipped" | "cut" | "omitted" | "truncated" | "skipped" | "more" | "etc"
        | "output omitted" => true,
        _ => false,
    }
}

/// A fence around code, with the name of a language or without.
pub(super) fn is_fence(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let tag = line.strip_prefix(b"```").or_else(|| line.strip_prefix(b"~~~"));
    tag.is_some_and(|tag| {
        tag.len() < 20 && tag.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'`' | b'~' | b'-'))
    })
}

/// How many bytes stand before a line of a dump: a line number with what sets it apart.
pub(super) fn line_number(content: &[u8]) -> Option<usize> {
    let digits = content.iter().take_while(|b| b.is_ascii_digit()).count();
    if digits == 0 || digits > 9 {
        return None;
    }
    let behind = content.get(digits..).unwrap_or_default();
    let mark = usize::from(matches!(behind.first(), Some(b':' | b'.' | b')' | b'|')));
    let blanks = behind.iter().skip(mark).take_while(|b| matches!(b, b' ' | b'\t')).count();
    let rest = behind.get(mark + blanks..).unwrap_or_default();
    (mark + blanks > 0 && starts_dump_line(rest)).then_some(digits + mark + blanks)
}

/// Whether a text starts as a line of a dump does.
pub(super) fn starts_dump_line(text: &[u8]) -> bool {
    match text {
        [b'-', letter, b' ' | b'\t', ..] => letter.is_ascii_alphabetic(),
        [b'-', b'-', letter, ..] => letter.is_ascii_lowercase(),
        [b'[', digit, ..] => digit.is_ascii_digit(),
        [b':' | b'*', name, ..] => !name.is_ascii_whitespace() || text.first() == Some(&b'*'),
        [b'#', ..] => true,
        _ => text.trim_ascii_end() == b"COMMIT" || text.starts_with(b"Chain "),
    }
}

/// How far the text of `nft` goes that starts in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nft {
    /// This line alone.
    Line,
    /// Up to the line `}`.
    Block,
}

/// Recognises what `nft list ruleset` prints, as text and as JSON, and commands of `nft -f`.
pub(super) fn nft(content: &[u8], behind: &[u8]) -> Option<Nft> {
    let family =
        |word: Option<&[u8]>| matches!(word, Some(b"ip" | b"ip6" | b"inet" | b"arp" | b"bridge" | b"netdev"));
    let content = content.trim_ascii_end();
    if content.starts_with(b"{") {
        let names_nft = |text: &[u8]| {
            let text = text.get(..80).unwrap_or(text);
            text.windows(10).any(|window| window == b"\"nftables\"")
        };
        return match content {
            b"{" => names_nft(behind).then_some(Nft::Block),
            _ => names_nft(content).then_some(Nft::Line),
        };
    }
    let mut words = content.split(|&b| b == b' ').filter(|word| !word.is_empty());
    match (words.next(), words.next()) {
        (Some(b"table"), told) if family(told) && content.ends_with(b"{") => Some(Nft::Block),
        (Some(b"flush"), Some(b"ruleset")) => Some(Nft::Line),
        (
            Some(b"add" | b"insert" | b"create" | b"delete" | b"flush"),
            Some(b"table" | b"chain" | b"rule" | b"set" | b"map" | b"element"),
        ) if family(words.next()) => Some(Nft::Line),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop where it is wrong")]
mod tests {
    use super::*;

    #[test]
    fn prompts() {
        let told = |line: &'static str| prompt(line.as_bytes()).and_then(|prompt| prompt.command);
        for line in [
            "root@node:~# iptables-save",
            "[root@node ~]# iptables-save -c",
            "sh-4.4# /usr/sbin/iptables-save",
            "/ # iptables-save",
            "$ sudo iptables-save",
            "me@laptop:~$ kubectl exec -it x -- iptables-save > file",
        ] {
            let command = told(line).unwrap();
            assert_eq!((command.origin.family, command.table), (Some(Family::V4), None), "{line}");
        }
        assert_eq!(told("root@x:~# iptables -t nat -S").unwrap().table, Some(&b"nat"[..]));
        assert_eq!(told("root@x:~# ip6tables -vnxL -t raw").unwrap().table, Some(&b"raw"[..]));
        assert_eq!(told("# iptables -nvLt mangle").unwrap().table, Some(&b"mangle"[..]));
        assert_eq!(told("# iptables -S").unwrap().table, Some(&b"filter"[..]));
        assert!(told("$ iptables-restore --noflush <<EOF").unwrap().noflush);
        assert_eq!(prompt(b"root@x:~#"), Some(Prompt { command: None }));
        assert_eq!(prompt(b"# comment about iptables"), None);
        assert_eq!(prompt(b"-A X -m comment --comment a@b# -j Y"), None);
        assert_eq!(prompt(b"[12:34] -A X"), None);
    }

    #[test]
    fn elisions() {
        for line in ["...", "---", "[...]", "\u{2026}", "-- snip --", "<snip>", "[truncated]", ". . ."] {
            assert!(is_elision(line.as_bytes()), "{line}");
        }
        for line in ["-A", "COMMIT", "-", "--", "=====", "[0:0]", "*nat", "snippet", "# ------"] {
            assert!(!is_elision(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn line_numbers() {
        assert_eq!(line_number(b"12:-A X -j Y"), Some(3));
        assert_eq!(line_number(b"3::INPUT ACCEPT [0:0]"), Some(2));
        assert_eq!(line_number(b"7\t*nat"), Some(2));
        assert_eq!(line_number(b"8. COMMIT"), Some(3));
        assert_eq!(line_number(b"1: lo: <LOOPBACK>"), None);
        assert_eq!(line_number(b"12-A X"), None);
    }
}
