//! Words for people: figment's and serde's terms in those of a TOML file.

use figment::error::Actual;
use std::fmt;

/// How far a name may be from the one that was meant: Jaro-Winkler similarity, 1 is equal.
const NEAR: f64 = 0.8;

/// The one of `names` that was probably meant by `name`.
pub(super) fn nearest(name: &str, names: &[&'static str]) -> Option<&'static str> {
    let similarity = |candidate: &str| strsim::jaro_winkler(&name.to_lowercase(), candidate);
    names
        .iter()
        .map(|candidate| (similarity(candidate), *candidate))
        .filter(|(similarity, _)| *similarity >= NEAR)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// Writes ` (did you mean …?)`, or nothing.
pub(super) struct Hint<'a>(pub(super) &'a Option<&'static str>);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(nearest) => write!(f, " (did you mean {nearest}?)"),
            None => Ok(()),
        }
    }
}

/// `one of a, b, c`.
pub(super) fn one_of(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        [name] => (*name).to_owned(),
        names => format!("one of {}", names.join(", ")),
    }
}

/// What serde expected.
pub(super) fn expected(words: &str) -> String {
    let integer = |low: i128, high: i128| format!("an integer from {low} to {high}");
    match words {
        "u8" => integer(0, u8::MAX.into()),
        "u16" => integer(0, u16::MAX.into()),
        "u32" => integer(0, u32::MAX.into()),
        "u64" | "usize" => "an integer, not negative".to_owned(),
        "a nonzero u16" => integer(1, u16::MAX.into()),
        "a nonzero u32" => integer(1, u32::MAX.into()),
        "a nonzero u64" | "a nonzero usize" => "a positive integer".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "an integer".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "path string" => "a path".to_owned(),
        "a sequence" => "an array".to_owned(),
        "a map" => "a table".to_owned(),
        words if words.starts_with("struct ") => "a table".to_owned(),
        words => words.to_owned(),
    }
}

/// What serde found.
pub(super) fn found(actual: &Actual) -> String {
    match actual {
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(value) => format!("the integer {value}"),
        Actual::Signed(value) => format!("the integer {value}"),
        Actual::Float(value) => format!("the number {value:?}"),
        Actual::Char(value) => format!("the string {:?}", value.to_string()),
        Actual::Str(value) => format!("the string {value:?}"),
        Actual::Seq => "an array".to_owned(),
        Actual::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}
