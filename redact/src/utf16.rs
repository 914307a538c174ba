//! UTF-16: bodies that other readers see as text, and this crate must too.

/// Which byte of a unit comes first, and whether a mark at the beginning says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    is_little: bool,
    is_marked: bool,
}

/// How many units without a mark decide.
const UNITS_LOOKED_AT: usize = 32;

/// The text of a body in UTF-16, recognised by its mark, or by every other byte being zero.
pub(crate) fn decoded(body: &[u8]) -> Option<(String, Order)> {
    let (order, text) = match body {
        [0xff, 0xfe, text @ ..] => (Order { is_little: true, is_marked: true }, text),
        [0xfe, 0xff, text @ ..] => (Order { is_little: false, is_marked: true }, text),
        [first, 0, ..] if *first != 0 => (Order { is_little: true, is_marked: false }, body),
        [0, first, ..] if *first != 0 => (Order { is_little: false, is_marked: false }, body),
        _ => return None,
    };
    let units = text.chunks_exact(2);
    let unit = |pair: &[u8]| {
        let bytes = <[u8; 2]>::try_from(pair).unwrap_or_default();
        if order.is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }
    };
    let is_ascii = |pair: &[u8]| (1..0x80).contains(&unit(pair));
    if text.len() < 4 || !order.is_marked && !units.clone().take(UNITS_LOOKED_AT).all(is_ascii) {
        return None;
    }
    Some((char::decode_utf16(units.map(unit)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect(), order))
}

/// The text in UTF-16 again.
pub(crate) fn encoded(text: &str, order: Order) -> Vec<u8> {
    let mark = order.is_marked.then_some(0xfeff);
    let units = mark.into_iter().chain(text.encode_utf16());
    units.flat_map(|unit| if order.is_little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf_16_is_known_with_and_without_its_mark() {
        for is_little in [true, false] {
            for is_marked in [true, false] {
                let order = Order { is_little, is_marked };
                let bytes = encoded("{\"a\":1}", order);
                assert_eq!(decoded(&bytes), Some(("{\"a\":1}".to_owned(), order)));
            }
        }
    }

    #[test]
    fn other_bytes_are_none() {
        for body in [&b"abcd"[..], b"", b"a", b"\xff\xfe", b"a\0b", b"\0\0\0\0", b"a\0\x80\x81", b"\0\0\0\x05\n\x03abc"]
        {
            assert_eq!(decoded(body), None, "{body:?}");
        }
    }
}
