//! What a context file is made of: lines of text, and the elements of JSON documents.

use serde_json::value::RawValue;

use super::error::{ContextError, Position, quoted};
use super::json::Object;
use super::text::Line;

/// One part of a file.
#[derive(Debug)]
pub(super) enum Piece<'t> {
    /// A line that is not blank.
    Line(Line<'t>),
    /// An object of a JSON document: an element of its array, or the document itself.
    Object(Position, Object),
    /// JSON that cannot be read; the rest of its document is passed over.
    Bad(ContextError),
}

/// Takes a file apart. Lines that start with `[` or `{` are JSON, of which several may follow one
/// another, and text may stand before and behind.
#[derive(Debug)]
pub(super) struct Pieces<'t> {
    text: &'t str,
    offset: usize,
    line: u32,
    line_start: usize,
    in_array: bool,
    /// Passing over what a bad document leaves.
    skipping: bool,
}

pub(super) fn pieces(text: &str) -> Pieces<'_> {
    Pieces { text, offset: 0, line: 1, line_start: 0, in_array: false, skipping: false }
}

impl<'t> Pieces<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn place(&self) -> Position {
        let column = self.offset.saturating_sub(self.line_start).saturating_add(1);
        Position { line: self.line, column: u32::try_from(column).unwrap_or(u32::MAX) }
    }

    /// Goes on by some bytes, counting lines.
    fn advance(&mut self, bytes: usize) {
        let end = self.offset.saturating_add(bytes).min(self.text.len());
        for (at, _) in self.text.get(self.offset..end).unwrap_or_default().match_indices('\n') {
            self.line = self.line.saturating_add(1);
            self.line_start = self.offset + at + 1;
        }
        self.offset = end;
    }

    fn advance_over(&mut self, skipped: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.advance(rest.len() - rest.trim_start_matches(skipped).len());
    }

    /// The next element of a JSON document, or why there is none.
    fn element(&mut self) -> Piece<'t> {
        let start = self.place();
        let mut stream = serde_json::Deserializer::from_str(self.rest()).into_iter::<&RawValue>();
        match stream.next() {
            Some(Ok(raw)) => {
                self.advance(stream.byte_offset());
                match Object::read(raw.get()) {
                    Some(object) => Piece::Object(start, object),
                    None => Piece::Bad(start.error(format!("{} is not a JSON object", quoted(raw.get())))),
                }
            }
            Some(Err(error)) => {
                let before = offset_of(self.rest(), error.line(), error.column());
                self.advance(before);
                (self.in_array, self.skipping) = (false, true);
                let kind = if error.is_eof() { "the JSON ends early" } else { "this is not JSON" };
                Piece::Bad(self.place().error(kind))
            }
            None => {
                self.in_array = false;
                Piece::Bad(start.error("the JSON ends early, expected `]`"))
            }
        }
    }

    /// The rest of the line, leaving the offset behind it.
    fn line(&mut self) -> Line<'t> {
        let (rest, at) = (self.rest(), self.place());
        let text = rest.split('\n').next().unwrap_or_default();
        self.advance(text.len() + 1);
        Line { text: text.trim_end_matches('\r'), at }
    }
}

/// The byte that `serde_json` names by line and column in a text.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut offset = (start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        loop {
            if self.in_array {
                self.advance_over(|c| c.is_ascii_whitespace() || c == ',');
                if self.rest().starts_with(']') {
                    self.in_array = false;
                    self.advance(1);
                    continue;
                }
                return Some(self.element());
            }
            if self.rest().is_empty() {
                return None;
            }
            if self.skipping {
                // A document's lines start with these when it is printed for people; its first one is `[`.
                self.line();
                self.skipping = self.rest().starts_with([' ', '\t', '\r', '\n', '"', '{', '}', ']', ',']);
                continue;
            }
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            match rest.get(blank..).and_then(|rest| rest.bytes().next()) {
                Some(b'[') => {
                    self.in_array = true;
                    self.advance(blank + 1);
                }
                Some(b'{') => {
                    self.advance(blank);
                    return Some(self.element());
                }
                _ => {
                    let line = self.line();
                    if !line.text.trim_ascii().is_empty() {
                        return Some(Piece::Line(line));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let show = |piece| match piece {
            Piece::Line(line) => format!("{}:{} {}", line.at.line, line.at.column, line.text),
            Piece::Object(at, object) => format!("{}:{} {:?}", at.line, at.column, object.text("a")),
            Piece::Bad(error) => error.to_string(),
        };
        pieces(text).map(show).collect()
    }

    #[test]
    fn text_and_json_in_one_file() {
        assert_eq!(
            shown("x y\r\n\n[{\"a\":1},\n {\"a\":\"b\"}] z\n{\"a\":2}[]\n"),
            ["1:1 x y", "3:2 Some(\"1\")", "4:2 Some(\"b\")", "4:12  z", "5:1 Some(\"2\")"]
        );
    }

    #[test]
    fn bad_json_keeps_what_stands_around_it() {
        assert_eq!(
            shown("[{\"a\":1},{\"a\":x,\n \"b\":3}\n]\nline\n[{\"a\":2},5"),
            [
                "1:2 Some(\"1\")",
                "1:15: this is not JSON",
                "4:1 line",
                "5:2 Some(\"2\")",
                "5:10: `5` is not a JSON object",
                "5:11: the JSON ends early, expected `]`"
            ]
        );
        assert_eq!(shown("[{\"a\":"), ["1:6: the JSON ends early"]);
    }

    #[test]
    fn brackets_without_end_take_no_time() {
        for unit in ["[\n", "[1,\n", "[{\"a\":[\n", "[\"\n", "{\n"] {
            assert!(!shown(&unit.repeat(100_000)).is_empty());
        }
    }
}
