use std::fmt;

use crate::Span;

/// Something about a dump that is not right.
///
/// It prints as `LINE:COLUMN: SEVERITY[CODE]: MESSAGE`; whoever knows the file's name puts it before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem it is.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The line, from 1.
    pub line: u32,
    /// The byte in the line, from 1.
    pub column: u32,
    /// The bytes complained of, from the start of the dump.
    pub span: Span,
    /// What is wrong and what was expected, in lower case, the dump's own words in backticks.
    pub message: String,
    /// What would likely be right, as `did you mean `--dports`?`.
    pub help: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic { code, severity, line, column, message, .. } = self;
        write!(f, "{line}:{column}: {severity}[{code}]: {message}")
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Everything is understood; a person should know all the same.
    Warning,
    /// Something of the dump is not understood or not there, and what depends on it is unknown.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $code:literal, $severity:ident;)*) => {
        /// The kinds of problems. The words they print as are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[doc = $doc])* $variant,)* }

        impl Code {
            /// Every code, in the order of this page.
            pub const ALL: &'static [Code] = &[$(Code::$variant),*];

            /// The stable word for it, as `bad-value`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $code,)* }
            }

            /// What it means, in a sentence or two.
            pub const fn explanation(self) -> &'static str {
                match self { $(Code::$variant => concat!($($doc),*),)* }
            }

            /// How bad a problem of this kind is.
            pub const fn severity(self) -> Severity {
                match self { $(Code::$variant => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    /// The input has no bytes; `iptables-save` prints nothing when there are no tables.
    EmptyInput = "empty-input", Warning;
    /// The input holds NUL bytes: no text.
    BinaryInput = "binary-input", Error;
    /// The input is 4 GiB or more; the rest was not read.
    InputTooLarge = "input-too-large", Error;
    /// A line is longer than the 10,239 bytes that `iptables-restore` reads.
    LineTooLong = "line-too-long", Warning;
    /// Lines end in CR LF, which `iptables-restore` refuses; the CR is passed over.
    CarriageReturn = "carriage-return", Warning;
    /// A carriage return inside a comment line: the lines behind it are read as part of the comment.
    StrayCarriageReturn = "stray-carriage-return", Error;
    /// A line is neither a rule nor anything else that a dump has.
    UnrecognisedLine = "unrecognised-line", Error;
    /// A line starts with a command of iptables that is not read here.
    UnsupportedCommand = "unsupported-command", Error;
    /// `-I`, `-D`, `-R`, `-F`, `-X` or `-E` of a chain or rule that the dump does not have.
    CommandWithoutEffect = "command-without-effect", Warning;
    /// A rule or chain stands outside any table, and no `--table` was given: the table is a guess.
    TableGuessed = "table-guessed", Warning;
    /// A `COMMIT` without a table before it.
    StrayCommit = "stray-commit", Error;
    /// A table ends without `COMMIT`: part of it may be missing.
    MissingCommit = "missing-commit", Error;
    /// The dump ends in the middle of a line.
    CutLine = "cut-line", Error;
    /// `*` with nothing behind it, or a name that is no table's.
    BadTable = "bad-table", Error;
    /// A table of this name was there before: the later one holds, or goes on with it where no `COMMIT` ended it.
    DuplicateTable = "duplicate-table", Warning;
    /// A table that iptables could not show, as its own comment says.
    IncompatibleTable = "incompatible-table", Error;
    /// The dump was written by iptables-nft, which may leave out what it cannot express.
    NftMayOmit = "nft-may-omit", Warning;
    /// The text of `nft list ruleset`, which is another language.
    NftRuleset = "nft-ruleset", Error;
    /// A line says that the other kernel interface has tables too, which are not in this dump.
    OtherBackend = "other-backend", Warning;
    /// An error message of the tool that should have written the dump.
    ToolFailed = "tool-failed", Error;
    /// A listing (`iptables -L`) that leaves out what a save would tell.
    ListingOmits = "listing-omits", Warning;
    /// A line that should declare a chain does not.
    BadChain = "bad-chain", Error;
    /// A chain is declared twice.
    DuplicateChain = "duplicate-chain", Error;
    /// A rule of a chain that is not declared.
    UndeclaredChain = "undeclared-chain", Error;
    /// A chain name longer than 28 bytes.
    LongChainName = "long-chain-name", Warning;
    /// A user chain with a policy, which legacy iptables refuses.
    PolicyOnUserChain = "policy-on-user-chain", Warning;
    /// Counters that are not `[packets:bytes]`.
    BadCounters = "bad-counters", Error;
    /// The value of an option is not what was expected.
    BadValue = "bad-value", Error;
    /// The line ends where a value should stand.
    MissingValue = "missing-value", Error;
    /// A match or target lacks an option that it needs.
    MissingOption = "missing-option", Error;
    /// A value that somebody wrote over so that it is not told: `x.x.x.x`, `<private>`.
    MaskedText = "masked-text", Error;
    /// Lines that somebody left out: `...`, `---`.
    ElidedText = "elided-text", Error;
    /// `[unsupported revision]`: iptables could not show what the kernel has.
    UnsupportedRevision = "unsupported-revision", Error;
    /// An option that its match, its target or the rule has already.
    DuplicateOption = "duplicate-option", Error;
    /// Lists of addresses that make more rules than are written out.
    TooManyAddresses = "too-many-addresses", Error;
    /// A `!` before something that cannot be inverted.
    NotInvertible = "not-invertible", Error;
    /// A word that is no option of the matches and target of its rule.
    UnknownOption = "unknown-option", Error;
    /// A match that is not known.
    UnknownMatch = "unknown-match", Error;
    /// A target that is not known.
    UnknownTarget = "unknown-target", Error;
    /// `-j` or `-g` to a chain that the table does not have.
    MissingChain = "missing-chain", Error;
    /// A second `-j` or `-g` in one rule.
    SecondTarget = "second-target", Error;
    /// A quote that is not closed.
    OpenQuote = "open-quote", Error;
    /// An address of the other family than the table's.
    OtherFamily = "other-family", Error;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
