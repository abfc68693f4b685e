use super::Extension;
use crate::syntax::{ArgumentError, Arguments, OptionWriter};
use crate::types::Text;

/// `-m nfacct`: counts in a named object; holds for each packet unless the object has a quota
/// (kernel: `net/netfilter/xt_nfacct.c`).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NfacctMatch {
    /// `--nfacct-name`
    pub name: Option<Text>,
}

impl Extension for NfacctMatch {
    fn read(&mut self, option: &mut Arguments<'_>) -> Result<bool, ArgumentError> {
        match option.name() {
            b"--nfacct-name" => self.name = Some(option.text()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn write(&self, out: &mut OptionWriter) {
        out.raw("--nfacct-name", self.name.as_ref());
    }

    fn missing(&self) -> Option<&'static str> {
        self.name.is_none().then_some("--nfacct-name")
    }
}
