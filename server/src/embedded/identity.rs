//! Which user a child process runs as, and that it dies with the server.
//!
//! PostgreSQL refuses to run as root, and a broker that faces a network should not. A server that isn't root runs its
//! children as itself. One that is root drops to the program's system user where that user can reach the data folder,
//! else (the folder is below a private one such as `/root`) runs the child in a user namespace, where root's files
//! stay root's while the child is nobody's root.
//!
//! Whichever it is, `setpriv` asks the kernel to signal the child when the thread that started it ends, so that a
//! server killed by SIGKILL leaves no orphan. A change of credentials clears that request, so `setpriv` comes after it.

use nix::unistd::{Gid, Uid, User, geteuid};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// The unprivileged user and group inside a namespace; any but 0 will do.
const NAMESPACE_ID: &str = "1000";
/// "Others may pass through" of a folder's mode.
const OTHERS_SEARCH: u32 = 0o001;

/// Why a child can't run as anyone but root.
#[derive(Debug, thiserror::Error)]
#[error(
    "{program} must not run as root, and neither way around works: {obstacle}, and a user namespace can't be made \
     ({namespace}); start the server as an ordinary user, or choose a --data-dir that the user {program:?} can reach"
)]
pub struct IdentityError {
    program: &'static str,
    obstacle: Obstacle,
    namespace: String,
}

/// Why a system user can't be used.
#[derive(Debug, thiserror::Error)]
enum Obstacle {
    #[error("there is no system user {0:?}")]
    NoUser(&'static str),
    #[error("{path} is closed to others (chmod o+x opens it)", path = .0.display())]
    Closed(PathBuf),
}

/// Who a child process runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The server's own user, which is not root.
    Same,
    /// A system user; the child's files are given to it.
    SystemUser(Uid, Gid),
    /// Root's files, without root's rights.
    Namespace,
}

impl Identity {
    /// Decides for `program`, whose system user has the same name and which needs to reach `paths` (absolute).
    ///
    /// # Errors
    /// [`IdentityError`]: root, and no way to be someone else.
    pub(crate) async fn choose(program: &'static str, paths: &[&Path]) -> Result<Self, IdentityError> {
        if !geteuid().is_root() {
            return Ok(Self::Same);
        }
        let obstacle = match system_user(program, paths) {
            Ok(user) => return Ok(user),
            Err(obstacle) => obstacle,
        };
        match try_namespace().await {
            Ok(()) => Ok(Self::Namespace),
            Err(namespace) => Err(IdentityError { program, obstacle, namespace }),
        }
    }

    /// A command that runs `program` as this identity, away from the server's terminal signals, its environment (which
    /// may hold passwords) and its working folder (which may be closed to it). `death_signal`, without `SIG`, is sent
    /// to it when the thread that spawns it ends.
    pub(crate) fn command(&self, program: &Path, death_signal: &str) -> Command {
        let mut command = match self {
            Self::Namespace => {
                let mut command = Command::new("unshare");
                command.args(["--user", "--map-user", NAMESPACE_ID, "--map-group", NAMESPACE_ID, "--", "setpriv"]);
                command
            }
            Self::Same | Self::SystemUser(..) => Command::new("setpriv"),
        };
        if let Self::SystemUser(uid, gid) = self {
            command.args(["--reuid", &uid.to_string(), "--regid", &gid.to_string(), "--clear-groups"]);
        }
        command.args(["--pdeathsig", death_signal, "--"]).arg(program);
        command.env_clear().current_dir("/").process_group(0);
        command.envs(["PATH", "LD_LIBRARY_PATH"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command
    }

    /// Whether a file of this user is the server's or the child's.
    pub(crate) fn may_own(&self, uid: u32) -> bool {
        uid == geteuid().as_raw() || matches!(self, Self::SystemUser(own, _) if own.as_raw() == uid)
    }

    /// Gives `path` and all below it to this identity, links themselves and not what they point to.
    ///
    /// # Errors
    /// The first file that can't be read or changed, named.
    pub(crate) fn own(&self, path: &Path) -> io::Result<()> {
        let (uid, gid) = match self {
            Self::Same => return Ok(()),
            Self::SystemUser(uid, gid) => (*uid, *gid),
            Self::Namespace => (geteuid(), nix::unistd::getegid()),
        };
        own_tree(path, uid.as_raw(), gid.as_raw())
    }
}

fn system_user(name: &'static str, paths: &[&Path]) -> Result<Identity, Obstacle> {
    let Ok(Some(user)) = User::from_name(name) else { return Err(Obstacle::NoUser(name)) };
    match paths.iter().find_map(|path| closed_parent(path)) {
        Some(parent) => Err(Obstacle::Closed(parent)),
        None => Ok(Identity::SystemUser(user.uid, user.gid)),
    }
}

/// The folder nearest to `path` that its owner's group and others can't pass through.
fn closed_parent(path: &Path) -> Option<PathBuf> {
    path.ancestors()
        .skip(1)
        .find(|parent| !parent.metadata().is_ok_and(|found| found.permissions().mode() & OTHERS_SEARCH != 0))
        .map(Path::to_owned)
}

async fn try_namespace() -> Result<(), String> {
    match Identity::Namespace.command(Path::new("true"), "KILL").output().await {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("unshare: {error}")),
    }
}

fn own_tree(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let name = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let found = path.symlink_metadata().map_err(name)?;
    if found.is_dir() {
        for entry in path.read_dir().map_err(name)? {
            own_tree(&entry.map_err(name)?.path(), uid, gid)?;
        }
    }
    if (found.uid(), found.gid()) == (uid, gid) { Ok(()) } else { lchown(path, Some(uid), Some(gid)).map_err(name) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_private_folder_closes_what_is_below_it() {
        let private = tempfile::tempdir().unwrap();
        std::fs::set_permissions(private.path(), PermissionsExt::from_mode(0o700)).unwrap();
        let data = private.path().join("a/b");
        std::fs::create_dir_all(&data).unwrap();
        assert_eq!(closed_parent(&data).as_deref(), Some(private.path()));
        std::fs::set_permissions(private.path(), PermissionsExt::from_mode(0o711)).unwrap();
        assert_ne!(closed_parent(&data).as_deref(), Some(private.path()));
    }

    #[test]
    fn the_death_signal_is_requested_after_the_change_of_user() {
        let command = Identity::SystemUser(Uid::from_raw(7), Gid::from_raw(8)).command(Path::new("/bin/x"), "INT");
        let arguments: Vec<_> = command.as_std().get_args().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(arguments, ["--reuid", "7", "--regid", "8", "--clear-groups", "--pdeathsig", "INT", "--", "/bin/x"]);
    }
}
