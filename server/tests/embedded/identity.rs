//! Who the embedded programs run as when the server is root. (As an ordinary user they run as that user, which all
//! other tests show.)

use crate::server::{Server, child, is_root};
use sqlx::{Connection, Executor, Row};
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// The user of a process, seen from outside of any namespace.
fn user_of(process: u32) -> u32 {
    std::fs::metadata(format!("/proc/{process}")).unwrap().uid()
}

fn user_id(name: &str) -> u32 {
    nix::unistd::User::from_name(name).unwrap().unwrap_or_else(|| panic!("no user {name}")).uid.as_raw()
}

#[tokio::test]
async fn root_drops_to_the_system_users_or_to_a_namespace_as_the_folder_allows() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");

    // A private folder above it: the system users can't get in.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    let server = Server::start(&data);
    for program in ["postgres", "mosquitto"] {
        let process = child(&server.data, program).unwrap();
        assert_eq!(user_of(process), 0, "{program}'s files are root's");
        let mapping = std::fs::read_to_string(format!("/proc/{process}/uid_map")).unwrap();
        assert_eq!(mapping.split_whitespace().collect::<Vec<_>>(), ["1000", "0", "1"], "{program}");
    }
    assert_eq!(data.join("postgres").metadata().unwrap().uid(), 0);
    let mut database = server.database().await.unwrap();
    database.execute("CREATE TABLE kept AS SELECT 42 AS number").await.unwrap();
    database.close().await.unwrap();
    assert!(server.stop().success());

    // The same folder, opened.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let server = Server::start(&data);
    for program in ["postgres", "mosquitto"] {
        assert_eq!(user_of(child(&server.data, program).unwrap()), user_id(program), "{program}");
    }
    assert_eq!(data.join("postgres").metadata().unwrap().uid(), user_id("postgres"));
    let mut database = server.database().await.unwrap();
    let row = database.fetch_one("SELECT number FROM kept").await.unwrap();
    assert_eq!(row.get::<i32, _>(0), 42);
    database.close().await.unwrap();
    server.kill();

    // And closed again.
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    let server = Server::start(&data);
    let mut database = server.database().await.unwrap();
    let row = database.fetch_one("SELECT number FROM kept").await.unwrap();
    assert_eq!(row.get::<i32, _>(0), 42);
    database.close().await.unwrap();
    assert!(server.stop().success());
}

#[test]
fn a_killed_server_that_dropped_to_the_system_users_leaves_no_orphans() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let server = Server::start(folder.path());
    let data = server.data.clone();
    assert_eq!(user_of(child(&data, "postgres").unwrap()), user_id("postgres"));
    server.kill();
    crate::server::eventually("no orphans", || crate::server::children(&data).is_empty().then_some(()));
}
