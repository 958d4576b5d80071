//! Durations as they are written on the command line: `200ms`, `3s`, `1.5s`, `1h 30m`.

use std::time::Duration;

use jiff::fmt::friendly::SpanParser;

/// Longer than any deadline or wait that makes sense here.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// Parses numbers with their units, in jiff's friendly format.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "write a number and its unit: 200ms, 3s, 10m, 1h";
    let parsed = SpanParser::new().parse_unsigned_duration(text);
    let duration = parsed.map_err(|_| EXPECTED)?;
    if duration > LONGEST {
        return Err("at most 24h".to_owned());
    }
    Ok(duration)
}

/// Like [`parse`], for a time that must pass.
pub(crate) fn parse_positive(text: &str) -> Result<Duration, String> {
    let duration = parse(text)?;
    if duration.is_zero() {
        return Err("it must be longer than nothing".to_owned());
    }
    Ok(duration)
}

/// A span for people, in its two largest units: `45s`, `2m 5s`, `3h 20m`, `12d 4h`.
pub(crate) fn rough(span: Duration) -> String {
    let seconds = span.as_secs();
    let (large, small) = match seconds {
        0..60 => return format!("{seconds}s"),
        60..3_600 => ((seconds / 60, "m"), (seconds % 60, "s")),
        3_600..86_400 => ((seconds / 3_600, "h"), (seconds % 3_600 / 60, "m")),
        _ => ((seconds / 86_400, "d"), (seconds % 86_400 / 3_600, "h")),
    };
    if small.0 == 0 {
        return format!("{}{}", large.0, large.1);
    }
    format!("{}{} {}{}", large.0, large.1, small.0, small.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, millis) in [
            ("200ms", Some(200)),
            ("3s", Some(3_000)),
            ("10m", Some(600_000)),
            ("24h", Some(86_400_000)),
            ("0s", Some(0)),
            ("25h", None),
            ("99999999999999999999s", None),
            ("18446744073709551615m", None),
            ("", None),
            ("3", None),
            ("s", None),
            ("1.5s", Some(1_500)),
            ("3 s", Some(3_000)),
            ("1h 30m", Some(5_400_000)),
            ("-3s", None),
            ("3 parsecs", None),
            ("PT3S", None),
        ] {
            let parsed = parse(text).ok().map(|duration| duration.as_millis());
            assert_eq!(parsed, millis, "{text}");
        }
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (125, "2m 5s"),
            (3_600, "1h"),
            (12_059, "3h 20m"),
            (86_400, "1d"),
            (1_051_200, "12d 4h"),
        ] {
            assert_eq!(rough(Duration::from_secs(seconds)), text);
        }
        assert!(parse_positive("0ms").is_err());
        assert!(parse_positive("1ms").is_ok());
    }
}
