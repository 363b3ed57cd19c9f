//! A RAUC that does what the test says: for what the real one can't be made to do at will, and for streaming, which needs a
//! kernel with nbd and dm-verity.

use microkernel_bus::rauc::{NAME, PATH, Progress};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};
use zbus::{Connection, OwnedVariant, Variant, connection, fdo, interface, object_server::SignalEmitter};

/// How an installation goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Script {
    /// It writes slot B, or what the bundle brings else.
    Succeed,
    /// It fails with this message.
    Fail(String),
    /// It goes on until the test says how it ends.
    GoOn,
}

/// What it knows and does.
#[derive(Debug, Clone)]
pub(crate) struct World {
    /// The version in slot A, and in B.
    pub(crate) versions: [String; 2],
    pub(crate) booted: usize,
    pub(crate) primary: usize,
    pub(crate) activated: [u32; 2],
    pub(crate) installing: bool,
    pub(crate) last_error: String,
    pub(crate) percentage: i32,
    /// What a bundle is found to be, or the message.
    pub(crate) bundle: Result<Bundle, String>,
    pub(crate) script: Script,
    /// What was inspected and installed, with the arguments.
    pub(crate) inspected: Vec<(String, HashMap<String, OwnedVariant>)>,
    pub(crate) installed: Vec<(String, HashMap<String, OwnedVariant>)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    pub(crate) compatible: String,
    pub(crate) version: String,
    /// The artifact's name, when it brings one.
    pub(crate) artifact: Option<String>,
}

impl World {
    fn new() -> Self {
        let bundle = Bundle { compatible: "test-device".to_owned(), version: "1.0.1".to_owned(), artifact: None };
        Self {
            versions: ["1.0.0".to_owned(), String::new()],
            booted: 0,
            primary: 0,
            activated: [1, 0],
            installing: false,
            last_error: String::new(),
            percentage: 0,
            bundle: Ok(bundle),
            script: Script::Succeed,
            inspected: Vec::new(),
            installed: Vec::new(),
        }
    }

    fn slot(&self, index: usize) -> (String, HashMap<String, OwnedVariant>) {
        let state = if index == self.booted { "booted" } else { "inactive" };
        let mut status: HashMap<String, OwnedVariant> = HashMap::new();
        let mut set = |key: &str, value: Variant<'_>| {
            status.insert(key.to_owned(), value.try_to_owned().unwrap());
        };
        set("class", "rootfs".into());
        set("bootname", ["A", "B"][index].into());
        set("state", state.into());
        set("boot-status", "good".into());
        set("activated.count", self.activated[index].into());
        if !self.versions[index].is_empty() {
            set("bundle.version", self.versions[index].as_str().into());
            set("bundle.hash", format!("hash of {}", self.versions[index]).into());
        }
        (format!("rootfs.{index}"), status)
    }

    fn write(&mut self) {
        let bundle = self.bundle.clone().unwrap();
        if bundle.artifact.is_none() {
            let other = 1 - self.booted;
            self.versions[other] = bundle.version;
            self.activated[other] += 1;
            self.primary = other;
        }
    }
}

/// Its hold: dropped, RAUC is gone.
pub(crate) struct Rauc {
    world: Arc<Mutex<World>>,
    connection: Connection,
}

impl Rauc {
    pub(crate) async fn serve(address: &str) -> Self {
        let world = Arc::new(Mutex::new(World::new()));
        let connection = Self::connect(address, &world).await;
        Self { world, connection }
    }

    async fn connect(address: &str, world: &Arc<Mutex<World>>) -> Connection {
        let builder = connection::Builder::address(address).serve_at(PATH, Installer(world.clone())).name(NAME);
        builder.build().await.unwrap()
    }

