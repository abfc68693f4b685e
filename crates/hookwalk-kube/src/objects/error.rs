/// An object, or a part of one, that cannot be read; everything else is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The text is not JSON from here on.
    #[error("{line}:{column}: not JSON: {message}")]
    Json {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A document that is no Kubernetes object: it has no `kind`.
    #[error("document {number}: expected an object with `kind`, as kubectl prints with -o json")]
    NoObject {
        /// Which document of the text, from 1.
        number: usize,
    },
    /// A field does not hold what it must.
    #[error("{object}: `{field}`: expected {expected}, found `{found}`")]
    Field {
        /// The object, as "service `shop/web`".
        object: String,
        /// The way to the field, as `spec.ports[0].port`.
        field: String,
        /// What would have been right.
        expected: &'static str,
        /// What stands there, as JSON.
        found: String,
    },
    /// A field that must be there is not.
    #[error("{object}: `{field}` is missing")]
    Missing {
        /// The object, as "service `shop/web`".
        object: String,
        /// The way to the field.
        field: String,
    },
}
