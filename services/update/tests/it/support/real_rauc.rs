//! RAUC itself, as a service on the device's bus, with slots that are files and a boot loader that is a script.
//!
//! `MICROKERNEL_TEST_RAUC` names the program, else it is looked for on the path. Bundles are plain ones from a file: verity
//! and streaming need a kernel with dm-verity and nbd.

use super::{
    device::{Device, Process},
    eventually,
    pki::Authority,
};
use microkernel_bus::{
    at,
    rauc::{BundleAccess, InstallerProxy},
};
use rcgen::ExtendedKeyUsagePurpose;
use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// The size of a slot, in bytes.
const SLOT_BYTES: u64 = 2 << 20;

const SYSTEM_CONF: &str = "\
[system]
compatible=test-device
bootloader=custom
mountprefix=DIR/mnt
statusfile=DIR/status

[keyring]
path=DIR/keyring.pem

[handlers]
bootloader-custom-backend=DIR/boot-loader

[slot.rootfs.0]
device=DIR/slot-a
type=raw
bootname=A

[slot.rootfs.1]
device=DIR/slot-b
type=raw
bootname=B
";

/// For RAUC 1.13 and later.
const ARTIFACTS: &str = "
[artifacts.scripts]
path=DIR/scripts
type=files
";

const BOOT_LOADER: &str = r#"#!/bin/sh
set -eu
cd "$(dirname "$0")"
case "$1" in
get-primary) cat primary ;;
set-primary) echo "$2" >primary; echo good >"state-$2" ;;
get-state) cat "state-$2" ;;
set-state) echo "$3" >"state-$2" ;;
*) exit 1 ;;
esac
"#;

/// The service; dropped, it is gone.
pub(crate) struct RealRauc {
    dir: PathBuf,
    authority: Authority,
    address: String,
    service: Process,
}

fn program() -> PathBuf {
    std::env::var_os("MICROKERNEL_TEST_RAUC").map_or("rauc".into(), PathBuf::from)
}

/// Whether it has artifact repositories.
pub(crate) fn has_artifacts() -> bool {
    let output = Command::new(program()).arg("--version").output().expect("run rauc (Debian package rauc)");
    let text = String::from_utf8(output.stdout).unwrap();
    let minor = text.trim().trim_start_matches("rauc ").split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    minor.unwrap() >= 13
}

