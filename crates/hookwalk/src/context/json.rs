//! JSON objects as iproute2 prints them.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// An object with its keys in order, each once. iproute2 prints some keys twice (`dst` of a route with an
/// encapsulation); the first one is the object's own.
#[derive(Clone, Debug)]
pub(super) struct Object(Vec<(String, Value)>);

impl Object {
    /// Reads one; none when the text is another kind of value, or nested beyond reason.
    pub(super) fn read(text: &str) -> Option<Object> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// A string, or a number as it is written.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.get(key).and_then(text)
    }

    /// The elements of a list; none when it is absent.
    pub(super) fn list(&self, key: &str) -> &[Value] {
        self.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Whether a list of words has one.
    pub(super) fn lists(&self, key: &str, word: &str) -> bool {
        self.list(key).iter().any(|element| element == word)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// An object inside another one.
impl From<&Value> for Object {
    fn from(value: &Value) -> Self {
        Object(
            value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        )
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let (mut entries, mut seen) = (Vec::new(), HashSet::new());
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if seen.insert(key.clone()) {
                        entries.push((key, value));
                    }
                }
                Ok(Object(entries))
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_two_keys_is_the_objects_own() {
        let object =
            Object::read(r#"{"dst":"10.0.0.0/8","encap":"ip","dst":"1.2.3.4","n":7,"flags":["dead"]}"#)
                .unwrap();
        assert_eq!(object.text("dst").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(object.text("n").as_deref(), Some("7"));
        assert!(object.lists("flags", "dead") && !object.lists("flags", "linkdown"));
        assert!(Object::read("[1]").is_none());
    }
}
