//! The API's description, OpenAPI 3.1: gathered from the handlers that [`super::api`] lists, completed here.

use super::problem::Problem;
use std::collections::BTreeMap;
use utoipa::openapi::Ref;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, RefOr, ResponseBuilder};
use utoipa::{PartialSchema as _, ToSchema};
use uuid::Uuid;

/// A reading as a device sends it: describes [`microkernel_wire::Reading`], whose crate knows nothing of OpenAPI.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is only described")]
pub(crate) struct Reading {
    /// The device.
    device_id: String,
    /// The sensor's name.
    sensor: String,
    /// The value, in `unit`; after the edge scripts where there are any.
    value: f64,
    /// The unit; empty for a plain number.
    unit: String,
    /// When it was measured, in Unix seconds.
    timestamp: f64,
    /// Whether the device's model calls it an anomaly.
    anomaly: bool,
    /// The model's confidence, 0 to 1.
    confidence: Option<f64>,
    /// Its number within `boot_id`.
    seq: Option<u64>,
    /// Which run of the numbering.
    boot_id: Option<Uuid>,
    /// The value before an edge script changed it.
    raw: Option<f64>,
    /// What each stage (`wasm`, `ml`) did with it: `ok`, `absent`, `timeout`, `error`, `open`.
    outcome: Option<BTreeMap<String, String>>,
    /// `synchronized` or `unsynchronized`.
    clock: Option<String>,
}

/// Which devices: describes [`crate::targets::Target`], whose ids are of another crate.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it is only described")]
pub(crate) enum Target {
    /// All there are.
    All,
    /// These.
    Devices(Vec<String>),
    /// Those whose id begins so.
    Prefix(String),
    /// Those that have this tag.
    Tag(String),
    /// Those that failed, or were rolled back, in the rollout of this id.
    FailedOf(i64),
}

/// The document at `/api/openapi.json`: `gathered` with what every operation has in common.
pub(super) fn complete(mut gathered: OpenApi) -> OpenApi {
    gathered.info = InfoBuilder::new()
        .title("Microkernel fleet server")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Devices, telemetry, releases and rollouts. Times are RFC 3339 in UTC; errors are RFC 9457."))
        .license(Some(LicenseBuilder::new().name("MIT").build()))
        .build();
    let problem = ContentBuilder::new().schema(Some(RefOr::Ref(Ref::from_schema_name("Problem")))).build();
    let problem = ResponseBuilder::new()
        .description("What was wrong with which input, and what is expected")
        .content("application/problem+json", problem)
        .build();
    for operation in gathered.paths.paths.values_mut().flat_map(operations) {
        // The handlers' names are short: `list` of each kind.
        let kind = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
        operation.operation_id = operation.operation_id.take().map(|name| format!("{kind}_{name}"));
        operation.responses.responses.insert("default".to_owned(), RefOr::T(problem.clone()));
    }
    gathered.components.get_or_insert_default().schemas.insert("Problem".to_owned(), Problem::schema());
    gathered
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}