impl RealRauc {
    /// Slot A runs.
    pub(crate) async fn start(device: &Device) -> Self {
        let dir = device.path("rauc");
        for folder in ["", "mnt", "scripts"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        let authority = Authority::new("Release CA");
        fs::write(dir.join("keyring.pem"), authority.certificate()).unwrap();
        let artifacts = if has_artifacts() { ARTIFACTS } else { "" };
        let conf = format!("{SYSTEM_CONF}{artifacts}").replace("DIR", dir.to_str().unwrap());
        fs::write(dir.join("system.conf"), conf).unwrap();
        fs::write(dir.join("boot-loader"), BOOT_LOADER).unwrap();
        fs::set_permissions(dir.join("boot-loader"), fs::Permissions::from_mode(0o755)).unwrap();
        for (file, text) in [("primary", "A\n"), ("state-A", "good\n"), ("state-B", "good\n")] {
            fs::write(dir.join(file), text).unwrap();
        }
        for slot in ["slot-a", "slot-b"] {
            File::create(dir.join(slot)).unwrap().set_len(SLOT_BYTES).unwrap();
        }
        let service = spawn(&dir, &device.address, "A");
        let rauc = Self { dir, authority, address: device.address.clone(), service };
        rauc.until_it_serves().await;
        rauc
    }

    /// The boot loader starts this slot, and RAUC starts in it.
    pub(crate) async fn boot(&mut self, bootname: &str) {
        self.service = {
            let _ = self.service.0.kill();
            let _ = self.service.0.wait();
            spawn(&self.dir, &self.address, bootname)
        };
        self.until_it_serves().await;
    }

    async fn until_it_serves(&self) {
        let connection = at(&self.address).build().await.unwrap();
        let rauc = InstallerProxy::uncached(&connection).await.unwrap();
        eventually("RAUC serves", async || rauc.operation().await.ok()).await;
    }

    /// A bundle of a version with this content for the slot, signed by the release authority.
    pub(crate) fn bundle(&self, version: &str, content: &[u8]) -> Vec<u8> {
        self.signed_bundle(&self.authority, "test-device", version, "rootfs", content)
    }

    /// The same for another kind of device.
    pub(crate) fn bundle_for(&self, compatible: &str, version: &str) -> Vec<u8> {
        self.signed_bundle(&self.authority, compatible, version, "rootfs", b"the system")
    }

    /// A bundle that brings the script `smooth` and nothing else.
    pub(crate) fn artifact_bundle(&self, version: &str, script: &[u8]) -> Vec<u8> {
        self.signed_bundle(&self.authority, "test-device", version, "scripts/smooth", script)
    }

    /// A bundle for whatever, signed by whomever.
    pub(crate) fn signed_bundle(
        &self,
        authority: &Authority,
        compatible: &str,
        version: &str,
        image: &str,
        content: &[u8],
    ) -> Vec<u8> {
        let work = tempfile::tempdir().unwrap();
        let path = |name: &str| work.path().join(name);
        let signer = authority.issue("signer", ExtendedKeyUsagePurpose::EmailProtection);
        fs::write(path("signer.crt"), &signer.certificate).unwrap();
        fs::write(path("signer.key"), &signer.key).unwrap();
        fs::create_dir(path("content")).unwrap();
        let extension = if image == "rootfs" { "img" } else { "js" };
        let mut file = File::create(path("content").join(format!("image.{extension}"))).unwrap();
        file.write_all(content).unwrap();
        // RAUC wants images for raw slots in whole sectors.
        if image == "rootfs" {
            file.set_len(4096 * (content.len() as u64).div_ceil(4096)).unwrap();
        }
        // RAUC takes artifacts from verity bundles only.
        let format = if image == "rootfs" { "plain" } else { "verity" };
        let manifest = format!(
            "[update]\ncompatible={compatible}\nversion={version}\n\n[bundle]\nformat={format}\n\n\
             [image.{image}]\nfilename=image.{extension}\n"
        );
        fs::write(path("content/manifest.raucm"), manifest).unwrap();
        run(Command::new(program())
            .arg("bundle")
            .args([Path::new("--cert"), &path("signer.crt"), Path::new("--key"), &path("signer.key")])
            .args([path("content"), path("bundle.raucb")]));
        fs::read(path("bundle.raucb")).unwrap()
    }

    /// What the boot loader would start.
    pub(crate) fn primary(&self) -> String {
        fs::read_to_string(self.dir.join("primary")).unwrap().trim().to_owned()
    }

    /// The boot loader's word on a slot.
    pub(crate) fn give_up(&self, bootname: &str, other: &str) {
        fs::write(self.dir.join(format!("state-{bootname}")), "bad\n").unwrap();
        fs::write(self.dir.join("primary"), format!("{other}\n")).unwrap();
    }

    /// From now on, nothing can be written to slot B.
    pub(crate) fn break_slot_b(&self) {
        fs::remove_file(self.dir.join("slot-b")).unwrap();
        std::os::unix::fs::symlink("/dev/full", self.dir.join("slot-b")).unwrap();
    }

    /// Installs this file without the agent, if that was not done already.
    pub(crate) async fn finish_without_agent(&self, bundle: &Path) {
        let connection = at(&self.address).build().await.unwrap();
        let rauc = InstallerProxy::uncached(&connection).await.unwrap();
        eventually("RAUC has nothing to do", async || (rauc.operation().await.unwrap() == "idle").then_some(())).await;
        if self.primary() != "B" {
            rauc.install(bundle.to_str().unwrap(), &BundleAccess::default()).await.unwrap();
        }
        eventually("RAUC has installed", async || {
            (rauc.operation().await.unwrap() == "idle" && self.primary() == "B").then_some(())
        })
        .await;
    }

    /// What is in slot B.
    pub(crate) fn slot_b(&self) -> Vec<u8> {
        fs::read(self.dir.join("slot-b")).unwrap()
    }

    /// What is installed of an artifact repository.
    pub(crate) fn artifact(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.dir.join("scripts").join(name)).ok()
    }
}

fn spawn(dir: &Path, address: &str, bootname: &str) -> Process {
    let mut command = Command::new(program());
    command
        .arg(format!("--conf={}", dir.join("system.conf").display()))
        .arg(format!("--override-boot-slot={bootname}"))
        .arg("service")
        .env("DBUS_SYSTEM_BUS_ADDRESS", address);
    Process(command.spawn().expect("start rauc (Debian packages rauc, squashfs-tools)"))
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
