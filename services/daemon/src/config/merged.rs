//! The layers as one value, and what it says when it is not what a service takes.

use super::{
    document::Document,
    environment::{self, Override},
    error::{ConfigError, Origin},
    wording,
};
use figment::{
    Figment,
    error::{Actual, Kind},
    value::Value,
};
use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// Everything that was read, merged.
pub(super) struct Merged<'a> {
    dirs: &'a [PathBuf],
    documents: Vec<Document>,
    overrides: &'a [Override],
    figment: Figment,
}

impl<'a> Merged<'a> {
    /// Merges `documents`, the weakest first, and `overrides` over them. `dirs` are named where something is missing.
    pub(super) fn new(dirs: &'a [PathBuf], documents: Vec<Document>, overrides: &'a [Override]) -> Self {
        let figment = documents.iter().fold(Figment::new(), Figment::merge);
        let figment = overrides.iter().fold(figment, Figment::merge);
        Self { dirs, documents, overrides, figment }
    }

    /// The sections that `T` names.
    pub(super) fn extract<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        self.figment.extract().map_err(|error| self.explain(error))
    }

    fn explain(&self, error: figment::Error) -> ConfigError {
        let path = self.complete(&error);
        let origin = self.origin(&path);
        let key = path.join(".");
        match error.kind {
            Kind::MissingField(name) => {
                let key = if key.is_empty() { name.into_owned() } else { format!("{key}.{name}") };
                ConfigError::Missing { places: self.places(&key), key }
            }
            Kind::UnknownField(name, expected) => {
                ConfigError::UnknownKey { origin, key, expected, nearest: wording::nearest(&name, expected) }
            }
            Kind::UnknownVariant(name, expected) => {
                let (expected, found) = (wording::one_of(expected), wording::found(&Actual::Str(name)));
                ConfigError::InvalidValue { origin, key, expected, found }
            }
            Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
                let (expected, found) = (wording::expected(&expected), wording::found(&found));
                ConfigError::InvalidValue { origin, key, expected, found }
            }
            Kind::InvalidLength(length, expected) => {
                ConfigError::InvalidValue { origin, key, expected, found: format!("{length} of them") }
            }
            other => {
                let found = self.value(&path).map_or("nothing".to_owned(), |value| wording::found(&value.to_actual()));
                ConfigError::Refused { origin, key, message: other.to_string(), found }
            }
        }
    }

    /// The path of the faulty key. serde reads an internally tagged enum through a buffer, and a fault in one comes with
    /// the path of its table only: there the key is the one that has the name or the value that the error tells.
    fn complete(&self, error: &figment::Error) -> Vec<String> {
        let mut path = error.path.clone();
        let Some(Value::Dict(_, table)) = self.value(&path) else { return path };
        let by_value = |found: &Actual| {
            let mut matches = table.iter().filter(|(_, value)| value.to_actual() == *found).map(|(key, _)| key.clone());
            matches.next().filter(|_| matches.next().is_none())
        };
        let key = match &error.kind {
            Kind::UnknownField(name, _) => table.contains_key(name).then(|| name.clone()),
            Kind::UnknownVariant(name, _) => by_value(&Actual::Str(name.clone())),
            Kind::InvalidType(found, _) | Kind::InvalidValue(found, _) => by_value(found),
            _ => None,
        };
        path.extend(key);
        path
    }

    fn value(&self, path: &[String]) -> Option<Value> {
        self.figment.find_value(&path.join(".")).ok()
    }

    /// The layer that the value at `path` is from; figment knows that of an array, not of its items.
    pub(super) fn origin(&self, path: &[String]) -> Origin {
        let metadata = (1..=path.len()).rev().find_map(|length| self.figment.find_metadata(&path[..length].join(".")));
        let Some(metadata) = metadata else { return Origin::Merged };
        if let Some(document) = self.documents.iter().find(|document| document.name() == metadata.name) {
            return document.locate(path);
        }
        let variable = self.overrides.iter().map(Override::variable).find(|variable| metadata.name == *variable);
        variable.map_or(Origin::Merged, Origin::Environment)
    }

    /// Where the key that is missing could be.
    fn places(&self, key: &str) -> String {
        let folders = self.dirs.iter().map(|dir| dir.join("*.toml").display().to_string());
        let variable = environment::variable_for(key).map(|variable| format!("environment variable {variable}"));
        folders.chain(variable).collect::<Vec<_>>().join(", ")
    }
}
