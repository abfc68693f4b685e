use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// One word of a line, as `iptables-restore` splits it: blanks part words, a double quote opens a
/// part in which blanks count and `\` escapes, and the closing quote ends the word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    /// Offset of the first byte in the line, the opening quote included.
    pub(crate) start: u32,
    /// Offset behind the last byte, the closing quote included.
    pub(crate) end: u32,
    quoting: Quoting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quoting {
    None,
    /// Quotes around, nothing escaped inside.
    Around,
    /// Escapes inside, or a quote in the middle.
    Inside,
    /// The closing quote is missing.
    Open,
}

impl Word {
    /// The word without its quotes and escapes.
    pub(crate) fn text<'l>(&self, line: &'l [u8]) -> Cow<'l, [u8]> {
        let raw = self.raw(line);
        match self.quoting {
            Quoting::None => Cow::Borrowed(raw),
            Quoting::Around => Cow::Borrowed(raw.get(1..raw.len() - 1).unwrap_or_default()),
            Quoting::Inside | Quoting::Open => Cow::Owned(unescape(raw)),
        }
    }

    /// The word as it stands in the line.
    pub(crate) fn raw<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        line.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The word when nothing about it is quoted: quoted text is never an option or a `!`.
    pub(crate) fn bare<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        if self.quoting == Quoting::None { self.raw(line) } else { b"" }
    }

    /// The part of a plain word from an offset in the line on.
    pub(crate) fn part_from(&self, start: u32) -> Word {
        Word { start: start.min(self.end), ..*self }
    }

    /// Whether the closing quote is missing.
    pub(crate) fn is_open(&self) -> bool {
        self.quoting == Quoting::Open
    }
}

fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied();
    let mut quoted = false;
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => quoted = !quoted,
            b'\\' if quoted => out.extend(bytes.next()),
            _ => out.push(byte),
        }
    }
    out
}

/// Splits a line into words, from the offset `from` on.
pub(crate) fn split_words(line: &[u8], from: usize, words: &mut Vec<Word>) {
    words.clear();
    let has_tab = memchr(b'\t', line).is_some();
    let mut at = from;
    loop {
        while line.get(at).is_some_and(|&b| is_blank(b)) {
            at += 1;
        }
        if at >= line.len() {
            return;
        }
        let (end, quoting) = word_end(line, at, has_tab);
        words.push(Word { start: offset(at), end: offset(end), quoting });
        at = end;
    }
}

fn word_end(line: &[u8], start: usize, has_tab: bool) -> (usize, Quoting) {
    let stop = plain_end(line, start, has_tab);
    if line.get(stop) != Some(&b'"') {
        return (stop, Quoting::None);
    }
    let mut quoting = if stop == start { Quoting::Around } else { Quoting::Inside };
    let mut at = stop + 1;
    loop {
        let inside = line.get(at..).unwrap_or_default();
        match memchr2(b'"', b'\\', inside) {
            None => return (line.len(), Quoting::Open),
            Some(found) if inside.get(found) == Some(&b'"') => return (at + found + 1, quoting),
            Some(found) => {
                quoting = Quoting::Inside;
                at += found + 2;
            }
        }
    }
}

/// Where the next blank or quote stands, or the line ends: eight bytes at a time, since words are too
/// short for what `memchr` does first.
fn plain_end(line: &[u8], start: usize, has_tab: bool) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // A blank and a quote differ in one bit alone.
    const BLANK: u64 = ONES * b' ' as u64;
    const BUT_THAT: u64 = !(ONES * (b' ' ^ b'"') as u64);
    // The lowest set bit is right; those above it can be of bytes that only follow a borrow.
    let zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes & HIGH;
    let mut at = start;
    while let Some(eight) = line.get(at..).and_then(<[u8]>::first_chunk) {
        let bytes = u64::from_le_bytes(*eight);
        let mut found = zero((bytes & BUT_THAT) ^ BLANK);
        if has_tab {
            found |= zero(bytes ^ (ONES * u64::from(b'\t')));
        }
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = line.get(at..).unwrap_or_default();
    at + rest.iter().position(|&b| is_blank(b) || b == b'"').unwrap_or(rest.len())
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Offsets are 32 bits wide because a dump of 4 GiB or more is refused before it is split.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        split_words(line.as_bytes(), 0, &mut words);
        words.iter().map(|w| String::from_utf8(w.text(line.as_bytes()).into_owned()).unwrap()).collect()
    }

    #[test]
    fn quoting_as_iptables_restore_reads_it() {
        assert_eq!(
            words(r#"-m comment --comment "a b" -j X"#),
            ["-m", "comment", "--comment", "a b", "-j", "X"]
        );
        assert_eq!(words(r#"AC"CE"PT"#), ["ACCE", "PT"]);
        assert_eq!(words(r#""a \"q\" \' \\ b""#), [r#"a "q" ' \ b"#]);
        assert_eq!(words(r"a\b 'c"), [r"a\b", "'c"]);
        assert_eq!(words("\"\"\t x "), ["", "x"]);
        assert_eq!(words("\"open end"), ["open end"]);
        assert_eq!(words("\"ends in \\"), ["ends in "]);
    }
}
