//! First start, restart, end.

use crate::mqtt::{client_as_server, publish};
use crate::server::{Server, child, children, failure, mode, run};
use sqlx::{Connection, Executor, Row};
use std::os::unix::fs::FileTypeExt;

#[tokio::test]
async fn the_first_start_makes_everything_and_keeps_it_private() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let data = &server.data;

    for key in ["pki/ca.key", "pki/microkernel-server.key", "pki/broker.key", "broker/broker.key"] {
        assert_eq!(mode(&data.join(key)), 0o600, "{key}");
    }
    for dir in ["pki", "broker", "postgres", "run", "log"] {
        assert_eq!(mode(&data.join(dir)), 0o700, "{dir}");
    }
    assert_eq!(server.endpoint("ca_cert"), data.join("pki/ca.crt").display().to_string());

    let mut database = server.database().await.unwrap();
    for (setting, value) in [
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("listen_addresses", ""),
        ("synchronous_commit", "on"),
        ("fsync", "on"),
    ] {
        let row = database.fetch_one(sqlx::AssertSqlSafe(format!("SHOW {setting}"))).await.unwrap();
        assert_eq!(row.get::<String, _>(0), value, "{setting}");
    }
    let organisation = database.fetch_one("SELECT slug FROM organisations").await.unwrap();
    assert_eq!(organisation.get::<String, _>(0), "default");
    database.close().await.unwrap();

    let data = data.clone();
    assert!(server.stop().success());
    assert_eq!(children(&data), [], "nothing is left");
    assert!(!data.join("endpoints.json").exists());
}

#[tokio::test]
async fn a_restart_keeps_data_retained_messages_ports_and_ca() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[], &[]);
    let (endpoints, ca) = (server.endpoints(), std::fs::read(server.data.join("pki/ca.crt")).unwrap());
    let mut database = server.database().await.unwrap();
    database.execute("CREATE TABLE kept AS SELECT 42 AS number").await.unwrap();
    database.close().await.unwrap();
    let retained = publish(client_as_server(&server, "mosquitto_pub").arg("-r"), "devices/d/status", "kept");
    assert!(retained.status.success(), "{retained:?}");
    assert!(server.stop().success());

    let server = Server::start_with(folder.path(), &[], &[]);
    assert_eq!(server.endpoints(), endpoints, "the ports are those of last time");
    assert_eq!(std::fs::read(server.data.join("pki/ca.crt")).unwrap(), ca);
    let mut database = server.database().await.unwrap();
    let row = database.fetch_one("SELECT number FROM kept").await.unwrap();
    assert_eq!(row.get::<i32, _>(0), 42);
    let output =
        run(client_as_server(&server, "mosquitto_sub").args(["-C", "1", "-W", "20", "-t", "devices/d/status"]));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "kept\n");
}

#[test]
fn a_second_server_on_the_same_folder_is_refused_and_the_first_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let error = failure(crate::server::command().arg("--data-dir").arg(folder.path()));
    assert!(error.contains("in use by another server") && error.contains(&server.id().to_string()), "{error}");
    assert!(server.data.join("endpoints.json").exists(), "the first goes on undisturbed");
}

#[tokio::test]
async fn a_data_folder_whose_path_is_too_long_for_a_socket_works() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("a folder with spaces".repeat(6));
    assert!(data.as_os_str().len() > 108);
    let server = Server::start(&data);
    let postgres = child(&server.data, "postgres").unwrap();
    server.database().await.unwrap().close().await.unwrap();

    let url = server.endpoint("postgres_url");
    let socket_dir = url.split("host=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    assert!(std::path::Path::new(&socket_dir).join(".s.PGSQL.5432").metadata().unwrap().file_type().is_socket());
    assert_eq!(mode(socket_dir.as_ref()), 0o700);
    assert!(server.stop().success());
    assert!(!std::path::Path::new(&socket_dir).exists(), "removed at the end");
    assert!(!std::path::Path::new(&format!("/proc/{postgres}")).exists());
}

#[test]
fn programs_that_are_not_there_are_named_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let with = |flag: &str| {
        failure(crate::server::command().arg("--data-dir").arg(folder.path()).args([
            "--http",
            "127.0.0.1:0",
            "--mqtt-port",
            "0",
            flag,
            "/nonexistent",
        ]))
    };
    let error = with("--postgres-bin");
    assert!(error.contains("--postgres-bin /nonexistent"), "{error}");
    let error = with("--mosquitto-bin");
    assert!(error.contains("--mosquitto-bin /nonexistent"), "{error}");
    let data = folder.path().canonicalize().unwrap();
    assert_eq!(children(&data), [], "what was started before the failure has ended");
}

#[test]
fn a_database_of_another_major_version_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("postgres")).unwrap();
    std::fs::write(folder.path().join("postgres/PG_VERSION"), "9\n").unwrap();
    let error = failure(crate::server::command().arg("--data-dir").arg(folder.path()).args(["--http", "127.0.0.1:0"]));
    assert!(error.contains("PostgreSQL 9") && error.contains("pg_upgrade"), "{error}");
}
