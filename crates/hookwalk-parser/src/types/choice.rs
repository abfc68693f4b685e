//! Values that are one of a few words.

/// Whether a word is the start of a known one, in any case: many lists of iptables are compared so
/// (`strncasecmp` over the length of what was given).
pub(crate) fn abbreviates(word: &[u8], known: &str) -> bool {
    let start = known.as_bytes().get(..word.len());
    !word.is_empty() && start.is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Writes an enum of words: each prints as its first word and is read from any, in any case.
macro_rules! words {
    (
        $(#[$doc:meta])*
        $name:ident, $expected:literal {
            $( $(#[$variant_doc:meta])* $variant:ident = $word:literal $(| $alias:literal)*, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $( $(#[$variant_doc])* $variant, )* }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $( $name::$variant => $word, )* })
            }
        }

        impl crate::syntax::Value for $name {
            const EXPECTED: &'static str = $expected;

            fn read(input: &[u8]) -> nom::IResult<&[u8], Self> {
                $(
                    if [$word $(, $alias)*].iter().any(|word| word.as_bytes().eq_ignore_ascii_case(input)) {
                        return Ok((&[], $name::$variant));
                    }
                )*
                Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Alt)))
            }
        }
    };
}

pub(crate) use words;
