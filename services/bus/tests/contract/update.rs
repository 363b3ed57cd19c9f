//! `io.microkernel.Update1.Agent`.

use crate::{
    outline::assert_served_as_written,
    pair::{self, Changes},
};
use microkernel_bus::{
    Error,
    update::{AgentBackend, AgentProxy, NAME, PATH, serve},
};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Server {
    calls: Arc<Mutex<Vec<String>>>,
}

impl AgentBackend for Server {
    async fn check(&self) -> Result<(), Error> {
        let mut calls = self.calls.lock().unwrap();
        if !calls.is_empty() {
            return Err(Error::Unavailable("1.0.1 is being installed".to_owned()));
        }
        calls.push("check".to_owned());
        Ok(())
    }

    async fn install(&self, version: &str) -> Result<(), Error> {
        if version != "1.0.1" {
            return Err(Error::InvalidArgument(format!("{version} is not on offer")));
        }
        self.calls.lock().unwrap().push(format!("install {version}"));
        Ok(())
    }

    fn state(&self) -> String {
        "installing".to_owned()
    }

    fn slot(&self) -> String {
        "A".to_owned()
    }

    fn version(&self) -> String {
        "1.0.0".to_owned()
    }

    fn progress(&self) -> u32 {
        40
    }

    fn last_error(&self) -> String {
        "no space".to_owned()
    }
}

#[tokio::test]
async fn agent_is_served_as_written() {
    let (_served, caller) = pair::connect(|builder| serve(builder, Server::default())).await;
    assert_served_as_written(&caller, NAME, PATH, "io.microkernel.Update1.Agent").await;
}

#[tokio::test]
async fn agent_takes_orders_and_refuses_with_its_own_errors() {
    let server = Server::default();
    let calls = server.calls.clone();
    let (_served, caller) = pair::connect(|builder| serve(builder, server)).await;
    let agent = AgentProxy::uncached(&caller).await.unwrap();
    assert_eq!((agent.inner().destination().as_str(), agent.inner().path().as_str()), (NAME, PATH));

    agent.check().await.unwrap();
    agent.install("1.0.1").await.unwrap();
    assert_eq!(*calls.lock().unwrap(), ["check", "install 1.0.1"]);

    let busy = agent.check().await.unwrap_err();
    assert_eq!(busy, Error::Unavailable("1.0.1 is being installed".to_owned()));
    let invalid = agent.install("0.9.0").await.unwrap_err();
    assert_eq!(invalid, Error::InvalidArgument("0.9.0 is not on offer".to_owned()));
}

#[tokio::test]
async fn agent_tells_its_state() {
    let (_served, caller) = pair::connect(|builder| serve(builder, Server::default())).await;
    let agent = AgentProxy::uncached(&caller).await.unwrap();
    assert_eq!(agent.state().await.unwrap(), "installing");
    assert_eq!(agent.slot().await.unwrap(), "A");
    assert_eq!(agent.version().await.unwrap(), "1.0.0");
    assert_eq!(agent.progress().await.unwrap(), 40);
    assert_eq!(agent.last_error().await.unwrap(), "no space");
}

#[tokio::test]
async fn agent_announces_its_state() {
    let (served, caller) = pair::connect(|builder| serve(builder, Server::default())).await;
    let agent = AgentProxy::uncached(&caller).await.unwrap();
    let mut changes = Changes::of(agent.inner()).await;
    served.update_changed().await.unwrap();
    let announced = changes.next(3).await;
    assert_eq!(announced, [r#"State = "installing""#, "Progress = uint32 40", r#"LastError = "no space""#]);
}
