//! Reads a Parquet file's bytes within bounds.

use std::{
    fs::File,
    io::{self, Cursor, Read, Seek, SeekFrom},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use parquet::{
    errors::Result,
    file::reader::{ChunkReader, Length},
};

use super::{
    bounds::{MOST_HEADER, MOST_METADATA, MOST_PAGE, PageHead, check_metadata, error, page_head},
    thrift::Fault,
};

/// How much is read of a page's header first, in bytes.
const FIRST_READ: usize = 4 * 1024;

/// Reads the footer, which is at the file's end, and validates it.
pub(super) fn metadata(file: &File) -> Result<Vec<u8>> {
    let length = file.metadata()?.len();
    // The length of the metadata and the magic number, four bytes each (Parquet file format).
    let tail = length.checked_sub(8).map(|start| read(file, start, 8));
    let tail = tail.transpose()?.unwrap_or_default();
    let Some((size, magic)) = tail.split_first_chunk::<4>() else {
        return Err(error("too short for a Parquet file"));
    };
    match magic {
        b"PAR1" => {}
        b"PARE" => return Err(error("its metadata is encrypted")),
        _ => return Err(error("not a Parquet file, or not a whole one")),
    }
    let size = u64::from(u32::from_le_bytes(*size));
    if size > MOST_METADATA {
        return Err(error(format!(
            "metadata of {size} bytes, at most {MOST_METADATA} are read"
        )));
    }
    let start = length.checked_sub(8).and_then(|end| end.checked_sub(size));
    let start = start.ok_or_else(|| error("its metadata is longer than the file"))?;
    let bytes = read(file, start, usize::try_from(size)?)?;
    check_metadata(&bytes)?;
    Ok(bytes)
}

/// One column of one row group. Reads are sequential, so no other reader moves the file's position.
pub(super) struct Chunk {
    pub(super) file: Arc<File>,
    /// Its pages are compressed with gzip, which the crate decompresses without a bound.
    pub(super) is_gzip: bool,
    /// Of the page whose body comes next.
    pub(super) head: Mutex<Option<PageHead>>,
}

impl Chunk {
    fn head(&self) -> Option<PageHead> {
        *self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.file.metadata().map_or(0, |found| found.len())
    }
}

impl ChunkReader for Chunk {
    type T = Cursor<Vec<u8>>;

    /// Returns the header of the page that begins there, once it was validated, and nothing else.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut bytes = read_up_to(&self.file, start, FIRST_READ)?;
        let mut head = page_head(&bytes);
        // Only a header with long statistics is larger.
        if head == Err(Fault::Truncated) && bytes.len() == FIRST_READ {
            bytes = read_up_to(&self.file, start, MOST_HEADER)?;
            head = page_head(&bytes);
        }
        let head = head.map_err(|_| error("a page's header is corrupt"))?;
        let head = head.check()?;
        bytes.truncate(head.length);
        *self.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
        Ok(Cursor::new(bytes))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if u64::try_from(length).is_ok_and(|length| length > MOST_PAGE) {
            return Err(error(format!("a page of {length} bytes")));
        }
        let bytes = read(&self.file, start, length)?;
        if let Some(head) = self
            .head()
            .filter(|head| self.is_gzip && head.is_compressed)
        {
            check_gzip(&bytes, head)?;
        }
        Ok(bytes.into())
    }
}

/// Decompresses a page and discards it, because the crate decompresses without a limit.
fn check_gzip(bytes: &[u8], head: PageHead) -> Result<()> {
    // In a page of version 2 the levels precede the values and are not compressed (Parquet
    // format, `DataPageHeaderV2`).
    let levels = usize::try_from(head.levels)?;
    let compressed = bytes.get(levels..).unwrap_or_default();
    let uncompressed = head.uncompressed.saturating_sub(head.levels);
    // One byte more than the page declares is enough to reject it.
    let mut decoder = MultiGzDecoder::new(compressed).take(uncompressed.saturating_add(1));
    let found = io::copy(&mut decoder, &mut io::sink())?;
    if found > uncompressed {
        return Err(error(format!(
            "a page that holds more than the {uncompressed} bytes it declares"
        )));
    }
    Ok(())
}

fn read(file: &File, start: u64, length: usize) -> Result<Vec<u8>> {
    let bytes = read_up_to(file, start, length)?;
    if bytes.len() == length {
        Ok(bytes)
    } else {
        Err(error("the file ends before the page does"))
    }
}

fn read_up_to(mut file: &File, start: u64, length: usize) -> Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    let most = u64::try_from(length).unwrap_or(u64::MAX);
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
