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
    #[inline]
    pub(crate) fn text<'l>(&self, line: &'l [u8]) -> Cow<'l, [u8]> {
        let raw = self.raw(line);
        match self.quoting {
            Quoting::None => Cow::Borrowed(raw),
            Quoting::Around => Cow::Borrowed(raw.get(1..raw.len() - 1).unwrap_or_default()),
            Quoting::Inside | Quoting::Open => unescape(raw),
        }
    }

    /// The word as it stands in the line.
    #[inline]
    pub(crate) fn raw<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        line.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The word when nothing about it is quoted: quoted text is never an option or a `!`.
    #[inline]
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

#[cold]
fn unescape(raw: &[u8]) -> Cow<'_, [u8]> {
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
    Cow::Owned(out)
}

/// Splits a line into words, from the offset `from` on.
pub(crate) fn split_words(line: &[u8], from: usize, words: &mut Vec<Word>) {
    words.clear();
    let has_tab = memchr(b'\t', line).is_some();
    // Where the word starts, and the bytes looked at.
    let (mut start, mut window) = (from, from);
    while window < line.len() {
        let mut stops = stops(line, window, has_tab);
        let mut next = window + WINDOW;
        while stops != 0 {
            let stop = window + stops.trailing_zeros() as usize;
            stops &= stops - 1;
            if line.get(stop) == Some(&b'"') {
                let (end, quoting) = quoted_end(line, start, stop);
                words.push(Word { start: offset(start), end: offset(end), quoting });
                start = end;
                if end >= next {
                    next = end;
                    break;
                }
                stops &= u64::MAX << (end - window);
            } else {
                if stop > start {
                    words.push(Word { start: offset(start), end: offset(stop), quoting: Quoting::None });
                }
                start = stop + 1;
            }
        }
        window = next;
    }
    if start < line.len() {
        words.push(Word { start: offset(start), end: offset(line.len()), quoting: Quoting::None });
    }
}

/// Where a word ends that has its first quote at `quote`.
fn quoted_end(line: &[u8], start: usize, quote: usize) -> (usize, Quoting) {
    let mut quoting = if quote == start { Quoting::Around } else { Quoting::Inside };
    let mut at = quote + 1;
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

/// How many bytes are looked at in one step.
const WINDOW: usize = 64;

/// Where blanks and quotes stand in the window that starts at an offset: a bit for each byte. Words are too
/// short for what `memchr` does first.
#[inline]
fn stops(line: &[u8], at: usize, has_tab: bool) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // A blank and a quote differ in one bit alone.
    const BLANK: u64 = ONES * b' ' as u64;
    const BUT_THAT: u64 = !(ONES * (b' ' ^ b'"') as u64);
    const TAB: u64 = ONES * b'\t' as u64;
    const LOW: u64 = ONES * 0x7f;
    // The high bit of each byte that is zero: exact, whatever stands in the one below.
    let zero = |bytes: u64| !(((bytes & LOW) + LOW) | bytes | LOW);
    let rest = line.get(at..).unwrap_or_default();
    let mut end = [0; WINDOW];
    let window = match rest.first_chunk::<WINDOW>() {
        Some(window) => window,
        None => {
            if let Some(end) = end.get_mut(..rest.len()) {
                end.copy_from_slice(rest);
            }
            &end
        }
    };
    let (eights, _) = window.as_chunks::<8>();
    eights.iter().rev().fold(0, |stops, eight| {
        let bytes = u64::from_le_bytes(*eight);
        let mut found = zero((bytes & BUT_THAT) ^ BLANK);
        if has_tab {
            found |= zero(bytes ^ TAB);
        }
        // Gathers the eight bits.
        stops << 8 | (found >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    })
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

    #[test]
    fn words_of_every_length_at_every_place() {
        for len in 1..40 {
            for blanks in 1..12 {
                let word = "x".repeat(len);
                let line = format!("{}{word}{}\u{a2}y\u{120}", " ".repeat(blanks), "\t".repeat(blanks));
                assert_eq!(words(&line), [word.as_str(), "\u{a2}y\u{120}"]);
                assert_eq!(words(&format!("{word}\"a b\"{word}")), [format!("{word}a b"), word.clone()]);
            }
        }
    }
}
