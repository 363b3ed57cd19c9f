//! Finding PostgreSQL's programs, of a version that fits the cluster.

use super::process::find_in_path;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

/// Where Debian keeps each major version.
const VERSIONS_DIR: &str = "/usr/lib/postgresql";
/// The oldest version that is supported.
const MAJOR_MIN: u32 = 15;
const VERSION_WITHIN: Duration = Duration::from_secs(10);

/// Why there are no programs that fit.
#[derive(Debug, thiserror::Error)]
pub enum ProgramsError {
    /// None found.
    #[error(
        "PostgreSQL's programs (postgres, initdb) are neither below {VERSIONS_DIR} nor in PATH: install them (Debian: \
         apt install postgresql), name their folder by --postgres-bin, or use another database by DATABASE_URL"
    )]
    NotFound,
    /// Not where the user said.
    #[error("--postgres-bin {dir} does not hold the programs postgres and initdb", dir = .0.display())]
    NotInFolder(PathBuf),
    /// They don't run.
    #[error("{program} --version failed: {reason}", program = .program.display())]
    Version {
        /// The program.
        program: PathBuf,
        /// What it said.
        reason: String,
    },
    /// Too old.
    #[error("{program} is PostgreSQL {major}, and at least {MAJOR_MIN} is needed", program = .program.display())]
    TooOld {
        /// The program.
        program: PathBuf,
        /// Its version.
        major: u32,
    },
    /// The cluster is of another major version.
    #[error(
        "the database in {cluster} was made by PostgreSQL {found}, and {program} is version {major}: install \
         postgresql-{found} or name its folder by --postgres-bin, or move the data with pg_upgrade",
        cluster = .cluster.display(), program = .program.display()
    )]
    OtherMajor {
        /// The cluster's folder.
        cluster: PathBuf,
        /// The version that made it.
        found: u32,
        /// The program.
        program: PathBuf,
        /// Its version.
        major: u32,
    },
    /// The cluster's version can't be read.
    #[error("{path} can't be read as a PostgreSQL version: {reason}", path = .path.display())]
    ClusterVersion {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A cluster on disk.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    path: PathBuf,
    major: u32,
}

/// The major version that made a cluster; none if there is no cluster yet.
///
/// # Errors
/// [`ProgramsError::ClusterVersion`].
pub(crate) fn cluster_major(cluster: &Path) -> Result<Option<Cluster>, ProgramsError> {
    let path = cluster.join("PG_VERSION");
    let refuse = |reason: String| ProgramsError::ClusterVersion { path: path.clone(), reason };
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let major = text.trim().parse().map_err(|_| refuse(format!("it says {:?}", text.trim())))?;
            Ok(Some(Cluster { path: cluster.to_owned(), major }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refuse(error.to_string())),
    }
}

/// PostgreSQL's programs.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) postgres: PathBuf,
    pub(crate) initdb: PathBuf,
    /// As the program says it, for example `15.18`.
    pub(crate) version: String,
}

impl Programs {
    /// Finds the programs: in `bin_dir` if given; else those that made the cluster, else the newest.
    ///
    /// # Errors
    /// [`ProgramsError`], with the remedy.
    pub(crate) async fn find(bin_dir: Option<&Path>, cluster: Option<Cluster>) -> Result<Self, ProgramsError> {
        let dir = match bin_dir {
            Some(dir) if holds_programs(dir) => absolute(dir),
            Some(dir) => return Err(ProgramsError::NotInFolder(dir.to_owned())),
            None => installed(cluster.as_ref()).ok_or(ProgramsError::NotFound)?,
        };
        let postgres = dir.join("postgres");
        let version = version(&postgres).await?;
        let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).ok_or_else(|| {
            ProgramsError::Version { program: postgres.clone(), reason: format!("unexpected version {version:?}") }
        })?;
        if major < MAJOR_MIN {
            return Err(ProgramsError::TooOld { program: postgres, major });
        }
        match cluster {
            Some(Cluster { path, major: found }) if found != major => {
                Err(ProgramsError::OtherMajor { cluster: path, found, program: postgres, major })
            }
            _ => Ok(Self { postgres, initdb: dir.join("initdb"), version }),
        }
    }
}

