//! gzip of several members (RFC 1952 §2.2), of a bounded number of them.

use std::io::{self, Read};

use flate2::bufread::GzDecoder;

/// Members of one body. One that holds nothing has 20 bytes and costs as much to begin as one that holds something: without
/// a bound 8 MiB of them would keep a processor busy for seconds.
const MAX_MEMBERS: u32 = 10_000;

/// Reads the members of a body one after the other. Too many are an error of the kind
/// [`InvalidData`](io::ErrorKind::InvalidData), like anything else that is no gzip.
pub(crate) struct Members<'a> {
    /// `None` between two members.
    member: Option<GzDecoder<&'a [u8]>>,
    rest: &'a [u8],
    left: u32,
}

impl<'a> Members<'a> {
    /// Those of a body, at least one.
    pub(crate) fn new(body: &'a [u8]) -> Members<'a> {
        Members { member: Some(GzDecoder::new(body)), rest: &[], left: MAX_MEMBERS - 1 }
    }
}

impl Read for Members<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(member) = &mut self.member {
                let count = member.read(into)?;
                if count > 0 || into.is_empty() {
                    return Ok(count);
                }
            }
            if let Some(member) = self.member.take() {
                self.rest = member.into_inner();
            }
            if self.rest.is_empty() {
                return Ok(0);
            }
            self.left = self.left.checked_sub(1).ok_or(io::ErrorKind::InvalidData)?;
            self.member = Some(GzDecoder::new(self.rest));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn member(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).expect("into memory");
        encoder.finish().expect("into memory")
    }

    fn read(body: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        Members::new(body).read_to_string(&mut text).map(|_| text)
    }

    #[test]
    fn members_are_read_as_one_text() {
        let body = [member("a"), member(""), member("bc")].concat();

        assert_eq!(read(&body).expect("gzip"), "abc");
    }

    #[test]
    fn members_at_the_limit_are_read_and_one_more_is_not() {
        let many = |count: u32| member("x").repeat(count as usize);

        assert_eq!(read(&many(MAX_MEMBERS)).expect("gzip").len(), MAX_MEMBERS as usize);
        let kind = read(&many(MAX_MEMBERS + 1)).map_err(|error| error.kind());
        assert_eq!(kind, Err(io::ErrorKind::InvalidData));
    }

    #[test]
    fn what_is_cut_ends_early_and_what_is_no_gzip_is_wrong() {
        let body = [member("abc"), member("def")].concat();

        for end in [0, 5, 15, body.len() - 1] {
            let kind = read(&body[..end]).map_err(|error| error.kind());
            assert_eq!(kind, Err(io::ErrorKind::UnexpectedEof), "{end}");
        }
        assert!(read(b"this is no gzip").is_err());
        assert!(read(&[&body[..], b"behind"].concat()).is_err());
    }
}
