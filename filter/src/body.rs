//! The first bytes of a body, taken chunk by chunk as it passes.

/// What is kept of one body, and how many bytes passed.
///
/// The kept bytes are always a true beginning: after a chunk that could not be read, or was given shorter than asked
/// for, nothing more is kept, so there is never a hole. Limit in bytes: see `max_request_body_bytes`; at 0 nothing is
/// kept. No end-of-stream flag is read anywhere: Envoy leaves it out for trailers, resets and tunnels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    kept: Vec<u8>,
    passed: u64,
    limit: usize,
    has_hole: bool,
}

impl Body {
    pub(crate) fn with_limit(limit: usize) -> Body {
        Body { limit, ..Body::default() }
    }

    /// The first bytes, at most the limit.
    pub(crate) fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// How many bytes passed in all.
    pub(crate) fn passed(&self) -> u64 {
        self.passed
    }

    /// How many bytes to ask the host for, of a chunk of this size; 0 means: do not ask, only tell the size.
    pub(crate) fn wanted(&self, chunk_len: usize) -> usize {
        let room = if self.has_hole { 0 } else { self.limit.saturating_sub(self.kept.len()) };
        chunk_len.min(room)
    }

    /// How many bytes of memory keeping `chunk` will add.
    pub(crate) fn growth(&self, chunk: &[u8]) -> usize {
        if self.kept.is_empty() { chunk.len() } else { self.grown_capacity(chunk).saturating_sub(self.kept.capacity()) }
    }

    /// Counts a chunk that is not kept; if bytes of it were wanted, the kept part ends here.
    pub(crate) fn pass(&mut self, chunk_len: usize) {
        self.has_hole |= self.wanted(chunk_len) > 0;
        self.passed = self.passed.saturating_add(chunk_len as u64);
    }

    /// Lets go of what was kept, and keeps nothing more.
    pub(crate) fn forget(&mut self) {
        self.kept = Vec::new();
        self.has_hole = true;
    }

    /// Counts a chunk of `chunk_len` bytes and keeps its beginning, which is what the host gave.
    pub(crate) fn keep(&mut self, chunk_len: usize, mut chunk: Vec<u8>) {
        let wanted = self.wanted(chunk_len);
        chunk.truncate(wanted);
        let is_short = chunk.len() < wanted;
        self.passed = self.passed.saturating_add(chunk_len as u64);
        if self.kept.is_empty() {
            // Most bodies are one chunk: it is kept as the host allocated it.
            self.kept = chunk;
        } else if self.kept.try_reserve_exact(self.grown_capacity(&chunk).saturating_sub(self.kept.len())).is_ok() {
            self.kept.extend_from_slice(&chunk);
        } else {
            self.has_hole = true;
        }
        self.has_hole |= is_short;
    }

    /// Doubles up to the limit: few moves, and never more memory than the limit.
    fn grown_capacity(&self, chunk: &[u8]) -> usize {
        let needed = self.kept.len().saturating_add(chunk.len());
        if needed <= self.kept.capacity() {
            return self.kept.capacity();
        }
        needed.max(self.kept.capacity().saturating_mul(2)).min(self.limit.max(needed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body_of(limit: usize, chunks: &[&[u8]]) -> Body {
        let mut body = Body::with_limit(limit);
        for chunk in chunks {
            let wanted = body.wanted(chunk.len());
            if wanted == 0 {
                body.pass(chunk.len());
            } else {
                body.keep(chunk.len(), chunk[..wanted].to_vec());
            }
        }
        body
    }

    #[test]
    fn chunks_are_kept_up_to_the_limit_and_counted_beyond() {
        for (limit, kept) in [(0, &b""[..]), (5, b"abcde"), (6, b"abcdef"), (7, b"abcdef")] {
            let body = body_of(limit, &[b"abc", b"", b"def", b""]);

            assert_eq!(body.kept(), kept, "limit {limit}");
            assert_eq!(body.passed(), 6);
        }
    }

    #[test]
    fn over_the_limit_nothing_is_asked_for() {
        let body = body_of(4, &[b"abcd"]);

        assert_eq!(body.wanted(1), 0);
    }

    #[test]
    fn after_an_unreadable_chunk_nothing_more_is_kept() {
        let mut body = body_of(100, &[b"abc"]);

        body.pass(3);
        let later = body.wanted(3);
        body.pass(3);

        assert_eq!((later, body.kept(), body.passed()), (0, &b"abc"[..], 9));
    }

    #[test]
    fn after_a_chunk_given_short_nothing_more_is_kept() {
        let mut body = Body::with_limit(100);

        body.keep(5, b"ab".to_vec());

        assert_eq!((body.kept(), body.passed(), body.wanted(5)), (&b"ab"[..], 5, 0));
    }

    #[test]
    fn a_chunk_given_long_is_cut() {
        let mut body = Body::with_limit(3);

        body.keep(3, b"abcdef".to_vec());

        assert_eq!((body.kept(), body.passed()), (&b"abc"[..], 3));
    }

    #[test]
    fn a_forgotten_body_is_counted_and_not_kept() {
        let mut body = body_of(100, &[b"abc"]);

        body.forget();

        assert_eq!((body.kept(), body.passed(), body.wanted(5)), (&b""[..], 3, 0));
    }

    #[test]
    fn growth_is_what_keeping_will_add() {
        let mut body = body_of(1_000, &[&[7; 100]]);

        let growth = body.growth(&[7; 50]);
        let before = body.kept.capacity();
        body.keep(50, vec![7; 50]);

        assert_eq!(growth, body.kept.capacity() - before);
        assert_eq!(body.growth(&[7; 1]), 0);
    }
}
