//! Tags: an operator's own grouping of devices. A device may have several; a [`crate::targets::Target`] may name one.

pub(crate) mod store;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// The longest tag, in characters.
const MAX_CHARS: usize = 64;
/// The most tags of one device.
pub(crate) const MAX_TAGS: usize = 32;

/// The name of a tag: 1 to 64 of `a-z`, `A-Z`, `0-9`, `.`, `_`, `-`, the first neither `.` nor `-`, so that it can stand
/// in a path and on a command line as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$")]
pub struct Tag(String);

/// A text that is no tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no tag: expected 1 to 64 characters of a-z, A-Z, 0-9, '.', '_', '-', the first neither '.' nor '-'")]
pub struct InvalidTag(String);

impl Tag {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = InvalidTag;

    fn from_str(text: &str) -> Result<Self, InvalidTag> {
        let fits = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-');
        let valid = (1..=MAX_CHARS).contains(&text.len()) && text.chars().all(fits) && !text.starts_with(['.', '-']);
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidTag(text.chars().take(MAX_CHARS + 1).collect())) }
    }
}

impl TryFrom<String> for Tag {
    type Error = InvalidTag;

    fn try_from(text: String) -> Result<Self, InvalidTag> {
        text.parse()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tag, and how many devices have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TagCount {
    /// The tag.
    pub tag: String,
    /// Devices that have it.
    pub devices: i64,
}

#[cfg(test)]
mod tests {
    use super::Tag;

    #[test]
    fn a_tag_can_stand_in_a_path_and_on_a_command_line() {
        for text in ["pilot", "Site_3", "2026", "eu-west.1", &"x".repeat(64)] {
            assert!(text.parse::<Tag>().is_ok(), "{text}");
        }
        for text in ["", "-all", ".", "..", "a b", "a/b", "é", "a\0", &"x".repeat(65)] {
            assert!(text.parse::<Tag>().is_err(), "{text}");
        }
    }
}
