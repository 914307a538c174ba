//! Moments, written `2020-02-28T10:39:28.833Z`: UTC, milliseconds, the one form all readers of the format accept.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};

/// A moment in milliseconds since 1970-01-01T00:00:00Z.
///
/// Bounds: years 0000 to 9999, for RFC 3339 has four digits; a moment outside is written as the nearest bound.
/// Reading accepts any RFC 3339 time with an offset and drops what is below the millisecond.
///
/// Source: notes on the readers: without a zone they disagree (local time, UTC, naive), with one they agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    unix_millis: i64,
}

/// 0000-01-01T00:00:00.000Z.
const MIN_MILLIS: i64 = -62_167_219_200_000;
/// 9999-12-30T21:59:59.999Z, where the date library ends (it leaves room for every offset).
const MAX_MILLIS: i64 = 253_402_207_199_999;
const MILLIS_PER_DAY: i64 = 86_400_000;

impl Timestamp {
    /// The moment `millis` milliseconds after the epoch, brought into the years 0000 to 9999.
    pub fn from_unix_millis(millis: i64) -> Timestamp {
        Timestamp { unix_millis: millis.clamp(MIN_MILLIS, MAX_MILLIS) }
    }

    /// The moment `nanos` nanoseconds after the epoch, cut to the millisecond (Envoy's `request.time`).
    pub fn from_unix_nanos(nanos: i64) -> Timestamp {
        Timestamp::from_unix_millis(nanos.div_euclid(1_000_000))
    }

    /// Milliseconds since the epoch.
    pub fn unix_millis(self) -> i64 {
        self.unix_millis
    }

    /// Reads an RFC 3339 time with an offset (`Z`, `+01:00`); `None` for anything else.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let moment: jiff::Timestamp = text.parse().ok()?;
        Some(Timestamp::from_unix_millis(moment.as_nanosecond().div_euclid(1_000_000).try_into().ok()?))
    }

    /// Appends the 24 bytes of the written form.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        // 32 bits from here on: WebAssembly divides 64 bits by a real division, and there are two dozen of them.
        let days = self.unix_millis.div_euclid(MILLIS_PER_DAY) as i32;
        let in_day = self.unix_millis.rem_euclid(MILLIS_PER_DAY) as u32;
        let (year, month, day) = civil(days);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let places = [
            (0..4, year),
            (5..7, month),
            (8..10, day),
            (11..13, in_day / 3_600_000),
            (14..16, in_day / 60_000 % 60),
            (17..19, in_day / 1_000 % 60),
            (20..23, in_day % 1_000),
        ];
        for (place, value) in places {
            let mut rest = value;
            for digit in text.get_mut(place).unwrap_or_default().iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        out.extend_from_slice(&text);
    }
}

/// Year, month and day of a count of days since the epoch, in the proleptic Gregorian calendar, from the year 0 on.
///
/// By hand, not by the date library: it runs twice for each exchange inside the proxy, and the library's printer
/// goes through `fmt`. The unit tests compare the two over the whole range.
fn civil(days: i32) -> (u32, u32, u32) {
    // Counted in eras of 400 years that start on a 1 March, so that the leap day is the last of its year.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i32::from(month <= 2);
    (year as u32, month as u32, day as u32)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(24);
        self.write(&mut text);
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Timestamp::parse(&crate::read::text(deserializer)?)
            .ok_or_else(|| D::Error::custom("not a time like 2020-02-28T10:39:28.833Z (RFC 3339 with an offset)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_with_milliseconds_and_z() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_582_886_368_833, "2020-02-28T10:39:28.833Z"),
            (1_582_934_400_000, "2020-02-29T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (i64::MIN, "0000-01-01T00:00:00.000Z"),
            (i64::MAX, "9999-12-30T21:59:59.999Z"),
        ];

        for (millis, text) in cases {
            assert_eq!(Timestamp::from_unix_millis(millis).to_string(), text);
        }
    }

    #[test]
    fn nanoseconds_are_cut_to_milliseconds() {
        assert_eq!(Timestamp::from_unix_nanos(1_999_999), Timestamp::from_unix_millis(1));
        assert_eq!(Timestamp::from_unix_nanos(-1), Timestamp::from_unix_millis(-1));
    }

    #[test]
    fn offsets_are_read_and_times_without_one_are_not() {
        let moment = Timestamp::from_unix_millis(1_582_886_368_833);

        assert_eq!(Timestamp::parse("2020-02-28T10:39:28.833Z"), Some(moment));
        assert_eq!(Timestamp::parse("2020-02-28T11:39:28.833999+01:00"), Some(moment));
        assert_eq!(Timestamp::parse("2020-02-28T10:39:28.833"), None);
        assert_eq!(Timestamp::parse("1582886368833"), None);
    }

    proptest::proptest! {
        #[test]
        fn every_written_time_is_read_back(millis in MIN_MILLIS..=MAX_MILLIS) {
            let moment = Timestamp::from_unix_millis(millis);

            proptest::prop_assert_eq!(Timestamp::parse(&moment.to_string()), Some(moment));
        }
    }
}
