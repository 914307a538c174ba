//! Which pairs of a list carry the same name: headers and query parameters may repeat anywhere in it.

/// One pair's place among those of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// No earlier pair has this name.
    pub(crate) is_first: bool,
    /// The index of the next pair with this name.
    pub(crate) next: Option<usize>,
}

/// Up to here comparing each with each is faster than sorting; it covers nearly every request.
const MAX_COMPARED: usize = 32;

/// The link of each pair, in the order of `pairs`; `None`: each name stands once, as is usual.
///
/// n log n: a query of 60 KiB holds 30,000 names, and this runs inside the proxy.
pub(crate) fn first_and_next(pairs: &[(&[u8], &[u8])]) -> Option<Vec<Link>> {
    if pairs.len() > MAX_COMPARED {
        return Some(sorted(pairs));
    }
    has_repetition(pairs).then(|| compared(pairs))
}

/// Whether a name comes again. Names are compared only where their hashes are the same.
fn has_repetition(pairs: &[(&[u8], &[u8])]) -> bool {
    let mut seen = [0u64; 4];
    pairs.iter().enumerate().any(|(index, (name, _))| {
        let hash = hash_of(name);
        let Some(bits) = seen.get_mut(usize::from(hash >> 6)) else { return true };
        let bit = 1 << (hash & 63);
        let may_be_there = *bits & bit != 0;
        *bits |= bit;
        may_be_there && pairs.iter().take(index).any(|(earlier, _)| earlier == name)
    })
}

/// Of the length and the first and last four bytes: header names differ there.
fn hash_of(name: &[u8]) -> u8 {
    let short = || name.iter().fold(0, |bytes, byte| bytes << 8 | u32::from(*byte));
    let word = |bytes: Option<&[u8; 4]>| bytes.map_or_else(short, |bytes| u32::from_le_bytes(*bytes));
    let ends = word(name.first_chunk()) ^ word(name.last_chunk()).rotate_left(13) ^ name.len() as u32;
    (ends.wrapping_mul(0x9e37_79b9) >> 24) as u8
}

fn compared(pairs: &[(&[u8], &[u8])]) -> Vec<Link> {
    let same = |one: &(&[u8], &[u8]), other: &(&[u8], &[u8])| one.0 == other.0;
    let link = |(index, pair): (usize, &(&[u8], &[u8]))| Link {
        is_first: !pairs.iter().take(index).any(|earlier| same(earlier, pair)),
        next: pairs.iter().enumerate().skip(index).skip(1).find(|(_, later)| same(later, pair)).map(|(next, _)| next),
    };
    pairs.iter().enumerate().map(link).collect()
}

fn sorted(pairs: &[(&[u8], &[u8])]) -> Vec<Link> {
    let mut order: Vec<(&[u8], usize)> = pairs.iter().enumerate().map(|(index, pair)| (pair.0, index)).collect();
    order.sort_unstable();
    let mut links = vec![Link { is_first: true, next: None }; pairs.len()];
    for neighbours in order.windows(2) {
        let [(name, index), (next_name, next)] = neighbours else { continue };
        if name != next_name {
            continue;
        }
        if let Some(link) = links.get_mut(*index) {
            link.next = Some(*next);
        }
        if let Some(link) = links.get_mut(*next) {
            link.is_first = false;
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn sorting_finds_what_comparing_finds(names in proptest::collection::vec("[a-c]{0,2}", 0..60)) {
            let pairs: Vec<(&[u8], &[u8])> = names.iter().map(|name| (name.as_bytes(), &b""[..])).collect();

            let repeats = compared(&pairs).iter().any(|link| !link.is_first);
            proptest::prop_assert_eq!(sorted(&pairs), compared(&pairs));
            proptest::prop_assert_eq!(has_repetition(&pairs), repeats);
        }
    }
}
