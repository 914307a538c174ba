//! What an Envoy holds in memory, seen from outside: the whole of it, and the linear memory of each wasm VM in it, which
//! never shrinks and so shows what the filter ever held. For Linux: it looks into `/proc`.

use anyhow::{Context as _, Result, ensure};

use super::Envoy;

/// The space that V8 reserves behind a wasm memory, so that no address of 32 bits leads out of it, is at least this.
const RESERVED_BYTES: u64 = 4 * 1024 * 1024 * 1024;

impl Envoy {
    /// Forgets the most memory that it ever held; returns what it holds now, in bytes. From here on
    /// [`peak_memory_bytes`](crate::process::Process::peak_memory_bytes) tells what came after.
    ///
    /// Source: proc_pid_clear_refs(5), value 5.
    ///
    /// # Errors
    /// It has ended, or this system has no `/proc`.
    pub fn forget_peak_memory(&self) -> Result<u64> {
        let file = format!("/proc/{}/clear_refs", self.process.id());
        std::fs::write(file, "5").context("forget the peak of Envoy's memory")?;
        self.process.peak_memory_bytes()
    }

    /// The bytes of the wasm memories in it: each is a mapping that can be written, with the reserve behind it.
    ///
    /// # Errors
    /// It has ended, there is no `/proc`, or V8 lays its memories out in another way.
    pub fn vm_bytes(&self) -> Result<u64> {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", self.process.id())).context("Envoy's mappings")?;
        let mappings: Vec<Mapping> = maps.lines().filter_map(Mapping::of).collect();
        let memories: Vec<u64> = mappings
            .windows(2)
            .filter_map(|pair| {
                let [memory, reserve] = pair else { return None };
                let reserved = reserve.access == "---p" && reserve.start == memory.end;
                (memory.access == "rw-p" && reserved && reserve.bytes() >= RESERVED_BYTES).then(|| memory.bytes())
            })
            .collect();
        ensure!(!memories.is_empty(), "no wasm memory is found in Envoy: does V8 lay it out in another way now?");
        Ok(memories.iter().sum())
    }
}

/// A line of `/proc/PID/maps`.
struct Mapping<'a> {
    start: u64,
    end: u64,
    access: &'a str,
}

impl<'a> Mapping<'a> {
    fn of(line: &'a str) -> Option<Mapping<'a>> {
        let mut words = line.split_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let address = |text| u64::from_str_radix(text, 16).ok();
        Some(Mapping { start: address(start)?, end: address(end)?, access: words.next()? })
    }

    fn bytes(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}
