//! Envoy's response flags: why an exchange has no response, or one that Envoy wrote itself.

/// The short names in the order of their bits, as Envoy's access log writes them (`%RESPONSE_FLAGS%`).
///
/// Source: envoy/stream_info/stream_info.h, `CoreResponseFlag`; bit n of the attribute `response.flags`.
const NAMES: [&str; 30] = [
    "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC", "URX", "SI", "IH",
    "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO", "DR", "UDO",
];

/// The flags of a bit mask, joined by `,`: `UF,URX`; empty for none.
///
/// A bit that this list does not know, from a later Envoy, is written `bit<n>`: better an odd name than no trace.
pub(crate) fn short_names(mask: u64) -> String {
    let mut names = String::new();
    for bit in (0..64u32).filter(|bit| mask.wrapping_shr(*bit) & 1 == 1) {
        if !names.is_empty() {
            names.push(',');
        }
        match NAMES.get(bit as usize) {
            Some(name) => names.push_str(name),
            None => names.push_str(&format!("bit{bit}")),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_named_in_the_order_of_their_bits() {
        assert_eq!(short_names(0), "");
        assert_eq!(short_names(1 << 14), "DC");
        assert_eq!(short_names(1 << 5 | 1 << 15), "UF,URX");
        assert_eq!(short_names(1 << 29 | 1), "LH,UDO");
    }

    #[test]
    fn a_flag_of_a_later_envoy_leaves_a_trace() {
        assert_eq!(short_names(1 << 30 | 1 << 63), "bit30,bit63");
    }
}
