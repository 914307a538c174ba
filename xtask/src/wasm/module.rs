//! Reads the few sections of a wasm module that say what goes in and out of it.
//!
//! Source: WebAssembly core specification 2.0, chapter 5, "Binary Format".

use anyhow::{Context, Result, bail, ensure};

const MAGIC: &[u8] = b"\0asm\x01\0\0\0";
const IMPORTS: u8 = 2;
const MEMORIES: u8 = 5;
const EXPORTS: u8 = 7;

/// What stands in those sections.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Module {
    /// Module and name of everything it takes from its host.
    pub(super) imports: Vec<(String, String)>,
    /// Names of everything its host can use.
    pub(super) exports: Vec<String>,
    /// The most its memory can grow to, in pages of 64 KiB; `None`: no bound.
    pub(super) most_pages: Option<u64>,
}

impl Module {
    /// Reads a module.
    ///
    /// # Errors
    /// It does not start like one, or a section is cut or has what this reader does not know.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader { rest: bytes.strip_prefix(MAGIC).context("not version 1 of the binary format")? };
        let mut module = Self::default();
        while !reader.rest.is_empty() {
            let id = reader.byte()?;
            let len = reader.number()?;
            let mut section = Reader { rest: reader.take(len)? };
            match id {
                IMPORTS => module.imports = section.entries(Reader::import)?,
                MEMORIES => module.most_pages = section.entries(Reader::limits)?.into_iter().next().flatten(),
                EXPORTS => module.exports = section.entries(Reader::export)?,
                _ => {}
            }
        }
        Ok(module)
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8> {
        let (byte, rest) = self.rest.split_first().context("cut in the middle")?;
        self.rest = rest;
        Ok(*byte)
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(len)?).context("cut in the middle")?;
        self.rest = rest;
        Ok(taken)
    }

    /// An unsigned number in LEB128, at most 64 bits.
    fn number(&mut self) -> Result<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        bail!("a number of more than 64 bits")
    }

    fn name(&mut self) -> Result<String> {
        let len = self.number()?;
        String::from_utf8(self.take(len)?.to_vec()).context("a name that is not UTF-8")
    }

    /// A vector: its length, then its entries.
    fn entries<T>(&mut self, entry: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        (0..self.number()?).map(|_| entry(self)).collect()
    }

    fn import(&mut self) -> Result<(String, String)> {
        let from = (self.name()?, self.name()?);
        // Functions only: a host such as Envoy gives nothing else.
        ensure!(self.byte()? == 0, "an import that is not a function: {}.{}", from.0, from.1);
        self.number()?;
        Ok(from)
    }

    fn export(&mut self) -> Result<String> {
        let name = self.name()?;
        self.byte()?;
        self.number()?;
        Ok(name)
    }

    /// The maximum of a memory's limits.
    fn limits(&mut self) -> Result<Option<u64>> {
        let flags = self.byte()?;
        self.number()?;
        if flags & 1 == 1 { self.number().map(Some) } else { Ok(None) }
    }
}
