//! What is known about the images listed so far: an exact table of any size in bounded memory.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
};

use crate::ledger::Key;

/// The first half of an image's key: enough to distinguish any number of images.
pub(super) type Head = [u8; HEAD];

const HEAD: usize = 16;

pub(super) fn head(key: Key) -> Head {
    key.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// Bytes of records in memory before they are written to a file: 1.8 million heads without values,
/// as many as a hash table of 36 MB holds.
const MAX_BYTES: usize = (1 << 21) / 8 * 7 * HEAD;

/// Bits of the filter, 80 MB: with 100 million heads on disk it lets 4 % of the new ones pass.
const FILTER_BITS: u32 = 80 << 23;

/// Records per page of a file. To find one, one page of each run is read.
const PAGE: usize = 256;

/// Parts of a run, by the first byte of the head, that are sorted separately.
const PARTS: u8 = 4;

/// The images listed so far.
pub(super) type Seen = Table<0>;

impl Default for Seen {
    /// Most images of a list are new, which the filter finds without a read.
    fn default() -> Self {
        Self::with_limits(MAX_BYTES / HEAD, FILTER_BITS)
    }
}

impl Seen {
    /// Records the image and returns whether this is its first line.
    ///
    /// # Errors
    ///
    /// Returns an error if the temporary file cannot be read.
    pub(super) fn is_new(&mut self, head: Head) -> io::Result<bool> {
        let is_new = self.get(&head)?.is_none();
        if is_new {
            self.insert(head, []);
        }
        Ok(is_new)
    }
}

/// Heads of keys, each with a value.
///
/// Beyond a limit they are written to a temporary file in sorted runs. A filter of fixed size rules
/// most unknown heads out without a read; the runs decide about the others.
#[derive(Debug)]
pub(super) struct Table<const VALUE: usize> {
    held: HashMap<Head, [u8; VALUE]>,
    max_held: usize,
    filter_bits: u32,
    spilled: Option<Spilled>,
}

impl<const VALUE: usize> Table<VALUE> {
    /// A table without a filter, for heads that are usually in it.
    pub(super) fn unfiltered() -> Self {
        Self::with_limits(MAX_BYTES / (HEAD + VALUE), 0)
    }

    fn with_limits(max_held: usize, filter_bits: u32) -> Self {
        Self {
            held: HashMap::new(),
            max_held,
            filter_bits,
            spilled: None,
        }
    }

    /// Returns the value of a head.
    ///
    /// # Errors
    ///
    /// Returns an error if the temporary file cannot be read.
    pub(super) fn get(&mut self, head: &Head) -> io::Result<Option<[u8; VALUE]>> {
        if let Some(value) = self.held.get(head) {
            return Ok(Some(*value));
        }
        match &mut self.spilled {
            Some(spilled) => spilled.get(head),
            None => Ok(None),
        }
    }

    /// Adds a head that is not in the table.
    pub(super) fn insert(&mut self, head: Head, value: [u8; VALUE]) {
        if self.held.len() >= self.max_held {
            self.spill();
        }
        self.held.insert(head, value);
    }

    /// Moves the records to the file. If that fails, for example because the disk is full, they
    /// stay in memory: a dry run that needs more of it is better than none.
    fn spill(&mut self) {
        if self.spilled.is_none() {
            self.spilled = Spilled::create(self.filter_bits).ok();
        }
        let Some(spilled) = &mut self.spilled else {
            self.max_held = usize::MAX;
            return;
        };
        match spilled.append(&self.held) {
            Ok(()) => self.held.clear(),
            Err(_) => self.max_held = usize::MAX,
        }
    }
}

/// Records in a file.
#[derive(Debug)]
struct Spilled {
    file: File,
    end: u64,
    runs: Vec<Run>,
    filter: Filter,
}

/// Sorted records in consecutive pages.
#[derive(Debug)]
struct Run {
    offset: u64,
    len: usize,
    /// The first head of each page.
    firsts: Vec<Head>,
}

impl Spilled {
    fn create(filter_bits: u32) -> io::Result<Self> {
        Ok(Self {
            // Has no name, or is removed when it is closed.
            file: tempfile::tempfile()?,
            end: 0,
            runs: Vec::new(),
            filter: Filter::new(filter_bits),
        })
    }

    /// Writes the records as a sorted run.
    fn append<const VALUE: usize>(&mut self, held: &HashMap<Head, [u8; VALUE]>) -> io::Result<()> {
        // `end` grows only after a complete run: a failed write is overwritten or ignored.
        self.file.seek(SeekFrom::Start(self.end))?;
        let mut writer = BufWriter::with_capacity(1 << 16, &self.file);
        let mut firsts = Vec::with_capacity(held.len().div_ceil(PAGE));
        let mut len = 0_usize;
        // Sorted in parts, because a copy of all records takes as much memory as the table.
        for part in 0..PARTS {
            let is_in_part = |head: &Head| head[0] / (u8::MAX / PARTS + 1) == part;
            let records = held.iter().filter(|(head, _)| is_in_part(head));
            let mut sorted: Vec<_> = records.map(|(head, value)| (*head, *value)).collect();
            sorted.sort_unstable();
            for (head, value) in sorted {
                writer.write_all(&head)?;
                writer.write_all(&value)?;
                // Not undone if a later write fails: an extra bit can cost a read only.
                self.filter.insert(&head);
                if len.is_multiple_of(PAGE) {
                    firsts.push(head);
                }
                len = len.saturating_add(1);
            }
        }
        writer.flush()?;
        drop(writer);
        self.runs.push(Run {
            offset: self.end,
            len,
            firsts,
        });
        self.end = self.end.saturating_add(bytes_of::<VALUE>(len));
        Ok(())
    }

    fn get<const VALUE: usize>(&mut self, head: &Head) -> io::Result<Option<[u8; VALUE]>> {
        if !self.filter.may_contain(head) {
            return Ok(None);
        }
        let mut page = vec![0; PAGE * (HEAD + VALUE)];
        for run in &self.runs {
            // The last page whose first head is not greater is the only one that can contain it.
            let after = run.firsts.partition_point(|first| first <= head);
            let Some(number) = after.checked_sub(1) else {
                continue;
            };
            let first = number * PAGE;
            let len = PAGE.min(run.len - first) * (HEAD + VALUE);
            let records = page.get_mut(..len).unwrap_or_default();
            let offset = run.offset.saturating_add(bytes_of::<VALUE>(first));
            self.file.seek(SeekFrom::Start(offset))?;
            self.file.read_exact(records)?;
            let mut records = records.chunks_exact(HEAD + VALUE);
            let found = records.find_map(|record| record.strip_prefix(head));
            if let Some(value) = found {
                return Ok(value.first_chunk().copied());
            }
        }
        Ok(None)
    }
}

fn bytes_of<const VALUE: usize>(records: usize) -> u64 {
    u64::try_from(records * (HEAD + VALUE)).unwrap_or(u64::MAX)
}

/// A Bloom filter. Heads are parts of hashes, so their four words choose the bits. Without bits it
/// rules nothing out.
#[derive(Debug)]
struct Filter {
    words: Vec<u64>,
    bits: u32,
}

impl Filter {
    fn new(bits: u32) -> Self {
        let words = usize::try_from(bits.div_ceil(u64::BITS)).unwrap_or_default();
        Self {
            words: vec![0; words],
            bits,
        }
    }

    fn insert(&mut self, head: &Head) {
        for (word, bit) in places(self.bits, head) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
    }

    fn may_contain(&self, head: &Head) -> bool {
        let mut places = places(self.bits, head);
        places.all(|(word, bit)| self.words.get(word).is_none_or(|word| word & bit != 0))
    }
}

/// Returns the place of each of a head's bits: a word, and a bit in it.
fn places(bits: u32, head: &Head) -> impl Iterator<Item = (usize, u64)> + use<'_> {
    let (parts, _) = head.as_chunks::<4>();
    parts.iter().map(move |part| {
        // Scales the part from 0..2^32 to 0..bits.
        let bit = (u64::from(u32::from_le_bytes(*part)) * u64::from(bits)) >> 32;
        let word = usize::try_from(bit / 64).unwrap_or_default();
        (word, 1 << (bit % 64))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::{Head, Seen, Table, head};
    use crate::{
        ledger::{Key, Scope},
        scene::Scene,
    };

    fn heads(count: u32) -> impl Iterator<Item = Head> {
        let scope = Scope::new(&[Scene::Porn]);
        let mut state = 1_u32;
        // Every number occurs about twice, at any distance.
        (0..count).map(move |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            head(Key::of_text(&scope, &(state % (count / 2)).to_string()))
        })
    }

    #[test]
    fn spilled_images_are_found_exactly() {
        // A filter of any quality gives the same answers; this one lets nearly everything pass.
        for filter_bits in [1 << 20, 1 << 14, 0] {
            let mut seen = Seen::with_limits(700, filter_bits);
            let mut all = HashSet::new();
            for head in heads(20_000) {
                assert_eq!(seen.is_new(head).unwrap(), all.insert(head));
                assert!(seen.held.len() <= 700, "memory is bounded");
            }
            let runs = &seen.spilled.as_ref().unwrap().runs;
            assert!(runs.len() > 10, "{} runs", runs.len());
        }
    }

    #[test]
    fn spilled_values_are_found() {
        let mut table = Table::<16>::with_limits(300, 0);
        let mut all = HashMap::new();
        for (number, head) in (0_u128..).zip(heads(5_000)) {
            assert_eq!(table.get(&head).unwrap(), all.get(&head).copied());
            if all.insert(head, number.to_be_bytes()).is_none() {
                table.insert(head, number.to_be_bytes());
            } else if let Some(value) = table.get(&head).unwrap() {
                all.insert(head, value);
            }
        }
        assert!(table.spilled.is_some());
    }

    #[test]
    fn few_images_stay_in_memory() {
        let mut seen = Seen::with_limits(10_000, 64);
        let new = heads(10_000).filter(|head| seen.is_new(*head).unwrap());
        assert!(new.count() < 10_000);
        assert!(seen.spilled.is_none(), "no file is created");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        let mut seen = Seen::with_limits(100, 64);
        for head in heads(1_000) {
            seen.is_new(head).unwrap();
        }
        seen.spilled.as_mut().unwrap().file.set_len(10).unwrap();
        assert!(heads(2_000).any(|head| seen.is_new(head).is_err()));
    }
}
