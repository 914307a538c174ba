//! A hash that is the same on every machine and in every version: what is kept of too many things is chosen by it, so
//! that the choice does not depend on the order in which they came.

use std::collections::BTreeMap;

/// FNV-1a, then the finalizer of MurmurHash3, for FNV leaves the high bits of short texts alike.
pub(crate) fn hash(text: &str) -> u64 {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in text.bytes() {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    state = (state ^ (state >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    state = (state ^ (state >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    state ^ (state >> 33)
}

/// Leaves the `most` entries with the smallest hashes.
///
/// One that was put out never comes back, for what puts it out only gets smaller; so an entry that is there at the end was
/// there all the time and is complete, whatever the order.
pub(crate) fn keep_smallest<V>(map: &mut BTreeMap<Box<str>, V>, most: usize) {
    while map.len() > most {
        let Some(largest) = map.keys().max_by_key(|key| (hash(key), *key)).cloned() else { return };
        map.remove(&largest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_entries_stay_in_any_order() {
        let kept = |names: &mut dyn Iterator<Item = u32>| {
            let mut map = BTreeMap::new();
            for name in names {
                map.insert(name.to_string().into(), ());
                keep_smallest(&mut map, 5);
            }
            map
        };

        let there = kept(&mut (0..100));
        let back = kept(&mut (0..100).rev());

        assert_eq!((there.len(), there), (5, back));
    }
}
