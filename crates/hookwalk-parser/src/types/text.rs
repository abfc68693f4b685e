use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A name or a string of a dump: bytes, since neither the kernel nor `iptables-save` asks for UTF-8.
///
/// One as short as a chain's name stands in place; clones of a longer one share its memory, which, when
/// it was read out of a dump, is the dump's own: it stays as long as the text does. It prints with U+FFFD
/// in place of what is not UTF-8; compare and look up by [`as_bytes`](Text::as_bytes), which lose nothing.
///
/// ```
/// use hookwalk_parser::types::Text;
/// let chain = Text::from("KUBE-SERVICES");
/// assert_eq!(chain, "KUBE-SERVICES");
/// assert_eq!(chain.as_bytes(), b"KUBE-SERVICES");
/// ```
#[derive(Clone)]
pub struct Text(Repr);

#[derive(Clone)]
enum Repr {
    /// What is most often read and compared needs no other memory: that would cost a wait each time.
    Short { len: u8, bytes: [u8; Text::SHORT] },
    /// A part of the dump.
    Part { block: Arc<Vec<u8>>, start: u32, end: u32 },
    /// Its own.
    Long(Arc<[u8]>),
}

impl Text {
    /// The longest that stands in place: the names of chains and sets do, and it makes 32 bytes in all.
    const SHORT: usize = 30;

    /// The bytes as they stand in the dump, unquoted.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Part { block, start, end } => block.get(*start as usize..*end as usize).unwrap_or_default(),
            Repr::Long(bytes) => bytes,
        }
    }

    /// The text, with U+FFFD for bytes that are not UTF-8.
    pub fn to_str(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }

    fn short(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::SHORT];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Text(Repr::Short { len: u8::try_from(text.len()).ok()?, bytes }))
    }

    /// These bytes, which are shared when they are a part of the block.
    pub(crate) fn within(block: &Arc<Vec<u8>>, bytes: &[u8]) -> Self {
        if let Some(short) = Self::short(bytes) {
            return short;
        }
        let start = (bytes.as_ptr() as usize).wrapping_sub(block.as_ptr() as usize);
        let end = start.wrapping_add(bytes.len());
        match (u32::try_from(start), u32::try_from(end), block.get(start..end)) {
            (Ok(start), Ok(end), Some(part)) if std::ptr::eq(part, bytes) => {
                Text(Repr::Part { block: Arc::clone(block), start, end })
            }
            _ => Text::from(bytes),
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Text::from(&b""[..])
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Self {
        Self::short(bytes).unwrap_or_else(|| Text(Repr::Long(Arc::from(bytes))))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text::from(text.as_bytes())
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

/// As the bytes hash, which are looked up in its place.
impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
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

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    use super::*;

    #[test]
    fn wherever_the_bytes_stand_the_text_is_the_same() {
        let block = Arc::new((b'a'..=b'z').cycle().take(200).collect::<Vec<u8>>());
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        for len in [0, 1, 29, 30, 31, 32, 100] {
            for start in [0, 1, 100] {
                let bytes = &block[start..start + len];
                let (part, own) = (Text::within(&block, bytes), Text::from(bytes));
                assert_eq!(part.as_bytes(), bytes);
                assert_eq!(part, own);
                assert_eq!(part.clone().as_bytes(), bytes);
                assert_eq!(hasher.hash_one(&part), hasher.hash_one(bytes));
                assert_eq!(hasher.hash_one(&own), hasher.hash_one(bytes));
            }
        }
        assert_eq!(size_of::<Text>(), 32);
    }

    #[test]
    fn a_part_shares_the_block_and_anything_else_is_copied() {
        let block = Arc::new(vec![b'x'; 100]);
        let part = Text::within(&block, &block[..50]);
        assert_eq!(Arc::strong_count(&block), 2);
        drop(part);
        let other = [b'x'; 100];
        for bytes in [&other[..50], &other[..], &[b'x'; 31][..]] {
            assert_eq!(Text::within(&block, bytes).as_bytes(), bytes);
            assert_eq!(Arc::strong_count(&block), 1);
        }
    }

    #[test]
    fn order_is_that_of_the_bytes() {
        let mut texts =
            ["b", "", "a", "ab", "a much longer text than what stands in place", "c"].map(Text::from);
        texts.sort();
        assert_eq!(texts, ["", "a", "a much longer text than what stands in place", "ab", "b", "c"]);
    }
}
