use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::Text;

/// `-m comment`: holds for every packet (man iptables-extensions, comment).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct CommentMatch {
    /// `--comment`, at most 255 bytes in the kernel.
    pub comment: Option<Text>,
}

impl Extension for CommentMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--comment" => self.comment = Some(option.text()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.quoted("--comment", self.comment.as_ref());
    }

    fn missing(&self) -> Option<&'static str> {
        self.comment.is_none().then_some("--comment")
    }
}
