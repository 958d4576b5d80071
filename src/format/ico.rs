//! Icons and cursors: the directory, and the header of the last image in it, which is the one that
//! the moderation service scans. Programs show the one that fits best.

use super::{
    DefectKind, Depth, Dimensions, Facts, Parser, Progress,
    bytes::{Cursor, Gather, be32, le16, le32},
};

const HEAD: usize = 6;
const ENTRY: usize = 16;
/// The header of an image: as much of a PNG or a bitmap as states its size.
const IMAGE: usize = 24;

#[derive(Debug)]
pub(crate) struct Ico {
    depth: Depth,
    state: State,
    field: Gather<IMAGE>,
    count: u16,
    /// Where the last image in the directory begins.
    last: u64,
    /// Where the images end.
    end: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    Entry { left: u16 },
    Seek,
    Image,
    Rest,
}

impl Ico {
    pub(crate) const fn new(depth: Depth) -> Self {
        Self {
            depth,
            state: State::Head,
            field: Gather::new(),
            count: 0,
            last: 0,
            end: 0,
        }
    }

    fn head(&mut self, head: &[u8], facts: &mut Facts) -> Progress {
        self.count = le16(head, 4);
        if self.count == 0 {
            facts.defect(DefectKind::IcoDirectory, 4);
            return Progress::Failed;
        }
        facts.frames = u32::from(self.count);
        facts.frames_final = true;
        self.state = State::Entry { left: self.count };
        Progress::More
    }

    fn entry(&mut self, entry: &[u8], left: u16) {
        self.last = u64::from(le32(entry, 12));
        let len = u64::from(le32(entry, 8));
        // The images are in any order; the file ends where the last of them does.
        self.end = self.end.max(self.last.saturating_add(len));
        self.state = match left.saturating_sub(1) {
            0 => State::Seek,
            left => State::Entry { left },
        };
    }

    /// A PNG, or a bitmap without its file header, whose height counts the mask too.
    fn image(&mut self, image: &[u8], at: u64, facts: &mut Facts) -> Progress {
        let (width, height) = if image.starts_with(b"\x89PNG") {
            (be32(image, 16), be32(image, 20))
        } else if le32(image, 0) == 12 {
            let height = u32::from(le16(image, 6));
            (u32::from(le16(image, 4)), height / 2)
        } else if (16..=124).contains(&le32(image, 0)) {
            let height = le32(image, 8).cast_signed();
            (le32(image, 4), height.unsigned_abs() / 2)
        } else {
            facts.defect(DefectKind::IcoDirectory, at);
            return Progress::Failed;
        };
        if width == 0 || height == 0 {
            facts.defect(DefectKind::ZeroDimension, at);
        } else {
            facts.dimensions = Some(Dimensions::new(width, height));
        }
        self.state = State::Rest;
        if self.depth == Depth::Header {
            return Progress::Done;
        }
        Progress::More
    }
}

impl Parser for Ico {
    fn push(&mut self, input: &[u8], offset: u64, facts: &mut Facts) -> Progress {
        let mut cursor = Cursor::new(input, offset);
        loop {
            let at = self.field.start(&cursor);
            let progress = match self.state {
                State::Head => match self.field.fill(&mut cursor, HEAD) {
                    Some(head) => self.head(&head, facts),
                    None => return Progress::More,
                },
                State::Entry { left } => match self.field.fill(&mut cursor, ENTRY) {
                    Some(entry) => {
                        self.entry(&entry, left);
                        Progress::More
                    }
                    None => return Progress::More,
                },
                // Bytes that were read are not kept, and no image begins inside of the directory.
                State::Seek if self.last < at => {
                    facts.defect(DefectKind::IcoDirectory, self.last);
                    Progress::Failed
                }
                State::Seek => {
                    cursor.take(self.last.saturating_sub(at));
                    if cursor.offset() < self.last {
                        return Progress::More;
                    }
                    self.state = State::Image;
                    Progress::More
                }
                State::Image => match self.field.fill(&mut cursor, IMAGE) {
                    Some(image) => self.image(&image, at, facts),
                    None => return Progress::More,
                },
                State::Rest => {
                    cursor.take(self.end.saturating_sub(at));
                    if cursor.offset() < self.end {
                        return Progress::More;
                    }
                    facts.ends_at(self.end.max(at));
                    Progress::Done
                }
            };
            if progress != Progress::More {
                return progress;
            }
        }
    }

    fn finish(&mut self, len: u64, facts: &mut Facts) {
        // `push` ends with the last byte of a complete file, so this file is not complete.
        facts.defect(DefectKind::Truncated, len);
    }
}
