//! Facts from bytes: [`Inspector`] reads chunks as they arrive, [`Inspection`] holds their facts.
//!
//! ```
//! use greenlight::{Depth, Inspection, Inspector};
//!
//! # let bytes: &[u8] = b"GIF89a";
//! let whole = Inspection::of(bytes);
//!
//! let mut inspector = Inspector::new(Depth::Structure);
//! for chunk in bytes.chunks(3) {
//!     inspector.push(chunk);
//! }
//! assert_eq!(inspector.finish(), whole);
//! ```

#[cfg(feature = "decode")]
mod decode;
#[cfg(feature = "files")]
mod file;
mod inspection;
#[cfg(feature = "stream")]
mod stream;
mod walker;
mod whole;

use crate::format::{self, Footer, Found, Progress, SNIFF_BYTES, Sniffed, sniff};

pub use crate::format::{ColorType, DefectClass, DefectKind, Defects, Depth, Orientation};
#[cfg(feature = "files")]
pub(crate) use file::inspect as inspect_file;
pub use inspection::{Claim, ClaimSource, Identity, Inspection};
use walker::{Text, Walker};
#[cfg(feature = "client")]
pub(crate) use whole::read_chunks;

/// How much of a file [`Inspection::read`] holds at a time, in bytes.
const READ_BUFFER: usize = 64 * 1024;

/// Reads a file's bytes in chunks of any size and records what they are. It cannot fail: a defect
/// of the bytes is a fact too.
///
/// ```
/// use greenlight::{Depth, Dimensions, Format, Inspector};
///
/// let mut inspector = Inspector::new(Depth::Structure);
/// inspector.push(b"GIF89a\x78\0");
/// assert_eq!(inspector.inspection().format(), Some(Format::Gif));
/// inspector.push(b"\x50\0\0\0\0");
/// let inspection = inspector.finish();
/// assert_eq!(inspection.dimensions(), Some(Dimensions::new(120, 80)));
/// assert_eq!(inspection.len(), Some(13));
/// ```
#[derive(Debug)]
pub struct Inspector {
    inspection: Inspection,
    state: State,
    /// The file so far, at decode depth, unless it is too long or other inspectors hold too much.
    #[cfg(feature = "decode")]
    held: Option<decode::Held>,
}

#[derive(Debug)]
enum State {
    /// The format is not known yet; the bytes so far are held.
    Sniffing(Head),
    /// Markup, whose first element determines the format.
    Reading(Text),
    /// A file whose last bytes determine the format.
    Ending(Footer),
    Walking(Walker),
    /// Further bytes are only counted.
    Settled,
}

/// The first bytes, while they are too few to determine the format.
#[derive(Clone, Copy, Debug)]
struct Head {
    held: [u8; SNIFF_BYTES],
    len: usize,
}

impl Head {
    const EMPTY: Self = Self {
        held: [0; SNIFF_BYTES],
        len: 0,
    };

    /// Holds what there is room for, and returns the rest of `chunk`.
    fn hold<'a>(&mut self, chunk: &'a [u8]) -> &'a [u8] {
        let free = self.held.get_mut(self.len..).unwrap_or_default();
        let (taken, rest) = chunk.split_at(chunk.len().min(free.len()));
        for (free, byte) in free.iter_mut().zip(taken) {
            *free = *byte;
        }
        self.len = self.len.saturating_add(taken.len());
        rest
    }

    fn bytes(&self) -> &[u8] {
        self.held.get(..self.len).unwrap_or_default()
    }
}

impl Inspector {
    /// An inspector that reads as far as `depth`.
    pub const fn new(depth: Depth) -> Self {
        Self {
            inspection: Inspection::new(depth),
            state: State::Sniffing(Head::EMPTY),
            #[cfg(feature = "decode")]
            held: Some(decode::Held::new()),
        }
    }

    /// Records the format claimed by a file name's extension or a `Content-Type`. The bytes decide;
    /// a claim that they contradict becomes the warning `image/type-mismatch`. At most one claim of
    /// each source is kept.
    pub fn claim(&mut self, claim: Claim) {
        self.inspection.claim(claim);
    }

