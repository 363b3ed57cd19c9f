//! Bundles and who signs them, made by `rauc` and `openssl`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// An authority and a signer of bundles.
pub(crate) struct Signer {
    folder: PathBuf,
    /// Of the signer's files.
    name: &'static str,
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A new key on the curve P-256.
const NEW_KEY: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];

impl Signer {
    /// Makes an authority in `folder`, and a signer that it has issued a certificate for signing code.
    pub(crate) fn new(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let files = ["-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=authority"];
        run(Command::new("openssl").args(["req", "-x509"]).args(NEW_KEY).args(files).current_dir(folder));
        Self { folder: folder.to_owned(), name: "" }.issued("codeSigning")
    }

    /// Another signer of the same authority, for another purpose (an extended key usage).
    pub(crate) fn issued(&self, purpose: &'static str) -> Self {
        let (key, request) = (format!("{purpose}.key"), format!("{purpose}.csr"));
        let files = ["-nodes", "-keyout", &key, "-out", &request, "-subj", "/O=Test/CN=signer"];
        run(Command::new("openssl").arg("req").args(NEW_KEY).args(files).current_dir(&self.folder));
        let extensions =
            format!("basicConstraints=critical,CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage={purpose}\n");
        std::fs::write(self.folder.join("extensions"), extensions).unwrap();
        let sign = [
            "x509",
            "-req",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "30",
            "-extfile",
            "extensions",
        ];
        let files = ["-in", &request, "-out", &format!("{purpose}.pem")];
        run(Command::new("openssl").args(sign).args(files).current_dir(&self.folder));
        Self { folder: self.folder.clone(), name: purpose }
    }

    pub(crate) fn keyring(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A bundle of this version with `size` bytes of content.
    pub(crate) fn bundle(&self, version: &str, size: usize) -> Vec<u8> {
        self.bundle_with(&format!("version={version}\nbuild=20260101\ndescription=A test"), "format=verity", size)
    }

    /// The same with these lines in the manifest.
    pub(crate) fn bundle_with(&self, update: &str, bundle: &str, size: usize) -> Vec<u8> {
        let folder = tempfile::tempdir_in(&self.folder).unwrap();
        let content = folder.path().join("content");
        std::fs::create_dir(&content).unwrap();
        // Not compressible, and different for each place: a linear congruential generator's upper bits.
        let mut state = 1_u64;
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .take(size)
        .collect();
        std::fs::write(content.join("rootfs.img"), bytes).unwrap();
        let manifest = format!(
            "[update]\ncompatible=microkernel-test\n{update}\n[bundle]\n{bundle}\n[image.rootfs]\nfilename=rootfs.img\n"
        );
        std::fs::write(content.join("manifest.raucm"), manifest).unwrap();
        let output = folder.path().join("out.raucb");
        let mut command = Command::new("rauc");
        command
            .arg("--cert")
            .arg(self.folder.join(format!("{}.pem", self.name)))
            .arg("--key")
            .arg(self.folder.join(format!("{}.key", self.name)));
        run(command.arg("bundle").arg(&content).arg(&output));
        std::fs::read(output).unwrap()
    }
}
