use std::fmt;

/// What could not be used of a context file. It prints as `LINE:COLUMN: MESSAGE`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContextError {
    /// The line, from 1.
    pub line: u32,
    /// The byte in the line, from 1.
    pub column: u32,
    /// What is wrong and what was expected, in lower case, the input's own words in backticks.
    pub message: String,
    /// Whether the loss is told: what the place would have said stays unknown by itself, as a set that is
    /// left out as a whole. Otherwise anything else may lack something.
    pub told: bool,
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ContextError { line, column, message, .. } = self;
        write!(f, "{line}:{column}: {message}")
    }
}

impl std::error::Error for ContextError {}

/// A place in the input, to complain about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

impl Position {
    pub(super) fn error(self, message: impl Into<String>) -> ContextError {
        ContextError { line: self.line, column: self.column, message: message.into(), told: false }
    }

    /// An error that takes along only what it names.
    pub(super) fn told(self, message: impl Into<String>) -> ContextError {
        ContextError { told: true, ..self.error(message) }
    }
}

/// The input's words for a message, cut when they are long.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("`{}...`", text.get(..end).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}