    /// Records the length that is announced for the whole file (`Content-Length`, a file's
    /// metadata), in bytes. It is used as the size until the end of the file is reached.
    pub const fn announce_len(&mut self, len: u64) {
        self.inspection.announced_len = Some(len);
    }

    /// Reads the file's next bytes, any number of them.
    pub fn push(&mut self, chunk: &[u8]) {
        #[cfg(feature = "decode")]
        self.hold(chunk);
        self.read(chunk);
    }

    /// Reads the file's next bytes, without holding them.
    fn read(&mut self, chunk: &[u8]) {
        // Of a file that was longer than announced.
        if self.inspection.ended {
            return;
        }
        let offset = self.inspection.bytes_seen;
        self.inspection.bytes_seen = offset.saturating_add(length(chunk));
        self.advance(chunk, offset);
        self.inspection.note_trailing();
    }

    /// The facts so far.
    pub const fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// Whether more bytes can add a fact other than their number.
    pub const fn is_settled(&self) -> bool {
        matches!(self.state, State::Settled)
    }

    /// The file ended here: states what that means.
    ///
    /// At [`Depth::Decode`] the picture is decoded on the calling thread, which first waits until
    /// other decodes of the process have left memory for it. Asynchronous code calls
    /// [`finish_until`](Self::finish_until) instead.
    pub fn finish(mut self) -> Inspection {
        self.end();
        #[cfg(feature = "decode")]
        if let Some((task, file)) = self.decode_task() {
            task.run(file.bytes(), &mut self.inspection.facts);
        }
        self.inspection
    }

