//! What can go wrong around the arbiter; a packet that is dropped is not an error.

use std::io;

/// Why the arbiter has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A call of the operating system failed.
    #[error("cannot {what}")]
    System {
        /// What was to be done.
        what: String,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A command could not be started or said no.
    #[error("`{command}` failed: {message}")]
    Command {
        /// The command with its arguments.
        command: String,
        /// What it printed as error.
        message: String,
    },
    /// The node has no interface of that name.
    #[error("no interface `{0}`")]
    NoInterface(String),
    /// Bytes that should be an IP packet are none.
    #[error("not an IP packet: {0}")]
    NotIp(String),
    /// The kernel named a rule that is not in the ruleset as it was loaded.
    #[error("trace of `{0}`, which is not in the loaded ruleset")]
    UnknownRule(String),
    /// The packet passed the last hook and was not seen again.
    #[error("the packet left through `{0}` but did not come out")]
    Lost(String),
    /// The thread inside the namespace has ended.
    #[error("the namespace is closed")]
    Closed,
}

impl Error {
    /// For `map_err`: a failed call, with what it was for.
    pub(super) fn system<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |source| Self::System { what, source: source.into() }
    }
}
