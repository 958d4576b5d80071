//! Bounds on the memory that a Parquet file makes the `parquet` crate allocate. The declared
//! numbers are validated first; a file that no writer produces is rejected, and the error names the
//! bound.

use bytes::Bytes;
use parquet::{
    basic::Encoding,
    column::page::{Page, PageMetadata, PageReader},
    errors::{ParquetError, Result},
};

use super::thrift::{Compact, Fault, Kind};

/// The longest metadata, in bytes. Those of ten thousand row groups take about two million.
pub(super) const MOST_METADATA: u64 = 16 << 20;

/// The longest page, compressed and uncompressed, in bytes. Most writers make pages of one million.
pub(super) const MOST_PAGE: u64 = 64 << 20;

/// The longest page header, in bytes: it may hold the smallest and the largest value.
pub(super) const MOST_HEADER: usize = 1 << 20;

/// Maximum number of values of a dictionary, each of which takes 32 bytes in addition to its text.
const MOST_WORDS: u32 = 1 << 22;

/// Maximum depth of groups.
const MOST_NESTED: usize = 64;

pub(super) fn error(why: impl Into<String>) -> ParquetError {
    ParquetError::General(why.into())
}

/// Validates a file's footer: the schema must be a tree, because `parquet` follows what groups
/// claim.
pub(super) fn check_metadata(bytes: &[u8]) -> Result<()> {
    let mut children = None;
    let walked = Compact::new(bytes).structure(|id, kind, value| {
        // Ids of fields are those of parquet.thrift: in `FileMetaData`, 2 is the schema.
        if (id, kind) == (2, Kind::List) {
            children = Some(schema(value)?);
        }
        Ok((id, kind) == (2, Kind::List))
    });
    walked.map_err(|_| error("its metadata is corrupt"))?;
    let children = children.ok_or_else(|| error("its metadata has no schema"))?;
    if is_tree(&children) {
        Ok(())
    } else {
        Err(error("its schema is corrupt"))
    }
}

/// How many children each element of the schema claims.
fn schema(value: &mut Compact<'_>) -> Result<Vec<u64>, Fault> {
    let (count, kind) = value.list()?;
    if kind != Kind::Struct {
        return Err(Fault::Malformed);
    }
    let mut children = Vec::new();
    for _ in 0..count {
        let mut claimed = 0;
        value.structure(|id, kind, value| {
            // In `SchemaElement`, 5 is `num_children`.
            if (id, kind) != (5, Kind::Int) {
                return Ok(false);
            }
            claimed = u64::try_from(value.int()?).map_err(|_| Fault::Malformed)?;
            Ok(true)
        })?;
        children.push(claimed);
    }
    Ok(children)
}

/// Whether the elements, each before its children, make one tree that is not too deep.
fn is_tree(children: &[u64]) -> bool {
    // How many children are still to come on each level.
    let mut open = vec![1_u64];
    for claimed in children {
        while open.last() == Some(&0) {
            open.pop();
        }
        match open.last_mut() {
            Some(left) => *left -= 1,
            None => return false,
        }
        if *claimed > 0 {
            open.push(*claimed);
        }
        if open.len() > MOST_NESTED {
            return false;
        }
    }
    open.iter().all(|left| *left == 0)
}

/// What a page's header declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageHead {
    /// How long the header is, in bytes.
    pub(super) length: usize,
    pub(super) compressed: u64,
    pub(super) uncompressed: u64,
    /// Length of the levels, in bytes, which precede the values and are never compressed.
    pub(super) levels: u64,
    pub(super) is_compressed: bool,
}

