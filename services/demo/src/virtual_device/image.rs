//! The virtual device's image: where it is, and building it.

use crate::program::Program;
use anyhow::{Context, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::sleep;

/// How often the log of the build is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// The image, built or not.
#[derive(Debug)]
pub(super) struct Image {
    images: PathBuf,
    disk: PathBuf,
}

impl Image {
    /// The image that the scripts in `images` build.
    ///
    /// # Errors
    /// Why no virtual device can run here, and the remedy.
    pub(super) fn find(images: &Path) -> Result<Self, String> {
        if !in_path("qemu-system-aarch64") {
            return Err("QEMU is not installed (Debian: apt install qemu-system-arm qemu-utils)".to_owned());
        }
        let Ok(images) = images.canonicalize() else {
            return Err(format!("there is no folder {}: start the demo in the folder of the source", images.display()));
        };
        let source = images.parent().unwrap_or(&images);
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| source.join("target"), PathBuf::from);
        let disk = target.join("image/virtual/disk.img");
        if !disk.exists() && !geteuid().is_root() {
            return Err("there is no image yet, and only root can build one: sudo make image".to_owned());
        }
        Ok(Self { images, disk })
    }

    /// What boots it.
    pub(super) fn run_program(&self) -> PathBuf {
        self.images.join("run")
    }

    /// The certificate that the image's bundles are signed below.
    pub(super) fn keyring(&self) -> PathBuf {
        let beside = || self.images.with_file_name(".pki");
        std::env::var_os("MICROKERNEL_PKI").map_or_else(beside, PathBuf::from).join("ca.pem")
    }

    /// Builds it unless it is there; says each step.
    ///
    /// # Errors
    /// The build failed: with the end of its log.
    pub(super) async fn build(&self, log: &Path, say: &impl Fn(&str)) -> anyhow::Result<()> {
        if self.disk.exists() {
            return Ok(());
        }
        say("has no image yet: building it, which takes ten to twenty minutes the first time and one after that");
        let build = Program {
            name: "image".to_owned(),
            program: self.images.join("build/image"),
            arguments: vec![],
            environment: vec![],
            log: log.to_owned(),
            leftovers: vec![],
        };
        build.begin_log()?;
        let mut child = build.spawn().context("the build of the image could not be started")?;
        let _group = child.id().map(Group);
        let mut told = 0;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            let text = std::fs::read_to_string(log).unwrap_or_default();
            let steps: Vec<String> = text.lines().filter_map(step).collect();
            steps[told.min(steps.len())..].iter().for_each(|step| say(step));
            told = steps.len();
            sleep(LOOK_INTERVAL).await;
        };
        if !status.success() {
            bail!("the image was not built ({status}); {}", build.log_tail());
        }
        Ok(())
    }
}

/// A line of the build that says what it is at: `[1m05s] making the toolbox`.
fn step(line: &str) -> Option<String> {
    let line = line.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
    let (time, _) = line.strip_prefix('[')?.split_once("] ")?;
    (time.ends_with('s') && time.contains('m')).then_some(line)
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The processes of a build, which end when this is dropped: the scripts start others.
struct Group(u32);

impl Drop for Group {
    fn drop(&mut self) {
        // It is gone when the build has ended.
        let _ended = killpg(Pid::from_raw(self.0.cast_signed()), Signal::SIGTERM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_a_build_are_told_from_what_programs_say() {
        assert_eq!(step("\u{1b}[1m[0m04s]\u{1b}[0m making it").as_deref(), Some("[0m04s] making it"));
        for line in ["   Compiling x", "[ 5.2] kernel", "rauc-Message: x", ""] {
            assert_eq!(step(line), None, "{line}");
        }
    }
}
