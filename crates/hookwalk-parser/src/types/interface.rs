use std::fmt;

use nom::IResult;

use super::Text;
use crate::syntax::Value;

/// An interface of `-i` or `-o`: a name, or the start of one with `+` behind it.
///
/// Names are at most 15 bytes (`IFNAMSIZ` - 1, `linux/if.h`) and compared byte by byte; only a final
/// `+` is a wildcard, `eth*` is a name like any other.
///
/// ```
/// use hookwalk_parser::types::InterfacePattern;
/// let calico: InterfacePattern = "cali+".parse().unwrap();
/// assert!(calico.matches(b"cali1234"));
/// assert!(!calico.matches(b"eth0"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InterfacePattern {
    bytes: [u8; InterfacePattern::MAX],
    len: u8,
    prefix: bool,
}

impl InterfacePattern {
    /// The longest name the kernel takes.
    pub const MAX: usize = 15;

    /// The name, or the start of it when [`is_prefix`](Self::is_prefix).
    pub fn name(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether a `+` stood at the end.
    pub fn is_prefix(&self) -> bool {
        self.prefix
    }

    /// As it stands behind `-i`, with its `+`.
    pub(crate) fn text(&self) -> Text {
        let mut text = self.name().to_vec();
        text.extend(self.prefix.then_some(b'+'));
        Text::from(&*text)
    }

    /// Whether an interface of this name is meant.
    pub fn matches(&self, name: &[u8]) -> bool {
        if self.prefix { name.starts_with(self.name()) } else { name == self.name() }
    }
}

impl fmt::Display for InterfacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.name()))?;
        f.write_str(if self.prefix { "+" } else { "" })
    }
}

impl fmt::Debug for InterfacePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InterfacePattern({self})")
    }
}

impl std::str::FromStr for InterfacePattern {
    type Err = crate::syntax::Expected;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::syntax::value(text.as_bytes())
    }
}

impl Value for InterfacePattern {
    const EXPECTED: &'static str = "an interface name of at most 15 bytes";

    fn read(input: &[u8]) -> IResult<&[u8], Self> {
        let refused = || nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Verify));
        let (name, prefix) = match input.split_last() {
            Some((b'+', start)) => (start, true),
            Some(_) => (input, false),
            None => return Err(refused()),
        };
        if input.len() > Self::MAX {
            return Err(refused());
        }
        let mut bytes = [0; Self::MAX];
        for (to, from) in bytes.iter_mut().zip(name) {
            *to = *from;
        }
        let len = u8::try_from(name.len()).map_err(|_| refused())?;
        Ok((&[], InterfacePattern { bytes, len, prefix }))
    }
}
