//! One TOML text: a file, or one that was handed over.

use super::{
    error::{ConfigError, Origin},
    sections::SECTIONS,
    wording,
};
use figment::{
    Error, Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use toml::de::{DeTable, DeValue};

/// A parsed TOML text, and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Document {
    name: String,
    text: String,
    root: toml::Table,
}

impl Document {
    /// Reads every `*.toml` of a folder in the order of the names. A folder that is not there is empty.
    pub(super) fn read_dir(dir: &Path) -> Result<Vec<Self>, ConfigError> {
        let failed = |path: &Path, source| ConfigError::Read { path: path.to_owned(), source };
        let mut paths: Vec<PathBuf> = match fs::read_dir(dir) {
            Ok(entries) => entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<_, _>>()
                .map_err(|source| failed(dir, source))?,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(dir, source)),
        };
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        paths
            .into_iter()
            .map(|path| {
                let text = fs::read_to_string(&path).map_err(|source| failed(&path, source))?;
                Self::parse(path.display().to_string(), text)
            })
            .collect()
    }

    /// Parses `text`; `name` says in errors where it is from.
    pub(super) fn parse(name: String, text: String) -> Result<Self, ConfigError> {
        let root: toml::Table = toml::from_str(&text).map_err(|error| {
            let (line, column) = line_and_column(&text, error.span().map_or(0, |span| span.start));
            let message = error.message().trim_end().replace('\n', ", ");
            ConfigError::Syntax { origin: Origin::Text { name: name.clone(), line, column }, message }
        })?;
        let document = Self { name, text, root };
        match document.root.keys().find(|section| !SECTIONS.contains(&section.as_str())) {
            Some(section) => Err(ConfigError::UnknownSection {
                origin: document.locate(&[section]),
                section: section.clone(),
                nearest: wording::nearest(section, &SECTIONS),
            }),
            None => Ok(document),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where in the text the key at `path` is, or as much of it as there is.
    pub(super) fn locate<S: AsRef<str>>(&self, path: &[S]) -> Origin {
        let mut offset = 0;
        if let Ok(root) = DeTable::parse(&self.text) {
            let root = root.into_inner();
            let mut value = &DeValue::Table(root);
            for step in path {
                let Some((start, next)) = descend(value, step.as_ref()) else { break };
                (offset, value) = (start, next);
            }
        }
        let (line, column) = line_and_column(&self.text, offset);
        Origin::Text { name: self.name.clone(), line, column }
    }
}

/// One step into a value: where the key starts, and its value.
fn descend<'a, 'i>(value: &'a DeValue<'i>, step: &str) -> Option<(usize, &'a DeValue<'i>)> {
    match value {
        DeValue::Table(table) => {
            let (key, value) = table.iter().find(|(key, _)| key.get_ref() == step)?;
            Some((key.span().start, value.get_ref()))
        }
        DeValue::Array(items) => {
            let item = items.get(step.parse::<usize>().ok()?)?;
            Some((item.span().start, item.get_ref()))
        }
        _ => None,
    }
}

/// Both counted from 1, the column in characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

impl Provider for Document {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let root = Value::serialize(&self.root)?.into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(root))
    }
}