/// The folder of the installed programs that suit best.
fn installed(cluster: Option<&Cluster>) -> Option<PathBuf> {
    let mut majors: Vec<u32> = std::fs::read_dir(VERSIONS_DIR)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|major: &u32| holds_programs(&version_dir(*major)))
        .collect();
    majors.sort_unstable();
    let suits = cluster.map(|cluster| cluster.major).filter(|major| majors.contains(major));
    suits.or(majors.last().copied()).map(version_dir).or_else(|| {
        let dir = find_in_path("postgres")?.canonicalize().ok()?.parent()?.to_owned();
        holds_programs(&dir).then_some(dir)
    })
}

fn version_dir(major: u32) -> PathBuf {
    Path::new(VERSIONS_DIR).join(major.to_string()).join("bin")
}

fn holds_programs(dir: &Path) -> bool {
    ["postgres", "initdb"].iter().all(|name| dir.join(name).is_file())
}

/// The path from the root, because children run in another folder.
fn absolute(dir: &Path) -> PathBuf {
    dir.canonicalize().unwrap_or_else(|_| dir.to_owned())
}

/// What follows `postgres (PostgreSQL) ` in the program's own words.
async fn version(program: &Path) -> Result<String, ProgramsError> {
    let failed = |reason: String| ProgramsError::Version { program: program.to_owned(), reason };
    let output = tokio::time::timeout(VERSION_WITHIN, Command::new(program).arg("--version").output())
        .await
        .map_err(|_| failed("no answer".to_owned()))?
        .map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split(") ").nth(1).and_then(|rest| rest.split_whitespace().next());
    version.map(str::to_owned).ok_or_else(|| failed(format!("it says {:?}", text.trim())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A folder with programs that claim a version.
    fn programs_of(version: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in ["postgres", "initdb"] {
            let path = dir.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        dir
    }

    fn cluster_of(major: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("PG_VERSION"), format!("{major}\n")).unwrap();
        dir
    }

    #[tokio::test]
    async fn a_folder_without_the_programs_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let error = Programs::find(Some(dir.path()), None).await.unwrap_err().to_string();
        assert!(error.contains(&dir.path().display().to_string()), "{error}");
    }

    #[tokio::test]
    async fn a_cluster_of_another_major_version_is_refused_with_the_remedy() {
        let (programs, cluster) = (programs_of("17.2"), cluster_of("15"));
        let cluster = cluster_major(cluster.path()).unwrap();
        let error = Programs::find(Some(programs.path()), cluster).await.unwrap_err().to_string();
        assert!(error.contains("postgresql-15") && error.contains("version 17"), "{error}");
    }

    #[tokio::test]
    async fn an_old_version_is_refused() {
        let programs = programs_of("13.9 (Debian 13.9-0+deb11u1)");
        let error = Programs::find(Some(programs.path()), None).await.unwrap_err();
        assert!(matches!(error, ProgramsError::TooOld { major: 13, .. }), "{error}");
    }

    #[tokio::test]
    async fn a_fitting_version_is_taken() {
        let (programs, cluster) = (programs_of("15.18 (Debian 15.18-0+deb12u1)"), cluster_of("15"));
        let found = Programs::find(Some(programs.path()), cluster_major(cluster.path()).unwrap()).await.unwrap();
        assert_eq!(found.version, "15.18");
    }

    #[test]
    fn an_unreadable_version_of_the_cluster_is_named() {
        let error = cluster_major(cluster_of("fifteen").path()).unwrap_err().to_string();
        assert!(error.contains("PG_VERSION") && error.contains("fifteen"), "{error}");
        assert!(cluster_major(Path::new("/nonexistent")).unwrap().is_none());
    }
}
