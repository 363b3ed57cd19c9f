//! Points in time as the database and the API hold them.

use jiff::fmt::temporal::DateTimePrinter;
use microkernel_wire::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};
use utoipa::ToSchema;

/// A point in time: a `timestamptz` in the database (microseconds), RFC 3339 in UTC with milliseconds in the API.
///
/// (sqlx has no support for jiff, and jiff-sqlx none for jiff 1.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Time(pub Timestamp);

/// 2000-01-01T00:00:00Z, from which PostgreSQL counts, in Unix microseconds.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

impl Time {
    /// Now, by this machine's clock.
    pub fn now() -> Self {
        Self(Timestamp::now())
    }

    /// From microseconds since the Unix epoch.
    pub fn from_micros(micros: i64) -> Self {
        Self(Timestamp::from_micros(micros))
    }

    /// Microseconds since the Unix epoch.
    pub fn as_micros(self) -> i64 {
        self.0.as_micros()
    }

    /// RFC 3339 in UTC with milliseconds, for example `2026-01-31T23:59:59.250Z`.
    pub fn to_rfc3339(self) -> String {
        const MILLISECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
        let time = jiff::Timestamp::from_microsecond(self.as_micros()).unwrap_or(jiff::Timestamp::MAX);
        MILLISECONDS.timestamp_to_string(&time)
    }
}

impl From<Timestamp> for Time {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = |_| de::Error::custom(format!("{text:?} is no point in time such as 2026-01-01T22:00:00Z"));
        let time: jiff::Timestamp = text.parse().map_err(wrong)?;
        Ok(Self::from_micros(time.as_microsecond()))
    }
}

impl Type<Postgres> for Time {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184)) // pg_type.dat: timestamptz
    }
}

impl PgHasArrayType for Time {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1185)) // pg_type.dat: timestamptz[]
    }
}

impl Encode<'_, Postgres> for Time {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <i64 as Encode<Postgres>>::encode(self.as_micros() - POSTGRES_EPOCH_MICROS, buffer)
    }
}

impl Decode<'_, Postgres> for Time {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        if value.format() == PgValueFormat::Text {
            return Err(
                "a timestamptz came as text: only prepared statements are used, whose results are binary".into()
            );
        }
        let micros = <i64 as Decode<Postgres>>::decode(value)?;
        // The extremes stand for the infinities, which this schema never holds.
        micros.checked_add(POSTGRES_EPOCH_MICROS).map(Self::from_micros).ok_or_else(|| "an infinite timestamptz".into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn is_written_in_utc_with_milliseconds() {
        assert_eq!(Time::from_micros(1_704_067_200_250_499).to_rfc3339(), "2024-01-01T00:00:00.250Z");
        assert_eq!(serde_json::to_string(&Time::from_micros(0)).unwrap(), "\"1970-01-01T00:00:00.000Z\"");
    }
}
