//! Template filters: numbers, durations and sizes as people read them. The same rules as `static/js/number.js`.

/// A whole number with its thousands apart: `1,042`.
pub(super) fn thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A reading's value with the digits that matter: `23.50`, `1,013.2`, `0.00512`, and `1` for a whole number. A value
/// that moves keeps its number of decimals, so that it doesn't jump.
pub(super) fn reading(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = match magnitude {
        m if m >= 100_000.0 || m.fract() == 0.0 => 0,
        m if m >= 100.0 => 1,
        m if m >= 1.0 => 2,
        // Three significant digits below one.
        m => (2.0 - m.log10().floor()).clamp(2.0, 9.0) as usize,
    };
    let fixed = format!("{magnitude:.decimals$}");
    let (whole, fraction) = fixed.split_once('.').unwrap_or((&fixed, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), thousands);
    let sign = if value < 0.0 && fixed.chars().any(|c| c.is_ascii_digit() && c != '0') { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Bytes with a binary prefix: `1.5 GiB`.
pub(super) fn bytes(bytes: f64) -> String {
    let mut value = bytes;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            let decimals = usize::from(value < 10.0 && unit != "B");
            return format!("{value:.decimals$} {unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// Seconds as the two largest units: `3 d 4 h`, `12 min 5 s`.
pub(super) fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// Unix seconds as RFC 3339 in UTC with milliseconds; empty for a time that no calendar has.
pub(super) fn utc(seconds: f64) -> String {
    jiff::Timestamp::from_millisecond((seconds * 1000.0).round() as i64)
        .map(|time| format!("{time:.3}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_042, "1,042"), (-1_234_567, "-1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn a_reading_shows_the_digits_that_matter() {
        let cases = [
            (23.456, "23.46"),
            (23.5, "23.50"),
            (-0.0, "0"),
            (-0.000_000_000_01, "0.000000000"),
            (1013.25, "1,013.2"),
            (0.005_123, "0.00512"),
            (-12.0, "-12"),
            (1e300, &format!("{:.0}", 1e300)),
        ];
        for (value, text) in cases {
            assert_eq!(reading(value), text);
        }
    }

    #[test]
    fn unix_seconds_become_rfc_3339() {
        assert_eq!(utc(1_704_067_200.25), "2024-01-01T00:00:00.250Z");
        assert_eq!(utc(f64::INFINITY), "");
    }

    #[test]
    fn sizes_and_durations_use_fitting_units() {
        assert_eq!(bytes(512.0), "512 B");
        assert_eq!(bytes(1_610_612_736.0), "1.5 GiB");
        assert_eq!(duration(5.9), "5 s");
        assert_eq!(duration(725.0), "12 min 5 s");
        assert_eq!(duration(273_600.0), "3 d 4 h");
    }
}
