use nom::IResult;

/// What can stand behind an option: read by nom, whole word at a time.
pub(crate) trait Value: Sized {
    /// What a diagnostic says was expected.
    const EXPECTED: &'static str;

    /// Reads the value from the start of the input.
    fn read(input: &[u8]) -> IResult<&[u8], Self>;
}

/// The text is not what was expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {what}")]
pub struct Expected {
    /// What would have been right.
    pub what: &'static str,
}

/// Reads a value that fills the whole word.
pub(crate) fn value<T: Value>(word: &[u8]) -> Result<T, Expected> {
    match T::read(word) {
        Ok((b"", value)) => Ok(value),
        _ => Err(Expected { what: T::EXPECTED }),
    }
}
