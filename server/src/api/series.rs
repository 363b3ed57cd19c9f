//! `/api/v1/devices/{id}/series`: what a chart draws.

use super::parameters::{Parameters, time};
use super::problem::Problem;
use crate::state::AppState;
use crate::telemetry::series::{self, Bucket, SeriesRange};
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use microkernel_wire::{DeviceId, SensorName};
use serde::Serialize;
use utoipa::ToSchema;

/// Steps of one answer at most.
const MAX_STEPS: u32 = 2_000;
/// Steps when nothing else is asked for.
const DEFAULT_STEPS: u32 = 600;

/// A sensor's readings, thinned out.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Series {
    #[schema(value_type = String)]
    device_id: DeviceId,
    sensor: String,
    bucket_seconds: f64,
    /// `[time, mean, min, max, count, anomaly]` each.
    #[schema(value_type = Vec<Vec<Option<f64>>>)]
    buckets: Vec<Bucket>,
}

/// A sensor's readings of a range in at most `buckets` buckets, ascending by time.
#[utoipa::path(get, path = "/devices/{id}/series", tag = "telemetry",
    params(
        ("id" = String, Path, description = "The device's id"),
        ("sensor" = String, Query, description = "The sensor's name"),
        ("from" = String, Query, description = "Measured at or after: Unix seconds or RFC 3339"),
        ("to" = String, Query, description = "Measured before: Unix seconds or RFC 3339"),
        ("buckets" = Option<u32>, Query, minimum = 1, maximum = 2_000, description = "At most so many; 600 where absent"),
    ),
    responses((status = 200, description = "The buckets", body = Series)))]
pub(super) async fn series(
    State(state): State<AppState>,
    id: Result<Path<String>, PathRejection>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Json<Series>, Problem> {
    let Path(id) = id?;
    let device_id: DeviceId = id.parse().map_err(|_| Problem::unknown_device(&id))?;
    let Query(parameters) =
        parameters.map_err(|rejection| Problem::new(StatusCode::BAD_REQUEST, rejection.body_text()))?;
    let range = range(&parameters)?;
    let buckets = series::buckets(&state.pool, state.organisation, &device_id, &range).await?;
    let buckets = buckets.ok_or_else(|| Problem::unknown_device(&id))?;
    let bucket_seconds = range.step_micros() as f64 / 1e6;
    Ok(Json(Series { device_id, sensor: range.sensor, bucket_seconds, buckets }))
}

fn range(parameters: &Parameters) -> Result<SeriesRange, Problem> {
    let (mut sensor, mut from, mut to, mut steps) = (None, None, None, DEFAULT_STEPS);
    for (name, value) in parameters {
        match name.as_str() {
            "sensor" => sensor = value.parse::<SensorName>().ok(),
            "from" => from = Some(time(name, value)?),
            "to" => to = Some(time(name, value)?),
            "buckets" => {
                let given = value.parse().ok().filter(|steps| (1..=MAX_STEPS).contains(steps));
                steps = given.ok_or_else(|| Problem::parameter(name, value, "a whole number from 1 to 2000"))?;
            }
            _ => return Err(Problem::parameter("a parameter", name, "one of sensor, from, to, buckets")),
        }
    }
    let missing = |name: &str, expected: &str| Problem::parameter(name, "", expected);
    let sensor = sensor.ok_or_else(|| missing("sensor", "a sensor's name"))?.to_string();
    let from = from.ok_or_else(|| missing("from", "Unix seconds or RFC 3339"))?;
    let to = to.ok_or_else(|| missing("to", "Unix seconds or RFC 3339"))?;
    if from >= to {
        return Err(Problem::parameter("from", &from.to_rfc3339(), &format!("a time before to={}", to.to_rfc3339())));
    }
    Ok(SeriesRange { sensor, from, to, steps })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(query: &[(&str, &str)]) -> Result<SeriesRange, String> {
        let parameters = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        range(&parameters).map_err(|problem| problem.detail().to_owned())
    }

    #[test]
    fn a_range_is_divided_into_steps() {
        let range = parse(&[("sensor", "T"), ("from", "1767225600"), ("to", "1767225900")]).unwrap();
        assert_eq!(range.step_micros(), 500_000);
    }

    #[test]
    fn what_is_wrong_or_missing_is_named() {
        let full = [("sensor", "T"), ("from", "1"), ("to", "2"), ("buckets", "10")];
        for (place, name) in ["sensor", "from", "to"].into_iter().enumerate() {
            let mut query = full.to_vec();
            query.remove(place);
            assert!(parse(&query).unwrap_err().starts_with(name));
        }
        for (place, wrong) in [(1, ("from", "2")), (3, ("buckets", "0")), (3, ("buckets", "2001")), (2, ("to", "x"))] {
            let mut query = full.to_vec();
            query[place] = wrong;
            assert!(parse(&query).unwrap_err().starts_with(wrong.0), "{wrong:?}");
        }
    }
}
