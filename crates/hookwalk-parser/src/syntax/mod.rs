//! The shape that all options share: words, their quoting, values and how they are written.

mod arguments;
mod option;
mod value;
mod word;

pub(crate) use arguments::{ArgumentError, Arguments, Problem};
pub(crate) use option::OptionWriter;
pub use option::{OptionText, OptionValue};
pub use value::Expected;
pub(crate) use value::{Value, value};
pub(crate) use word::{Word, split_words};
