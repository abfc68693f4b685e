//! Text that is wrapped to the terminal.

use std::io::{self, Write};

use anstyle::Style;

/// How wide lines are: the terminal, `COLUMNS` where there is none, else 100.
pub(crate) fn width() -> usize {
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    let terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    terminal.or_else(columns).unwrap_or(100).clamp(40, 400)
}

/// A paragraph under way: words, each with a style.
#[derive(Default)]
pub(crate) struct Paragraph {
    words: Vec<(String, Style)>,
}

impl Paragraph {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn push(mut self, text: &str, style: Style) -> Self {
        self.words.extend(text.split_whitespace().map(|word| (visible(word), style)));
        self
    }

    pub(crate) fn plain(self, text: &str) -> Self {
        self.push(text, Style::new())
    }

    /// Writes it behind `lead`, which is printed as it is; further lines start at `hang`.
    pub(crate) fn write(
        &self,
        out: &mut impl Write,
        lead: &str,
        hang: usize,
        width: usize,
    ) -> io::Result<()> {
        write!(out, "{lead}")?;
        let mut at = lead.chars().count();
        // A lead that takes most of the line leaves the text to the next ones.
        let mut fresh = true;
        for (word, style) in &self.words {
            let long = word.chars().count();
            let gap = usize::from(!fresh);
            if at + gap + long > width && at > hang {
                write!(out, "\n{:hang$}", "")?;
                at = hang;
                fresh = true;
            }
            if !fresh {
                write!(out, " ")?;
                at += 1;
            }
            write!(out, "{style}{word}{style:#}")?;
            at += long;
            fresh = false;
        }
        writeln!(out)
    }
}

/// The text as a terminal may show it.
fn visible(word: &str) -> String {
    word.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// So many of something, of which there may be one.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_hang_below_the_first_line() -> Result<(), Box<dyn std::error::Error>> {
        let mut out = Vec::new();
        let words = Paragraph::new().plain("goes through a chain with a long name");
        words.write(&mut out, "  12  ", 8, 24)?;
        let expected = "  12  goes through a\n        chain with a\n        long name\n";
        assert_eq!(String::from_utf8(out)?, expected);
        Ok(())
    }
}
