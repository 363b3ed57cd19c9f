//! The dictionaries (`a{sv}`) that RAUC answers with. What is absent, or not of the type that the manual gives, reads as
//! absent.

use std::collections::HashMap;
use zbus::{OwnedVariant, Variant};

/// One dictionary.
#[derive(Debug, Default)]
pub(super) struct Dictionary(pub(super) HashMap<String, OwnedVariant>);

impl Dictionary {
    /// A text; empty when absent.
    pub(super) fn text(&self, key: &str) -> String {
        self.optional_text(key).unwrap_or_default()
    }

    /// A text that may be absent; an empty one counts as absent.
    pub(super) fn optional_text(&self, key: &str) -> Option<String> {
        match self.value(key)? {
            Variant::Str(text) if !text.is_empty() => Some(text.to_string()),
            _ => None,
        }
    }

    /// A count; 0 when absent.
    pub(super) fn count(&self, key: &str) -> u32 {
        match self.value(key) {
            Some(Variant::U32(count)) => *count,
            _ => 0,
        }
    }

    /// A dictionary in the dictionary; empty when absent.
    pub(super) fn dictionary(&self, key: &str) -> Self {
        self.value(key).map(Self::from_value).unwrap_or_default()
    }

    /// A list of dictionaries; empty when absent.
    pub(super) fn dictionaries(&self, key: &str) -> Vec<Self> {
        match self.value(key) {
            Some(Variant::Array(items)) => items.iter().map(Self::from_value).collect(),
            _ => Vec::new(),
        }
    }

    fn value(&self, key: &str) -> Option<&Variant<'static>> {
        Some(unwrapped(self.0.get(key)?))
    }

    fn from_value(value: &Variant<'_>) -> Self {
        let owned = value.try_to_owned().ok();
        Self(owned.and_then(|owned| HashMap::try_from(owned).ok()).unwrap_or_default())
    }
}

/// RAUC wraps the values of nested dictionaries in another variant.
fn unwrapped<'a>(value: &'a Variant<'static>) -> &'a Variant<'static> {
    match value {
        Variant::Variant(inner) => unwrapped(inner),
        value => value,
    }
}
