//! Taking typed values out of a table, with errors that say which key, what was expected and what was found.

use std::ops::RangeInclusive;

/// A setting that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: expected {expected}, found {found}", path.join("."))]
pub struct InvalidSettings {
    /// The way to the key, for example `sensor`, `sensors`, `Temperature`, `address`.
    pub path: Vec<String>,
    /// What it may be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

/// The keys of one table. Each is taken once; what is left at the end is not known.
pub(super) struct Keys {
    path: Vec<String>,
    table: toml::Table,
    known: Vec<&'static str>,
}

impl Keys {
    /// The keys of the table at `path`.
    pub(super) fn new(path: &[&str], table: toml::Table) -> Self {
        Self { path: path.iter().map(|step| (*step).to_owned()).collect(), table, known: Vec::new() }
    }

    /// The error for a key.
    pub(super) fn invalid(&self, key: &str, expected: impl Into<String>, found: impl Into<String>) -> InvalidSettings {
        let path = self.path.iter().cloned().chain([key.to_owned()]).collect();
        InvalidSettings { path, expected: expected.into(), found: found.into() }
    }

    /// Any value.
    pub(super) fn take(&mut self, key: &'static str) -> Option<toml::Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, InvalidSettings> {
        match self.take(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(other) => Err(self.invalid(key, "a text", other.to_string())),
        }
    }

    /// A text that must be there; `expected` describes it.
    pub(super) fn required_text(&mut self, key: &'static str, expected: &str) -> Result<String, InvalidSettings> {
        self.text(key)?.ok_or_else(|| self.invalid(key, expected, "nothing"))
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> Result<Option<bool>, InvalidSettings> {
        match self.take(key) {
            None => Ok(None),
            Some(toml::Value::Boolean(flag)) => Ok(Some(flag)),
            Some(other) => Err(self.invalid(key, "true or false", other.to_string())),
        }
    }

    /// A whole number within `range`.
    pub(super) fn integer(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, InvalidSettings> {
        match self.take(key) {
            None => Ok(None),
            Some(toml::Value::Integer(number)) if range.contains(&number) => Ok(Some(number)),
            Some(other) => {
                let expected = format!("a whole number from {} to {}", range.start(), range.end());
                Err(self.invalid(key, expected, other.to_string()))
            }
        }
    }

    /// A finite number within `range`; a whole number will do.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<f64>,
    ) -> Result<Option<f64>, InvalidSettings> {
        let value = self.take(key);
        let number = match &value {
            None => return Ok(None),
            Some(toml::Value::Float(number)) => *number,
            #[allow(clippy::cast_precision_loss)]
            Some(toml::Value::Integer(number)) => *number as f64,
            Some(_) => f64::NAN,
        };
        if range.contains(&number) {
            return Ok(Some(number));
        }
        let expected = format!("a number from {} to {}", range.start(), range.end());
        Err(self.invalid(key, expected, value.map(|value| value.to_string()).unwrap_or_default()))
    }

    /// A table, empty when absent.
    pub(super) fn table(&mut self, key: &'static str) -> Result<toml::Table, InvalidSettings> {
        match self.take(key) {
            None => Ok(toml::Table::new()),
            Some(toml::Value::Table(table)) => Ok(table),
            Some(other) => Err(self.invalid(key, "a table", other.to_string())),
        }
    }

    /// Refuses the first key that nobody took.
    pub(super) fn finish(self) -> Result<(), InvalidSettings> {
        match self.table.keys().next() {
            None => Ok(()),
            Some(key) => Err(self.invalid(key, format!("one of {}", self.known.join(", ")), "this unknown key")),
        }
    }
}