/// Reads the header that `bytes` begin with.
pub(super) fn page_head(bytes: &[u8]) -> Result<PageHead, Fault> {
    let mut header = Compact::new(bytes);
    let (mut uncompressed, mut compressed, mut levels, mut is_compressed) =
        (None, None, 0_u64, true);
    header.structure(|id, kind, value| {
        match (id, kind) {
            // In `PageHeader`, 2 and 3 are the sizes of the page, and 8 is a `DataPageHeaderV2`:
            // there, 5 and 6 are the lengths of the levels, and 7 is `is_compressed`.
            (2, Kind::Int) => uncompressed = Some(size(value)?),
            (3, Kind::Int) => compressed = Some(size(value)?),
            (8, Kind::Struct) => value.structure(|id, kind, value| {
                match (id, kind) {
                    (5 | 6, Kind::Int) => levels = levels.saturating_add(size(value)?),
                    (7, Kind::True | Kind::False) => is_compressed = kind == Kind::True,
                    _ => return Ok(false),
                }
                Ok(true)
            })?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(PageHead {
        length: bytes.len().saturating_sub(header.left()),
        compressed: compressed.ok_or(Fault::Malformed)?,
        uncompressed: uncompressed.ok_or(Fault::Malformed)?,
        levels,
        is_compressed,
    })
}

fn size(value: &mut Compact<'_>) -> Result<u64, Fault> {
    u64::try_from(value.int()?).map_err(|_| Fault::Malformed)
}

impl PageHead {
    pub(super) fn check(self) -> Result<Self> {
        let longest = self.compressed.max(self.uncompressed);
        if longest > MOST_PAGE {
            return Err(error(format!(
                "a page of {longest} bytes, at most {MOST_PAGE} are read: write the file with \
                 smaller pages or row groups"
            )));
        }
        Ok(self)
    }
}

/// Validates each page before its values are decoded.
pub(super) struct Guarded<P> {
    pub(super) pages: P,
    /// The fewest bytes that a value of this column takes.
    pub(super) value_size: u32,
    pub(super) has_levels: bool,
}

impl<P: PageReader> PageReader for Guarded<P> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.map(|page| {
            self.check(&page)?;
            Ok(page)
        })
        .transpose()
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }
}

impl<P: PageReader> Iterator for Guarded<P> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<P> Guarded<P> {
    /// The crate reserves memory for as many values as a dictionary, or the lengths of strings that
    /// are delta-encoded, claim to have.
    fn check(&self, page: &Page) -> Result<()> {
        let (buf, encoding, num_values, start) = match page {
            Page::DictionaryPage {
                buf, num_values, ..
            } => return self.check_dictionary(buf, *num_values),
            Page::DataPage {
                buf,
                num_values,
                encoding,
                ..
            } => (buf, *encoding, *num_values, self.after_levels(buf)),
            Page::DataPageV2 {
                buf,
                num_values,
                encoding,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => {
                let levels = def_levels_byte_len.saturating_add(*rep_levels_byte_len);
                let start = usize::try_from(levels).ok();
                (buf, *encoding, *num_values, start)
            }
        };
        let values = start.and_then(|start| buf.get(start..));
        let values = values.ok_or_else(|| error("a page that is shorter than its levels"))?;
        match encoding {
            Encoding::PLAIN
            | Encoding::RLE_DICTIONARY
            | Encoding::PLAIN_DICTIONARY
            | Encoding::DELTA_BINARY_PACKED => Ok(()),
            Encoding::DELTA_LENGTH_BYTE_ARRAY => check_lengths(values, num_values),
            encoding => Err(error(format!(
                "values encoded as {encoding} are not read: write the column plain or with a \
                 dictionary"
            ))),
        }
    }

    fn check_dictionary(&self, buf: &Bytes, words: u32) -> Result<()> {
        let room = u64::from(words).saturating_mul(u64::from(self.value_size));
        let is_possible = u64::try_from(buf.len()).is_ok_and(|length| room <= length);
        if is_possible && words <= MOST_WORDS {
            return Ok(());
        }
        Err(error(format!("a dictionary that claims {words} values")))
    }

    /// The offset of the values of a page of version 1: after the length of the levels and the
    /// levels.
    fn after_levels(&self, buf: &Bytes) -> Option<usize> {
        if !self.has_levels {
            return Some(0);
        }
        let length = buf.first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        length.checked_add(4)
    }
}

/// The head of the lengths: block size, blocks, and how many lengths there are.
fn check_lengths(values: &[u8], num_values: u32) -> Result<()> {
    let mut head = Compact::new(values);
    let mut number = || head.number();
    let claimed = number().and_then(|_| number()).and_then(|_| number());
    match claimed {
        Ok(claimed) if claimed <= u64::from(num_values) => Ok(()),
        Ok(claimed) => Err(error(format!("a page that claims {claimed} lengths"))),
        Err(_) => Err(error("a page whose lengths are corrupt")),
    }
}
