//! Where settings go on the device.

use crate::{ProvisionError, Settings};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, chown},
    path::{Path, PathBuf},
};

/// The first line of a file that is from here. A network profile without it is somebody else's, and stays.
const MARK: &str = "# From the boot partition; its next change replaces this.\n";

/// Where on the data partition the settings are looked for. The folders are made by tmpfiles.d (`services/dist`), except iwd's.
#[derive(Debug, Clone)]
pub struct Places {
    /// A layer of the services' configuration, below what the hypervisor or the server says.
    pub configuration: PathBuf,
    /// iwd's folder: profiles and, where a country is named, `main.conf`.
    pub networks: PathBuf,
    /// The token, for whoever enrols the device: readable by the group of its folder.
    pub claim_token: PathBuf,
}

impl Places {
    /// The places on the data partition that is mounted here.
    pub fn on(data: &Path) -> Self {
        let data = data.join("microkernel");
        Self {
            configuration: data.join("config.d/40-boot-partition.toml"),
            networks: data.join("iwd"),
            claim_token: data.join("state/identity/claim-token"),
        }
    }
}

/// Writes what is new, and says which files that were. A power cut leaves each file as it was or as it is to be.
///
/// # Errors
/// The first file that can't be written; what came before it is written.
pub fn apply(settings: &Settings, places: &Places) -> Result<Vec<PathBuf>, ProvisionError> {
    let mut written = Vec::new();
    replace(&places.configuration, &configuration(settings), 0o644, &mut written)?;
    if let Some(wifi) = &settings.wifi {
        let name = wifi.profile_name();
        forget_other_profiles(&places.networks, &name)?;
        replace(&places.networks.join(name), &format!("{MARK}{}", wifi.profile()), 0o600, &mut written)?;
        if let Some(text) = wifi.daemon_configuration() {
            replace(&places.networks.join("main.conf"), &text, 0o644, &mut written)?;
        }
    }
    if let Some(token) = &settings.server.claim_token {
        replace(&places.claim_token, &format!("{token}\n"), 0o640, &mut written)?;
    }
    Ok(written)
}

/// The layer of configuration: only what was set.
fn configuration(settings: &Settings) -> String {
    let mut root = toml::Table::new();
    let mut set = |section: &str, key: &str, value: &str| {
        root.insert(section.to_owned(), toml::Table::from_iter([(key.to_owned(), value.into())]).into());
    };
    if let Some(id) = &settings.device.id {
        set("device", "id", id.as_str());
    }
    if let Some(host) = &settings.server.host {
        set("mqtt", "host", host);
    }
    format!("{MARK}{root}")
}

fn forget_other_profiles(folder: &Path, keep: &str) -> Result<(), ProvisionError> {
    let failed = |path: &Path, source| ProvisionError::Read { path: path.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failed(folder, source)),
    };
    for entry in entries {
        let path = entry.map_err(|source| failed(folder, source))?.path();
        let profile = path.extension().is_some_and(|kind| kind == "psk" || kind == "open");
        if profile
            && path.file_name().is_some_and(|name| name != keep)
            && fs::read_to_string(&path).is_ok_and(|text| text.starts_with(MARK))
        {
            fs::remove_file(&path).map_err(|source| ProvisionError::Write { path: path.clone(), source })?;
        }
    }
    Ok(())
}

fn replace(path: &Path, text: &str, mode: u32, written: &mut Vec<PathBuf>) -> Result<(), ProvisionError> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    write(path, text, mode).map_err(|source| ProvisionError::Write { path: path.to_owned(), source })?;
    written.push(path.to_owned());
    Ok(())
}

/// Written aside, on the disk, then renamed; in its folder's group.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::create_dir_all(folder)?;
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    if new.exists() {
        fs::remove_file(&new)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    let group = std::os::unix::fs::MetadataExt::gid(&fs::metadata(folder)?);
    chown(&new, None, Some(group))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}