    /// The file ended here: states what that means, for asynchronous code.
    ///
    /// At [`Depth::Decode`] the picture is decoded on a thread of its own, which needs no runtime.
    /// A picture that is not decoded when `deadline` is ready is stated as
    /// [`DefectKind::NotDecoded`]; for no deadline pass [`std::future::pending()`]. At any other
    /// depth the future is ready immediately.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use std::time::Duration;
    ///
    /// use greenlight::{Depth, Inspector};
    ///
    /// let mut inspector = Inspector::new(Depth::Decode);
    /// inspector.push(b"GIF89a");
    /// let deadline = tokio::time::sleep(Duration::from_secs(3));
    /// let inspection = inspector.finish_until(deadline).await;
    /// assert!(inspection.is_ended());
    /// # }
    /// ```
    #[cfg_attr(
        not(feature = "decode"),
        expect(clippy::unused_async, reason = "there is nothing to wait for")
    )]
    pub async fn finish_until(mut self, deadline: impl Future<Output = ()>) -> Inspection {
        self.end();
        #[cfg(feature = "decode")]
        if let Some((task, file)) = self.decode_task() {
            let facts = &mut self.inspection.facts;
            task.run_until(file, deadline, facts).await;
        }
        #[cfg(not(feature = "decode"))]
        drop(deadline);
        self.inspection
    }

    /// Ends the file if all announced bytes were pushed.
    pub(crate) fn end_if_received(&mut self) {
        let Inspection {
            announced_len,
            bytes_seen,
            ended,
            ..
        } = self.inspection;
        if !ended && announced_len == Some(bytes_seen) {
            self.end();
        }
    }

    fn end(&mut self) {
        self.inspection.ended = true;
        let settled = match &self.state {
            // No more bytes will arrive, so the held ones decide.
            State::Sniffing(head) if head.len > 0 => {
                let head = *head;
                match format::sniff_all(head.bytes()) {
                    Some(format) => {
                        self.enter(Sniffed::Is(format), head.bytes());
                        Found::NeedMore
                    }
                    None => Found::Unknown,
                }
            }
            State::Reading(text) => text.finish().map_or(Found::Unknown, Found::Is),
            State::Ending(footer) => footer.finish().map_or(Found::Unknown, Found::Is),
            State::Sniffing(_) | State::Walking(_) | State::Settled => Found::NeedMore,
        };
        // Before the parser's end is called: a text that is named only now has a parser from here
        // on.
        self.settle(settled);
        if let State::Walking(walker) = &mut self.state {
            let Inspection {
                bytes_seen, facts, ..
            } = &mut self.inspection;
            walker.parser().finish(*bytes_seen, facts);
        }
        // The parser may have learned the image's end just now, at the end of the file.
        self.inspection.note_trailing();
    }

    #[cfg(feature = "decode")]
    fn hold(&mut self, chunk: &[u8]) {
        if self.inspection.depth < Depth::Decode {
            return;
        }
        // Nothing will be decoded, so the bytes would only take a share of the budget from others.
        if self.inspection.identity == Identity::NotAnImage {
            self.held = None;
        }
        if let Some(held) = &mut self.held
            && held.extend(chunk).is_none()
        {
            self.held = None;
        }
    }

    #[cfg(feature = "decode")]
    fn decode_task(&mut self) -> Option<(decode::Task, decode::Held)> {
        if self.inspection.depth < Depth::Decode {
            return None;
        }
        let format = self.inspection.format()?;
        let file = self.held.take();
        let len = file.as_ref().map(|held| held.bytes().len());
        let task = decode::Task::plan(format, len, &mut self.inspection.facts)?;
        Some((task, file?))
    }

    fn advance(&mut self, chunk: &[u8], offset: u64) {
        match &mut self.state {
            State::Sniffing(head) if head.len == 0 => match sniff(chunk) {
                Sniffed::NeedMore => {
                    head.hold(chunk);
                }
                // A whole slice takes this path: nothing is copied.
                said => self.enter(said, chunk),
            },
            State::Sniffing(head) => {
                let rest = head.hold(chunk);
                let head = *head;
                let said = sniff(head.bytes());
                if said != Sniffed::NeedMore {
                    self.enter(said, head.bytes());
                    // `enter` has read the held bytes; the rest of the chunk follows them.
                    self.advance(rest, length(head.bytes()));
                }
            }
            State::Reading(text) => {
                let found = text.push(chunk, offset);
                self.settle(found);
            }
            State::Ending(footer) => footer.push(chunk),
            State::Walking(walker) => {
                let progress = walker
                    .parser()
                    .push(chunk, offset, &mut self.inspection.facts);
                self.after(progress);
            }
            State::Settled => {}
        }
    }

    /// Applies what the first bytes identify, and reads them.
    fn enter(&mut self, said: Sniffed, head: &[u8]) {
        match said {
            Sniffed::Is(format) => {
                self.inspection.identity = Identity::Format(format);
                self.state = Walker::new(format, self.inspection.depth)
                    .map_or(State::Settled, State::Walking);
                self.advance(head, 0);
            }
            Sniffed::Markup => {
                self.state = State::Reading(Text::new(self.inspection.depth));
                self.advance(head, 0);
            }
            // Header depth is for a file's first bytes.
            Sniffed::Footer if self.inspection.depth > Depth::Header => {
                self.state = State::Ending(Footer::new());
                self.advance(head, 0);
            }
            Sniffed::Footer | Sniffed::Unknown => self.unknown(),
            Sniffed::NeedMore => {}
        }
    }

    fn settle(&mut self, found: Found) {
        match found {
            Found::Is(format) => {
                self.inspection.identity = Identity::Format(format);
                // Only a text has been read by its parser already. A format that the last bytes
                // named has none.
                let walker = match std::mem::replace(&mut self.state, State::Settled) {
                    State::Reading(text) => text.into_walker(format, &mut self.inspection.facts),
                    _ => None,
                };
                if let Some((walker, progress)) = walker {
                    self.state = State::Walking(walker);
                    self.after(progress);
                }
            }
            Found::Unknown => self.unknown(),
            Found::NeedMore => {}
        }
    }

    fn unknown(&mut self) {
        self.inspection.identity = Identity::NotAnImage;
        self.state = State::Settled;
    }

    fn after(&mut self, progress: Progress) {
        match progress {
            Progress::More => {}
            Progress::Done => {
                self.inspection.walked = true;
                self.state = State::Settled;
            }
            Progress::Failed => self.state = State::Settled,
        }
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
