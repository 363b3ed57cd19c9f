//! Reading the attributes of kernel drivers.
//!
//! The folder that stands for `/sys` is passed in, so the drivers are tested on a folder of plain files.

use super::Fault;
use std::fs;
use std::path::{Path, PathBuf};

/// The text of an attribute, without the line end. A driver's own errors (`EIO`, `ETIMEDOUT`) come out of the read.
pub(super) fn text(path: &Path) -> Result<String, Fault> {
    Ok(fs::read_to_string(path)?.trim_end().to_owned())
}

/// The number in an attribute.
pub(super) fn number(path: &Path) -> Result<f64, Fault> {
    let text = text(path)?;
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(Fault::Invalid(format!("{} holds '{text}', expected a number", path.display()))),
    }
}

/// The number in an attribute that need not exist.
pub(super) fn optional_number(path: &Path) -> Result<Option<f64>, Fault> {
    match number(path) {
        Err(Fault::Os { errno: 2 }) => Ok(None),
        result => result.map(Some),
    }
}

/// The device folder below `class` whose attribute `attribute` is `wanted`: devices are numbered in the order in which
/// they were found, which may differ from boot to boot, so a configuration names them by what they are.
///
/// Of several, the first by name is taken.
///
/// # Errors
/// [`Fault::Missing`] names what there is instead.
pub(super) fn find(class: &Path, attribute: &str, wanted: &str) -> Result<PathBuf, Fault> {
    let mut folders: Vec<_> = match fs::read_dir(class) {
        Ok(entries) => entries.filter_map(|entry| Some(entry.ok()?.path())).collect(),
        Err(_) => Vec::new(),
    };
    folders.sort();
    let named: Vec<_> =
        folders.into_iter().filter_map(|folder| Some((text(&folder.join(attribute)).ok()?, folder))).collect();
    if let Some((_, folder)) = named.iter().find(|(name, _)| name == wanted) {
        return Ok(folder.clone());
    }
    let found: Vec<_> = named.iter().map(|(name, _)| name.as_str()).collect();
    let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
    Err(Fault::Missing(format!("no '{wanted}' below {}, found {found}", class.display())))
}
