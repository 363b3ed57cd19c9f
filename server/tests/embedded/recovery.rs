//! What was killed comes back, and leaves nothing behind.

use crate::mqtt::{client_as_server, publish};
use crate::server::{Server, child, children, eventually, run, send};
use sqlx::{Executor, Row};

#[tokio::test]
async fn a_killed_server_leaves_no_orphans_and_starts_again_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let data = server.data.clone();
    let mut database = server.database().await.unwrap();
    database.execute("CREATE TABLE kept AS SELECT 42 AS number").await.unwrap();
    drop(database);
    assert_eq!(children(&data).len(), 2);
    server.kill();

    // Not waiting for what the first has left behind.
    let server = Server::start(folder.path());
    let mut database = server.database().await.unwrap();
    let row = database.fetch_one("SELECT number FROM kept").await.unwrap();
    assert_eq!(row.get::<i32, _>(0), 42);
    assert_eq!(children(&data).len(), 2, "{:?}", children(&data));
    server.kill();
    eventually("no orphans", || children(&data).is_empty().then_some(()));
}

#[test]
fn messages_for_a_client_that_is_away_survive_a_killed_server() {
    // Above mosquitto's default limits: 20 in flight and 1000 queued.
    const MESSAGES: usize = 3000;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let subscribe = |server: &Server, count: &str| {
        let mut command = client_as_server(server, "mosquitto_sub");
        command.args(["-c", "-i", "away", "-x", "3600", "-q", "1", "-t", "devices/+/telemetry", "-W", "30"]);
        command.args(if count == "0" { vec!["-E"] } else { vec!["-C", count] });
        run(&mut command)
    };
    let output = subscribe(&server, "0");
    assert!(output.status.success(), "{output:?}");

    let lines = folder.path().join("lines");
    std::fs::write(&lines, (0..MESSAGES).map(|number| format!("{number}\n")).collect::<String>()).unwrap();
    let mut command = client_as_server(&server, "mosquitto_pub");
    command.args(["-l", "-q", "1", "-t", "devices/d/telemetry"]);
    let status = command.stdin(std::fs::File::open(&lines).unwrap()).status().unwrap();
    assert!(status.success());
    server.kill();

    let server = Server::start(folder.path());
    let output = subscribe(&server, &MESSAGES.to_string());
    let received = String::from_utf8(output.stdout).unwrap();
    assert_eq!(received, std::fs::read_to_string(&lines).unwrap(), "all, in order");
}

#[tokio::test]
async fn a_killed_database_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let killed = child(&server.data, "postgres").unwrap();
    send("KILL", killed);
    eventually("another PostgreSQL", || child(&server.data, "postgres").filter(|id| *id != killed));
    let start = std::time::Instant::now();
    while server.database().await.is_err() {
        assert!(start.elapsed() < crate::server::DEADLINE);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(server.log().contains("PostgreSQL ended unexpectedly"));
    assert!(server.stop().success());
}

#[test]
fn a_killed_broker_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let killed = child(&server.data, "mosquitto").unwrap();
    send("KILL", killed);
    eventually("the broker takes messages again", || {
        let output = publish(&mut client_as_server(&server, "mosquitto_pub"), "devices/d/health", "x");
        output.status.success().then_some(())
    });
    assert_ne!(child(&server.data, "mosquitto"), Some(killed));
    assert!(server.stop().success());
}

#[test]
fn a_server_interrupted_while_it_starts_ends_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().canonicalize().unwrap();
    let mut command = crate::server::command();
    command.arg("--data-dir").arg(&data).args(["--http", "127.0.0.1:0", "--mqtt-port", "0"]);
    let mut server = command.spawn().unwrap();
    eventually("the cluster is being made", || data.join("postgres.unfinished").exists().then_some(()));
    send("INT", server.id());
    let status = eventually("the server has ended", || server.try_wait().unwrap());
    assert!(status.success(), "{status}");
    eventually("nothing is left", || children(&data).is_empty().then_some(()));

    let server = Server::start(&data);
    assert!(server.stop().success());
}
