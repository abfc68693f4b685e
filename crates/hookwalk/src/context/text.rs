//! Lines and words with their places.

use hookwalk_parser::types::Family;

use super::error::{ContextError, Position, quoted};

/// A line, or the rest of one behind a JSON document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'t> {
    pub(super) text: &'t str,
    pub(super) at: Position,
}

/// A word between blanks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'t> {
    pub(super) text: &'t str,
    pub(super) at: Position,
}

impl<'t> Line<'t> {
    /// Its words; the `\` that `ip -o` prints for line ends are passed over.
    pub(super) fn words(self) -> impl Iterator<Item = Word<'t>> {
        self.text.split_ascii_whitespace().filter_map(move |word| {
            let text = word.trim_start_matches('\\');
            let column = self.at.column.saturating_add(offset_in(self.text, text));
            (!text.is_empty()).then_some(Word { text, at: Position { line: self.at.line, column } })
        })
    }

    /// Whether it is one that people put around pasted output: a comment, a fence, or the command.
    pub(super) fn is_around(self) -> bool {
        let text = self.text.trim_start();
        text.is_empty() || text.starts_with(['#', '$']) || text.starts_with("```") || self.command().is_some()
    }

    /// The `ip` command that a line shows, behind a prompt or a comment sign.
    pub(super) fn command(self) -> Option<Command<'t>> {
        let mut words = self.words().map(|word| word.text);
        let before = words.by_ref().find(|word| *word == "ip" || !is_prompt(word))?;
        if before != "ip" {
            return None;
        }
        let mut command = Command::default();
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            match word {
                "-4" => command.family = Some(Family::V4),
                "-6" => command.family = Some(Family::V6),
                "t" | "ta" | "tab" | "tabl" | "table" => command.table = words.peek().copied(),
                _ => {}
            }
        }
        Some(command)
    }
}

/// What a command line tells about the output below it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Command<'t> {
    pub(super) family: Option<Family>,
    pub(super) table: Option<&'t str>,
}

fn is_prompt(word: &str) -> bool {
    word == "+" || word == "sudo" || word.ends_with(['#', '$', '>', '%'])
}

impl Word<'_> {
    /// A complaint about this word.
    pub(super) fn error(&self, complaint: &str) -> ContextError {
        self.at.error(format!("{} {complaint}", quoted(self.text)))
    }

    /// The complaint that it is not what should stand here.
    pub(super) fn expected(&self, what: &str) -> ContextError {
        self.error(&format!("is not {what}"))
    }
}

/// Where a part of a text starts in it, in bytes.
pub(super) fn offset_in(text: &str, part: &str) -> u32 {
    u32::try_from(part.as_ptr().addr().saturating_sub(text.as_ptr().addr())).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line<'_> {
        Line { text, at: Position { line: 1, column: 1 } }
    }

    #[test]
    fn words_know_their_columns() {
        let words: Vec<_> = line("  a \\\tbc \\d").words().map(|word| (word.text, word.at.column)).collect();
        assert_eq!(words, [("a", 3), ("bc", 7), ("d", 11)]);
    }

    #[test]
    fn command_lines_tell_the_table() {
        for text in [
            "# ip r s t 101",
            "root@host:~# ip route show table 101",
            "ip route list tab 101",
            "## sudo ip r s t 101",
        ] {
            assert_eq!(line(text).command().and_then(|command| command.table), Some("101"), "{text}");
        }
        assert_eq!(line("$ ip -6 route").command().and_then(|command| command.family), Some(Family::V6));
        assert!(line("10.0.0.0/8 dev eth0 # ip").command().is_none());
        assert!(line("## routes of the node").is_around());
    }
}
