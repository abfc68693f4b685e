use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A name or a string of a dump: bytes, since neither the kernel nor `iptables-save` asks for UTF-8.
///
/// Clones share one allocation. It prints with U+FFFD in place of what is not UTF-8; compare and
/// look up by [`as_bytes`](Text::as_bytes), which lose nothing.
///
/// ```
/// use hookwalk_parser::types::Text;
/// let chain = Text::from("KUBE-SERVICES");
/// assert_eq!(chain, "KUBE-SERVICES");
/// assert_eq!(chain.as_bytes(), b"KUBE-SERVICES");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<[u8]>);

impl Text {
    /// The bytes as they stand in the dump, unquoted.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, with U+FFFD for bytes that are not UTF-8.
    pub fn to_str(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl Default for Text {
    fn default() -> Self {
        Text::from(&b""[..])
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Text(Arc::from(bytes))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text::from(text.as_bytes())
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl std::borrow::Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_str(), f)
    }
}
