//! One direction of a connection: reads, does what the mode says, writes.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    sync::watch,
};

use super::{After, Break, Counters, Half, Mode, add};

/// Read at once at most.
const PIECE_BYTES: usize = 16 * 1024;

/// How a conversation ends, for both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In good order: what was written still arrives.
    Closed,
    /// Reset.
    Reset,
}

/// What becomes of the rest of a direction.
enum Rest {
    Goes,
    Ends(End),
}

/// One direction and what it has seen under the present mode.
pub(super) struct Side<'a> {
    half: Half,
    mode: watch::Receiver<Mode>,
    counters: &'a Counters,
    passed: usize,
    /// The last bytes before this piece, to find the end of a head across pieces.
    tail: Vec<u8>,
    /// Something was swallowed: whatever comes now would arrive in the wrong place.
    broken: bool,
}

/// Resolves when the mode asks that a connection made under `first` ends now.
pub(super) async fn turned(mode: &mut watch::Receiver<Mode>, first: Mode) {
    let is_over = |mode: &Mode| match (mode, first) {
        (Mode::Reset | Mode::Refuse, _) => true,
        (Mode::Divert(now), Mode::Divert(then)) => *now != then,
        (Mode::Divert(_), _) | (_, Mode::Divert(_)) => true,
        _ => false,
    };
    if mode.wait_for(is_over).await.is_err() {
        // The proxy is gone, and this task soon too.
        std::future::pending::<()>().await;
    }
}

impl<'a> Side<'a> {
    pub(super) fn new(half: Half, mode: watch::Receiver<Mode>, counters: &'a Counters) -> Side<'a> {
        Side { half, mode, counters, passed: 0, tail: Vec::new(), broken: false }
    }

    /// Carries bytes until the sender ends (`Ok`), or the whole connection has to end (`Err`).
    pub(super) async fn pump(&mut self, from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) -> Result<(), End> {
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            tokio::select! {
                biased;
                changed = self.mode.changed() => {
                    changed.map_err(|_| End::Reset)?;
                    self.turn()?;
                }
                read = from.read(&mut buffer) => match read {
                    Ok(0) => {
                        // Told on; the other direction may still have something to say.
                        let _ = to.shutdown().await;
                        return Ok(());
                    }
                    Ok(count) => {
                        let piece = buffer.get(..count).unwrap_or_default();
                        if self.mode.has_changed().map_err(|_| End::Reset)? {
                            self.mode.mark_unchanged();
                            self.turn()?;
                        }
                        if let Rest::Ends(end) = self.carry(piece, to).await.map_err(|_| End::Reset)? {
                            return Err(end);
                        }
                    }
                    Err(_) => return Err(End::Reset),
                },
            }
        }
    }

    /// Another mode holds from here on.
    fn turn(&mut self) -> Result<(), End> {
        (self.passed, self.tail) = (0, Vec::new());
        if self.broken { Err(End::Reset) } else { Ok(()) }
    }

    async fn carry(&mut self, piece: &[u8], to: &mut OwnedWriteHalf) -> std::io::Result<Rest> {
        let mode = *self.mode.borrow();
        if self.broken {
            add(&self.counters.swallowed_bytes, piece.len());
            return Ok(Rest::Goes);
        }
        match mode {
            Mode::Delay(time) => {
                add(&self.counters.delays, 1);
                self.pause(time).await;
                to.write_all(piece).await?;
            }
            Mode::Throttle { bytes, every } => {
                for slice in piece.chunks(bytes.max(1)) {
                    to.write_all(slice).await?;
                    if matches!(*self.mode.borrow(), Mode::Throttle { .. }) {
                        add(&self.counters.throttled, 1);
                        self.pause(every).await;
                    }
                }
            }
            Mode::BlackHole => self.swallow(piece),
            Mode::Cut { of, after, by } if of == self.half => return self.cut(piece, to, after, by).await,
            Mode::Pass | Mode::Divert(_) | Mode::Cut { .. } => to.write_all(piece).await?,
            // The whole connection is being ended.
            Mode::Reset | Mode::Refuse => {}
        }
        Ok(Rest::Goes)
    }

    async fn cut(&mut self, piece: &[u8], to: &mut OwnedWriteHalf, after: After, by: Break) -> std::io::Result<Rest> {
        let passing = match after {
            After::Bytes(bytes) => bytes.saturating_sub(self.passed).min(piece.len()),
            After::Head => self.end_of_head(piece).unwrap_or(piece.len()),
        };
        let reached = match after {
            After::Bytes(bytes) => self.passed + piece.len() >= bytes,
            After::Head => self.end_of_head(piece).is_some(),
        };
        to.write_all(piece.get(..passing).unwrap_or_default()).await?;
        self.passed += passing;
        self.tail.extend_from_slice(piece);
        self.tail.drain(..self.tail.len().saturating_sub(3));
        if !reached {
            return Ok(Rest::Goes);
        }
        add(&self.counters.cuts, 1);
        match by {
            Break::Reset => Ok(Rest::Ends(End::Reset)),
            Break::Close => {
                to.shutdown().await?;
                Ok(Rest::Ends(End::Closed))
            }
            Break::Silence => {
                self.swallow(piece.get(passing..).unwrap_or_default());
                Ok(Rest::Goes)
            }
        }
    }

    /// Where in this piece the first head ends.
    fn end_of_head(&self, piece: &[u8]) -> Option<usize> {
        let joined = [&self.tail, piece].concat();
        let end = joined.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        Some(end.saturating_sub(self.tail.len()))
    }

    fn swallow(&mut self, piece: &[u8]) {
        self.broken = true;
        add(&self.counters.swallowed_bytes, piece.len());
    }

    /// Waits, but not beyond a change of the mode. The change is left for [`pump`](Self::pump) to see.
    async fn pause(&self, time: Duration) {
        let mut mode = self.mode.clone();
        tokio::select! {
            _ = mode.changed() => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}
