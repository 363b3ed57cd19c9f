//! Every interface is served over a socket pair, compared with its canonical XML, and called through its proxy.

#![allow(clippy::unwrap_used)]

mod ml;
mod outline;
mod pair;
mod sensor;
mod update;
mod uplink;
mod wasm;

use microkernel_bus::Reading;

/// A reading in which no two fields are alike, so that a mix-up shows.
fn reading(seq: u64) -> Reading {
    Reading {
        seq,
        sensor: "Temperature".to_owned(),
        value: 23.5,
        unit: "°C".to_owned(),
        timestamp_us: 1_704_067_200_000_001,
        monotonic_ns: 42_000_000_007,
        synchronized: true,
    }
}