    /// It crashes and is started again: what it was at is lost.
    pub(crate) async fn restart(&mut self, address: &str) {
        self.connection.clone().close().await.unwrap();
        let mut world = self.world().clone();
        (world.installing, world.last_error) = (false, String::new());
        self.world = Arc::new(Mutex::new(world));
        self.connection = Self::connect(address, &self.world).await;
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// The boot loader starts this slot.
    pub(crate) fn boot(&self, slot: usize) {
        let mut world = self.world();
        (world.booted, world.installing) = (slot, false);
    }

    /// The installation that goes on ends.
    pub(crate) async fn end(&self, result: Result<(), &str>) {
        finish(&self.world, &self.connection, result.map_err(str::to_owned)).await;
    }
}

async fn finish(world: &Arc<Mutex<World>>, connection: &Connection, result: Result<(), String>) {
    let code = {
        let mut world = world.lock().unwrap();
        match &result {
            Ok(()) => world.write(),
            Err(message) => world.last_error = message.clone(),
        }
        world.installing = false;
        i32::from(result.is_err())
    };
    Installer::completed(&SignalEmitter::new(connection, PATH).unwrap(), code).await.unwrap();
}

struct Installer(Arc<Mutex<World>>);

#[interface(name = "de.pengutronix.rauc.Installer")]
impl Installer {
    async fn install_bundle(
        &self,
        source: String,
        args: HashMap<String, OwnedVariant>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<()> {
        let script = {
            let mut world = self.0.lock().unwrap();
            if world.installing {
                return Err(fdo::Error::Failed("Already processing a different method".to_owned()));
            }
            (world.installing, world.percentage) = (true, 20);
            world.installed.push((source, args));
            world.script.clone()
        };
        let result = match script {
            Script::Succeed => Ok(()),
            Script::Fail(message) => Err(message),
            Script::GoOn => return Ok(()),
        };
        let (world, connection) = (self.0.clone(), connection.clone());
        tokio::spawn(async move { finish(&world, &connection, result).await });
        Ok(())
    }

    fn inspect_bundle(
        &self,
        source: String,
        args: HashMap<String, OwnedVariant>,
    ) -> fdo::Result<HashMap<String, OwnedVariant>> {
        let mut world = self.0.lock().unwrap();
        world.inspected.push((source, args));
        let bundle = world.bundle.clone().map_err(fdo::Error::Failed)?;
        let owned = |value: Variant<'_>| value.try_to_owned().unwrap();
        let nested = |value: Variant<'static>| owned(Variant::new(value));
        let update = HashMap::from([
            ("compatible", Variant::from(bundle.compatible)),
            ("version", Variant::from(bundle.version.clone())),
        ]);
        let class = if bundle.artifact.is_some() { "scripts" } else { "rootfs" };
        let mut image = HashMap::from([("slot-class", Variant::from(class))]);
        if let Some(artifact) = bundle.artifact {
            image.insert("artifact", artifact.into());
        }
        Ok(HashMap::from([
            ("manifest-hash".to_owned(), owned(format!("hash of {}", bundle.version).into())),
            ("update".to_owned(), nested(update.into())),
            ("images".to_owned(), nested(vec![image].into())),
        ]))
    }

    fn mark(&self, state: &str, slot: &str) -> fdo::Result<(String, String)> {
        let mut world = self.0.lock().unwrap();
        assert_eq!((state, slot), ("active", "booted"), "the agent marks nothing else");
        world.primary = world.booted;
        Ok((format!("rootfs.{}", world.booted), "activated".to_owned()))
    }

    fn get_slot_status(&self) -> fdo::Result<Vec<(String, HashMap<String, OwnedVariant>)>> {
        let world = self.0.lock().unwrap();
        if world.installing {
            return Err(fdo::Error::Failed("Already processing a different method".to_owned()));
        }
        Ok(vec![world.slot(1), world.slot(0)])
    }

    fn get_primary(&self) -> String {
        format!("rootfs.{}", self.0.lock().unwrap().primary)
    }

    #[zbus(property)]
    fn operation(&self) -> String {
        if self.0.lock().unwrap().installing { "installing" } else { "idle" }.to_owned()
    }

    #[zbus(property)]
    fn last_error(&self) -> String {
        self.0.lock().unwrap().last_error.clone()
    }

    #[zbus(property)]
    fn progress(&self) -> Progress {
        Progress { percentage: self.0.lock().unwrap().percentage, message: "Copying image".to_owned(), depth: 3 }
    }

    #[zbus(property)]
    fn compatible(&self) -> String {
        "test-device".to_owned()
    }

    #[zbus(property)]
    fn boot_slot(&self) -> String {
        ["A", "B"][self.0.lock().unwrap().booted].to_owned()
    }

    #[zbus(signal)]
    async fn completed(emitter: &SignalEmitter<'_>, result: i32) -> zbus::Result<()>;
}
