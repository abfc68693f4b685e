/// A value with the `!` that may stand before its option.
///
/// ```
/// use hookwalk_parser::types::Negatable;
/// assert!(Negatable::plain(7).holds(|n| *n == 7));
/// assert!(!Negatable { negated: true, value: 7 }.holds(|n| *n == 7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Negatable<T> {
    /// Whether `!` stood before the option.
    pub negated: bool,
    /// What the option names.
    pub value: T,
}

impl<T> Negatable<T> {
    /// The value without `!`.
    pub const fn plain(value: T) -> Self {
        Negatable { negated: false, value }
    }

    /// Whether the option holds, given whether its plain form does.
    pub fn holds(&self, plain: impl FnOnce(&T) -> bool) -> bool {
        plain(&self.value) != self.negated
    }
}
