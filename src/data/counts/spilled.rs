//! Counted values of a category beyond what memory is to hold, in a temporary file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use polars::prelude::{polars_err, PlHashMap, PolarsError, PolarsResult};
use xxhash_rust::xxh3::xxh3_64;

/// Counts by value, written in parts: each value is in the part that its text says, so that the
/// parts can be read one after the other.
#[derive(Clone, Debug)]
pub struct Spilled {
    file: Arc<File>,
    end: u64,
    blocks: Vec<Block>,
}

/// Values of one part that were written together.
#[derive(Clone, Copy, Debug)]
struct Block {
    part: usize,
    start: u64,
    length: usize,
}

/// Two of them are never known to be the same.
impl PartialEq for Spilled {
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

impl Spilled {
    /// The number of parts.
    pub const PARTS: usize = 64;

    /// Opens an empty file, which is gone when it is closed.
    pub fn new() -> PolarsResult<Self> {
        Ok(Self { file: Arc::new(tempfile::tempfile().map_err(refused)?), end: 0, blocks: vec![] })
    }

    /// Writes values and the number of rows that have each.
    pub fn write(&mut self, values: impl Iterator<Item = (String, u64)>) -> PolarsResult<()> {
        let mut parts = vec![vec![]; Self::PARTS];
        for (value, count) in values {
            let part = &mut parts[(xxh3_64(value.as_bytes()) % Self::PARTS as u64) as usize];
            part.extend((value.len() as u64).to_le_bytes());
            part.extend(count.to_le_bytes());
            part.extend(value.as_bytes());
        }
        let mut file = &*self.file;
        file.seek(SeekFrom::Start(self.end)).map_err(refused)?;
        for (part, bytes) in parts.into_iter().enumerate().filter(|(_, bytes)| !bytes.is_empty()) {
            file.write_all(&bytes).map_err(refused)?;
            self.blocks.push(Block { part, start: self.end, length: bytes.len() });
            self.end += bytes.len() as u64;
        }
        Ok(())
    }

    /// The values of one part, each with the number of rows that have it.
    pub fn read(&self, part: usize) -> PolarsResult<PlHashMap<String, u64>> {
        let mut values = PlHashMap::default();
        let mut file = &*self.file;
        for block in self.blocks.iter().filter(|block| block.part == part) {
            let mut bytes = vec![0; block.length];
            file.seek(SeekFrom::Start(block.start)).map_err(refused)?;
            file.read_exact(&mut bytes).map_err(refused)?;
            let mut rest = bytes.as_slice();
            while let Some((value, count)) = next(&mut rest) {
                let known: &mut u64 = values.entry(value).or_default();
                *known = known.saturating_add(count);
            }
        }
        Ok(values)
    }
}

/// Takes the next value and its count.
fn next(bytes: &mut &[u8]) -> Option<(String, u64)> {
    let mut number = || {
        let (number, rest) = bytes.split_first_chunk()?;
        *bytes = rest;
        Some(u64::from_le_bytes(*number))
    };
    let (length, count) = (number()?, number()?);
    let (value, rest) = bytes.split_at_checked(length as usize)?;
    *bytes = rest;
    Some((String::from_utf8(value.to_vec()).ok()?, count))
}

fn refused(error: io::Error) -> PolarsError {
    polars_err!(ComputeError: "anorand: the many values of a category need a temporary file, in {}: {error}",
        std::env::temp_dir().display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_in_one_part_with_all_its_rows() {
        let mut spilled = Spilled::new().unwrap();
        let values = |from: u64| (from..from + 500).map(|at| (format!("value {at}"), at));
        spilled.write(values(0)).unwrap();
        spilled.write(values(250).chain([(String::new(), 7)])).unwrap();
        let parts: Vec<_> = (0..Spilled::PARTS).map(|part| spilled.read(part).unwrap()).collect();
        let all: PlHashMap<String, u64> = parts.into_iter().flatten().collect();
        assert_eq!(all.len(), 751);
        assert_eq!([all["value 10"], all["value 300"], all["value 700"], all[""]], [10, 600, 700, 7]);
    }
}
