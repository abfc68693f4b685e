//! The macros that most extensions are written with.

/// Writes an extension whose options stand for themselves, in the order they print: each field is
/// `name: kind<type> = "--option"`, and `kind` says how the option is read and printed.
macro_rules! extension {
    (
        $(#[$doc:meta])*
        $name:ident {
            $( $(#[$field_doc:meta])* $field:ident: $kind:ident $(<$ty:ty>)? = $option:literal $(| $alias:literal)*, )*
        }
        $( missing($missing_of:ident) $missing:expr; )?
        $( family($family_of:ident) $family:expr; )?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Default)]
        pub struct $name {
            $( $(#[$field_doc])* pub $field: field!(type $kind $($ty)?), )*
        }

        impl crate::extensions::Extension for $name {
            fn read(
                &mut self,
                option: &mut crate::syntax::Arguments<'_>,
            ) -> Result<bool, crate::syntax::ArgumentError> {
                let name = option.name();
                $( if name == $option.as_bytes() $(|| name == $alias.as_bytes())* {
                    self.$field = field!(read $kind option);
                    return Ok(true);
                } )*
                let _ = name;
                Ok(false)
            }

            fn write(&self, out: &mut crate::syntax::OptionWriter) {
                $( field!(write $kind out, $option, self.$field); )*
                let _ = out;
            }

            $( fn missing(&self) -> Option<&'static str> {
                let $missing_of = self;
                $missing
            } )?

            $( fn family(&self) -> Option<crate::types::Family> {
                let $family_of = self;
                $family
            } )?
        }
    };
}

/// The kinds of options: their type, how they are read and how they print.
macro_rules! field {
    (type negatable $ty:ty) => { Option<crate::types::Negatable<$ty>> };
    (type range $ty:ty) => { Option<crate::types::Negatable<crate::types::NumberRange<$ty>>> };
    (type value $ty:ty) => { Option<$ty> };
    (type nonzero $ty:ty) => { Option<crate::types::Negatable<$ty>> };
    (type negatable_address) => { Option<crate::types::Negatable<crate::types::MaskedAddress>> };
    (type group) => { Option<crate::types::Negatable<crate::extensions::GroupMask>> };
    (type nat) => { crate::types::NatRange };
    (type flag) => { bool };
    (type negatable_flag) => { Option<crate::types::Negatable<()>> };
    (type quoted) => { Option<crate::types::Text> };
    (type raw) => { Option<crate::types::Text> };
    (type negatable_raw) => { Option<crate::types::Negatable<crate::types::Text>> };
    (type negatable_quoted) => { Option<crate::types::Negatable<crate::types::Text>> };
    (read negatable $o:ident) => { Some($o.negatable()?) };
    (read range $o:ident) => { Some($o.negatable()?) };
    (read value $o:ident) => { Some($o.value()?) };
    (read nonzero $o:ident) => { Some($o.negatable()?) };
    (read negatable_address $o:ident) => { Some($o.negatable_address()?) };
    (read group $o:ident) => { Some($o.negatable()?) };
    (read nat $o:ident) => { $o.value()? };
    (read flag $o:ident) => { $o.flag()? };
    (read negatable_flag $o:ident) => { Some($o.negatable_flag()) };
    (read quoted $o:ident) => { Some($o.text()?) };
    (read raw $o:ident) => { Some($o.text()?) };
    (read negatable_raw $o:ident) => { Some($o.negatable_text()?) };
    (read negatable_quoted $o:ident) => { Some($o.negatable_text()?) };
    (write negatable $out:ident, $name:literal, $field:expr) => { $out.negatable($name, $field.as_ref()) };
    (write range $out:ident, $name:literal, $field:expr) => {
        $out.negatable($name, $field.filter(|range| range.negated || !range.value.is_all()).as_ref())
    };
    (write value $out:ident, $name:literal, $field:expr) => { $out.value($name, $field.as_ref()) };
    (write nonzero $out:ident, $name:literal, $field:expr) => {
        $out.negatable($name, $field.filter(|field| field.negated || field.value != 0).as_ref())
    };
    (write negatable_address $out:ident, $name:literal, $field:expr) => {
        $out.negatable($name, $field.as_ref())
    };
    (write group $out:ident, $name:literal, $field:expr) => {
        if let Some(group) = &$field {
            $out.push($name, group.negated, vec![group.value.written()]);
        }
    };
    (write nat $out:ident, $name:literal, $field:expr) => { $out.value($name, Some($field)) };
    (write flag $out:ident, $name:literal, $field:expr) => { $out.flag($name, $field) };
    (write negatable_flag $out:ident, $name:literal, $field:expr) => { $out.negatable_flag($name, $field) };
    (write quoted $out:ident, $name:literal, $field:expr) => { $out.quoted($name, $field.as_ref()) };
    (write raw $out:ident, $name:literal, $field:expr) => { $out.raw($name, $field.as_ref()) };
    (write negatable_raw $out:ident, $name:literal, $field:expr) => {
        $out.negatable_raw($name, $field.as_ref())
    };
    (write negatable_quoted $out:ident, $name:literal, $field:expr) => {
        $out.negatable_quoted($name, $field.as_ref())
    };
}
