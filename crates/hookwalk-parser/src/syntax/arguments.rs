use std::sync::Arc;

use crate::syntax::{Value, Word, value};
use crate::types::address::WithHostBits;
use crate::types::{MaskedAddress, Negatable, Text};

/// One option of a rule and the words behind it, offered to an extension that may take it.
pub(crate) struct Arguments<'l> {
    line: &'l [u8],
    /// The option itself, then everything behind it in the line.
    words: &'l [Word],
    negated: bool,
    used: usize,
    /// The option's name where it is not the word itself: an abbreviation, or a value stands in it.
    name: Option<&'l [u8]>,
    /// The value that stands in the option's own word: `--dport=80`, `-ptcp`.
    attached: Option<Word>,
    /// The dump that the line is of, whose memory texts share.
    dump: Option<&'l Arc<Vec<u8>>>,
}

/// An option was recognised, and something about it was wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArgumentError {
    /// Index of the word complained of, counted from the option itself.
    pub(crate) word: usize,
    pub(crate) problem: Problem,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Problem {
    /// The value is not what was expected.
    Expected(&'static str),
    /// The line ends where a value should stand.
    Missing(&'static str),
    /// A `!` stands before an option that cannot be inverted.
    NotInvertible,
}

impl<'l> Arguments<'l> {
    pub(crate) fn new(line: &'l [u8], words: &'l [Word], negated: bool) -> Self {
        Arguments { line, words, negated, used: 1, name: None, attached: None, dump: None }
    }

    /// The same, with texts that share the memory of the dump.
    pub(crate) fn sharing(self, dump: &'l Arc<Vec<u8>>) -> Self {
        Arguments { dump: Some(dump), ..self }
    }

    /// The same, read under another name; `attached` is a value that stands in the option's own word.
    pub(crate) fn named(&self, name: &'l [u8], attached: Option<Word>) -> Self {
        Arguments { used: 1, name: Some(name), attached, ..*self }
    }

    /// The option as it is written.
    pub(crate) fn name(&self) -> &'l [u8] {
        self.name.unwrap_or_else(|| self.words.first().map_or(b"", |word| word.bare(self.line)))
    }

    /// The value in the option's own word, when nothing has read it.
    pub(crate) fn left_over(&self) -> bool {
        self.attached.is_some()
    }

    /// Whether `!` stands before it.
    pub(crate) fn is_negated(&self) -> bool {
        self.negated
    }

    /// How many words the option and its values took.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// The next word as a value, with `!` before the option or, as until iptables 1.4, behind it.
    pub(crate) fn negatable<T: Value>(&mut self) -> Result<Negatable<T>, ArgumentError> {
        let behind = self.peek() == Some(b"!");
        if behind {
            self.used += 1;
        }
        let value = self.next()?;
        Ok(Negatable { negated: self.negated != behind, value })
    }

    /// As [`negatable`](Self::negatable), an address that keeps the bits outside its mask.
    pub(crate) fn negatable_address(&mut self) -> Result<Negatable<MaskedAddress>, ArgumentError> {
        let Negatable { negated, value: WithHostBits(value) } = self.negatable()?;
        Ok(Negatable { negated, value })
    }

    /// The next word as a value of an option that knows no `!`.
    pub(crate) fn value<T: Value>(&mut self) -> Result<T, ArgumentError> {
        self.refuse_negation()?;
        self.next()
    }

    /// The next word as it is, unquoted.
    pub(crate) fn text(&mut self) -> Result<Text, ArgumentError> {
        self.refuse_negation()?;
        self.next_text()
    }

    /// The next word as it is, with `!` before the option.
    pub(crate) fn negatable_text(&mut self) -> Result<Negatable<Text>, ArgumentError> {
        let behind = self.peek() == Some(b"!");
        if behind {
            self.used += 1;
        }
        Ok(Negatable { negated: self.negated != behind, value: self.next_text()? })
    }

    /// An option without value that knows no `!`.
    pub(crate) fn flag(&mut self) -> Result<bool, ArgumentError> {
        self.refuse_negation()?;
        Ok(true)
    }

    /// An option without value that may be inverted.
    pub(crate) fn negatable_flag(&mut self) -> Negatable<()> {
        Negatable { negated: self.negated, value: () }
    }

    /// One more value behind the first.
    pub(crate) fn next<T: Value>(&mut self) -> Result<T, ArgumentError> {
        let word = self.next_word(T::EXPECTED)?;
        value(&word.text(self.line))
            .map_err(|e| ArgumentError { word: self.used - 1, problem: Problem::Expected(e.what) })
    }

    /// One more word behind the first.
    pub(crate) fn next_text(&mut self) -> Result<Text, ArgumentError> {
        let word = self.next_word("a value")?;
        let text = word.text(self.line);
        Ok(self.dump.map_or_else(|| Text::from(&*text), |dump| Text::within(dump, &text)))
    }

    /// The word that a call of [`next`](Self::next) would read.
    pub(crate) fn peek(&self) -> Option<&'l [u8]> {
        self.attached.as_ref().or(self.words.get(self.used)).map(|word| word.bare(self.line))
    }

    /// What a value should have been, complained of at the word last read.
    pub(crate) fn expected<T>(&self, what: &'static str) -> Result<T, ArgumentError> {
        Err(ArgumentError { word: self.used - 1, problem: Problem::Expected(what) })
    }

    fn next_word(&mut self, expected: &'static str) -> Result<Word, ArgumentError> {
        if let Some(word) = self.attached.take() {
            return Ok(word);
        }
        match self.words.get(self.used) {
            Some(word) => {
                self.used += 1;
                Ok(*word)
            }
            None => Err(ArgumentError { word: self.used - 1, problem: Problem::Missing(expected) }),
        }
    }

    fn refuse_negation(&self) -> Result<(), ArgumentError> {
        if self.negated {
            return Err(ArgumentError { word: 0, problem: Problem::NotInvertible });
        }
        Ok(())
    }
}
