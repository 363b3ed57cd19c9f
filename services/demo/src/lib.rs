//! A server and a fleet of devices as processes on one machine: the demo, and the harness of the end-to-end tests.
//!
//! Everything is the real thing: the server with the database and the broker that it starts itself, and for each device
//! a private D-Bus daemon, the sensor service (with simulated sensors) and the uplink, with a certificate of its own.
//!
//! - [`Fleet`] starts and stops all of it; [`Server`] and [`Device`] are its parts.
//! - [`Supervisor`] keeps each process running and ends them in order: uplinks first, which drain, the server last.
//! - [`VirtualDevice`] is one more device: the whole operating system, in QEMU.
//! - [`Layout`] says where everything lives below one folder; nothing outside it is touched.
//!
//! Every process is started from the thread that runs the runtime, and told by the kernel to end when that thread does
//! (`PR_SET_PDEATHSIG`, by `setpriv`). So nothing outlives the demo, not even when it is killed; and so the runtime
//! must be a current-thread one.

mod backoff;
mod bus_daemon;
pub mod cli;
mod device;
mod endpoints;
mod fleet;
mod layout;
mod lock;
mod ports;
mod program;
mod reporter;
pub mod run;
mod server;
mod simulation;
mod summary;
mod supervisor;
mod virtual_device;

pub use device::{Device, Identity};
pub use endpoints::{DeviceEndpoint, Endpoints, ServerEndpoints};
pub use fleet::{Fleet, Options, Running};
pub use layout::{DeviceLayout, Layout};
pub use lock::Lock;
pub use ports::{Ports, free_port};
pub use program::{Program, sibling};
pub use reporter::{Plain, Reporter, Terminal};
pub use server::Server;
pub use supervisor::{Service, Stage, Supervisor};
pub use virtual_device::{VirtualDevice, Wanted};
