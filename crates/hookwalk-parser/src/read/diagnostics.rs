use crate::{Code, Diagnostic, Span};

/// Gathers diagnostics, and only counts them past a limit so that a hostile file cannot fill memory.
#[derive(Default)]
pub(super) struct Diagnostics {
    kept: Vec<Diagnostic>,
    left_out: usize,
    /// The line being read, from 1, and its first byte.
    pub(super) line: u32,
    pub(super) line_start: u32,
}

impl Diagnostics {
    const LIMIT: usize = 10_000;

    /// Reports a place in the current line: offsets from the line's first byte.
    pub(super) fn here(&mut self, code: Code, from: u32, to: u32, message: impl FnOnce() -> String) {
        let span = Span { start: self.line_start + from, end: self.line_start + to };
        self.push(code, self.line, from + 1, span, message);
    }

    /// A part of the current line in the dump.
    pub(super) fn span(&self, from: usize, to: usize) -> Span {
        let offset = |at: usize| self.line_start + u32::try_from(at).unwrap_or(0);
        Span { start: offset(from), end: offset(to) }
    }

    /// Adds a likely fix to the problem reported last.
    pub(super) fn help(&mut self, help: Option<String>) {
        if self.left_out == 0
            && let Some(last) = self.kept.last_mut()
        {
            last.help = help;
        }
    }

    /// Reports a whole line that was read before.
    pub(super) fn at_line(&mut self, code: Code, line: u32, span: Span, message: impl FnOnce() -> String) {
        self.push(code, line, 1, span, message);
    }

    /// Reports a place in a line that was read before.
    pub(super) fn in_line(
        &mut self,
        code: Code,
        line: u32,
        column: u32,
        span: Span,
        message: impl FnOnce() -> String,
    ) {
        self.push(code, line, column, span, message);
    }

    fn push(&mut self, code: Code, line: u32, column: u32, span: Span, message: impl FnOnce() -> String) {
        if self.kept.len() >= Self::LIMIT {
            self.left_out += 1;
            return;
        }
        let message = message();
        self.kept.push(Diagnostic {
            code,
            severity: code.severity(),
            line,
            column,
            span,
            message,
            help: None,
        });
    }

    /// The diagnostics by line, and how many were not kept.
    pub(super) fn finish(mut self) -> (Vec<Diagnostic>, usize) {
        self.kept.sort_by_key(|d| (d.line, d.column));
        (self.kept, self.left_out)
    }
}

/// Bytes of the dump inside a message: in backticks, shortened, without control characters.
pub(super) fn quote(bytes: &[u8]) -> String {
    const LONGEST: usize = 60;
    let start = bytes.get(..4 * LONGEST + 4).unwrap_or(bytes);
    let text = String::from_utf8_lossy(start);
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let shown: String = text.chars().take(LONGEST).map(visible).collect();
    if text.chars().nth(LONGEST).is_some() { format!("`{shown}…`") } else { format!("`{shown}`") }
}
