//! Who speaks: the identity of one VM.

use std::fmt::Write as _;

use crate::random::Random;

/// How many random bytes a VM needs at its start: 16 for its name, 8 for the seed of its retries.
pub const RANDOM_BYTES: usize = 24;

/// The name of one VM: 128 random bits as 32 hexadecimal digits in lower case.
///
/// The bytes come from WASI `random_get`, which Envoy serves from BoringSSL. A host that refuses it (a capability
/// restriction without `random_get`) gets its configuration refused: two VMs that start in the same nanosecond with
/// a name made of clocks would share a name, and shared names lose exchanges in silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    hex: String,
}

impl Source {
    pub(crate) fn from_random(random: &[u8; RANDOM_BYTES]) -> (Source, Random) {
        let (name, seed) = random.split_at(16);
        let mut hex = String::with_capacity(32);
        for byte in name {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        let seed = seed.iter().fold(0, |seed: u64, &byte| seed.wrapping_shl(8) | u64::from(byte));
        (Source { hex }, Random::from_seed(seed))
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        &self.hex
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_first_sixteen_bytes_in_lower_case_hex() {
        let mut random = [0; RANDOM_BYTES];
        random[0] = 0xAB;
        random[15] = 0x01;
        random[16] = 0xFF;

        let (source, _) = Source::from_random(&random);

        assert_eq!(source.as_str(), "ab000000000000000000000000000001");
    }
}
