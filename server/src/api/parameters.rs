//! The parameters of queries, parsed: each error names the parameter, its value and what is expected.

use super::problem::Problem;
use crate::telemetry::Range;
use crate::time::Time;
use microkernel_wire::Timestamp;

/// Readings of one answer when nothing else is asked for.
const DEFAULT_LIMIT: u32 = 1_000;
/// Readings of one answer at most.
const MAX_LIMIT: u32 = 10_000;

/// Name and value of each parameter, decoded.
pub(super) type Parameters = Vec<(String, String)>;

/// The parameters of a telemetry query.
///
/// # Errors
/// The problem of the first parameter that is not what it should be.
pub(super) fn range(parameters: &Parameters) -> Result<Range, Problem> {
    let mut range = Range { limit: DEFAULT_LIMIT, ..Range::default() };
    for (name, value) in parameters {
        match name.as_str() {
            "sensor" => range.sensor = sensor(value)?,
            "from" => range.from = Some(time(name, value)?),
            "to" => range.to = Some(time(name, value)?),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                range.limit = limit.ok_or_else(|| Problem::parameter(name, value, "a whole number from 1 to 10000"))?;
            }
            _ => return Err(Problem::parameter("a parameter", name, "one of sensor, from, to, limit")),
        }
    }
    if let (Some(from), Some(to)) = (range.from, range.to)
        && from > to
    {
        return Err(Problem::parameter("from", &from.to_rfc3339(), &format!("a time before to={}", to.to_rfc3339())));
    }
    Ok(range)
}

/// A sensor's name; an empty one asks for all, as a form's empty field does.
fn sensor(value: &str) -> Result<Option<String>, Problem> {
    if value.is_empty() {
        return Ok(None);
    }
    let name: Result<microkernel_wire::SensorName, _> = value.parse();
    let name = name.map_err(|_| {
        Problem::parameter("sensor", value, "a sensor's name: 1 to 64 characters, none of them a control character")
    })?;
    Ok(Some(name.to_string()))
}

/// A point in time: Unix seconds or RFC 3339.
pub(super) fn time(name: &str, value: &str) -> Result<Time, Problem> {
    let seconds = value.parse().ok().and_then(Timestamp::from_seconds);
    let text = || value.parse::<jiff::Timestamp>().ok().map(|time| Timestamp::from_micros(time.as_microsecond()));
    seconds.or_else(text).map(Time).ok_or_else(|| {
        let expected = "Unix seconds such as 1767225600, or RFC 3339 such as 2026-01-01T00:00:00Z (a + in it as %2B)";
        Problem::parameter(name, value, expected)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(query: &[(&str, &str)]) -> Result<Range, String> {
        let parameters = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        range(&parameters).map_err(|problem| problem.detail().to_owned())
    }

    #[test]
    fn times_are_unix_seconds_or_rfc_3339() {
        let range = parse(&[("from", "1767225600.5"), ("to", "2026-01-01T01:00:01+01:00")]).unwrap();
        assert_eq!(range.from.unwrap().to_rfc3339(), "2026-01-01T00:00:00.500Z");
        assert_eq!(range.to.unwrap().to_rfc3339(), "2026-01-01T00:00:01.000Z");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_expected() {
        for (name, value) in [
            ("from", "yesterday"),
            ("to", "NaN"),
            ("from", "1e300"),
            ("limit", "0"),
            ("limit", "10001"),
            ("limit", "-1"),
            ("sensor", "a\0b"),
        ] {
            let detail = parse(&[(name, value)]).unwrap_err();
            assert!(detail.starts_with(name) && detail.contains("expected"), "{detail}");
        }
        assert!(parse(&[("form", "1")]).unwrap_err().contains("sensor, from, to, limit"));
        assert!(parse(&[("from", "2"), ("to", "1")]).unwrap_err().starts_with("from"));
    }
}
