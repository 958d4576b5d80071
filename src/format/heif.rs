//! HEIF (ISO/IEC 23008-12) and AVIF: the boxes of the file (ISO/IEC 14496-12, 4.2) are walked, and
//! width, height and rotation of the primary item are read. The coded pictures are not looked at,
//! but the box that holds them must be there.

mod items;

use super::{
    DefectKind, Depth, Dimensions, Facts, Orientation, Parser, Progress,
    bytes::{Cursor, Gather, be32},
};
use items::{Item, Items};

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent properties of the file, not states"
)]
pub(crate) struct Heif {
    depth: Depth,
    state: State,
    field: Gather<16>,
    level: Level,
    /// Where the boxes of the levels below the file end.
    ends: [u64; 3],
    /// Where the box that is being read ends.
    box_end: u64,
    items: Items,
    has_wide_ids: bool,
    has_wide_indices: bool,
    is_meta_read: bool,
    /// Whether there is a box with coded data.
    has_data: bool,
}

/// The box whose boxes are being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    File,
    Meta,
    Properties,
    Container,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    LargeHeader { name: [u8; 4] },
    MetaVersion,
    Primary,
    PrimaryId,
    Size,
    Turn,
    Associations,
    Item { left: u32 },
    Association { left: u32, of_item: u8, item: Item },
    Skip,
}

impl Heif {
    pub(crate) const fn new(depth: Depth) -> Self {
        Self {
            depth,
            state: State::Header,
            field: Gather::new(),
            level: Level::File,
            ends: [0; 3],
            box_end: 0,
            items: Items::new(),
            has_wide_ids: false,
            has_wide_indices: false,
            is_meta_read: false,
            has_data: false,
        }
    }

    /// Where the boxes of the current level end.
    fn end(&self) -> u64 {
        let [meta, properties, container] = self.ends;
        match self.level {
            Level::File => u64::MAX,
            Level::Meta => meta,
            Level::Properties => properties,
            Level::Container => container,
        }
    }

    fn enter(&mut self, level: Level) {
        let [meta, properties, container] = &mut self.ends;
        let end = match level {
            Level::File => return,
            Level::Meta => meta,
            Level::Properties => properties,
            Level::Container => container,
        };
        *end = self.box_end;
        self.level = level;
    }

    /// The boxes of the level are over.
    fn leave(&mut self, at: u64, facts: &mut Facts) -> Progress {
        self.level = match self.level {
            Level::Container => Level::Properties,
            Level::Properties => Level::Meta,
            Level::Meta | Level::File => {
                self.is_meta_read = true;
                // Where a list was full, the size is unknown and not wrong.
                if facts.dimensions.is_none() && !self.items.is_over() {
                    facts.defect(DefectKind::HeifPrimaryItem, at);
                }
                Level::File
            }
        };
        if self.is_meta_read && self.depth == Depth::Header {
            return Progress::Done;
        }
        Progress::More
    }

    fn broken(at: u64, facts: &mut Facts) -> Progress {
        facts.defect(DefectKind::HeifBox, at);
        Progress::Failed
    }

    /// A header of 8 bytes: the length of the box, and its name.
    fn header(&mut self, header: &[u8], at: u64, facts: &mut Facts) -> Progress {
        let name = header.get(4..).and_then(<[u8]>::first_chunk::<4>);
        let name = name.copied().unwrap_or_default();
        match (be32(header, 0), self.level) {
            (1, _) => {
                self.state = State::LargeHeader { name };
                Progress::More
            }
            // To the end of the file.
            (0, Level::File) => {
                self.box_end = u64::MAX;
                self.open(name, at, facts)
            }
            // Not a box: other data follows the image.
            (..8, Level::File) if self.is_meta_read => {
                facts.ends_at(at);
                Progress::Done
            }
            (..8, _) => Self::broken(at, facts),
            (len, _) => {
                self.box_end = at.saturating_add(u64::from(len));
                self.open(name, at, facts)
            }
        }
    }

    fn large_header(
        &mut self,
        name: [u8; 4],
        header: &[u8],
        at: u64,
        facts: &mut Facts,
    ) -> Progress {
        // ISO/IEC 14496-12, 4.2: a length of 1 announces one of 64 bits after the name.
        let len = (u64::from(be32(header, 0)) << 32) | u64::from(be32(header, 4));
        if len < 16 {
            return Self::broken(at, facts);
        }
        // The header's first 8 bytes are before `at`.
        self.box_end = at.saturating_sub(8).saturating_add(len);
        self.open(name, at, facts)
    }

    fn open(&mut self, name: [u8; 4], at: u64, facts: &mut Facts) -> Progress {
        // Only a box of the file may exceed what is there: the file may be truncated.
        if self.level != Level::File && self.box_end > self.end() {
            return Self::broken(at, facts);
        }
        self.has_data |= matches!(
            (self.level, &name),
            (Level::File, b"mdat") | (Level::Meta, b"idat")
        );
        self.state = match (self.level, &name) {
            // A file has at most one (ISO/IEC 14496-12, 8.11.1): of several the first counts.
            (Level::File, b"meta") if !self.is_meta_read => State::MetaVersion,
            (Level::Meta, b"pitm") => State::Primary,
            (Level::Meta, b"iprp") => {
                self.enter(Level::Properties);
                State::Header
            }
            (Level::Properties, b"ipco") => {
                self.enter(Level::Container);
                State::Header
            }
            (Level::Properties, b"ipma") => State::Associations,
            (Level::Container, _) => {
                self.items.begin_property();
                match &name {
                    b"ispe" => State::Size,
                    b"irot" => State::Turn,
                    _ => State::Skip,
                }
            }
            _ => State::Skip,
        };
        Progress::More
    }

    /// How many bytes the state reads.
    const fn want(&self) -> usize {
        match self.state {
            State::Header | State::LargeHeader { .. } | State::Associations => 8,
            State::MetaVersion | State::Primary => 4,
            State::PrimaryId if self.has_wide_ids => 4,
            State::PrimaryId => 2,
            State::Size => 12,
            State::Item { .. } if self.has_wide_ids => 5,
            State::Item { .. } => 3,
            State::Association { .. } if self.has_wide_indices => 2,
            State::Turn | State::Association { .. } => 1,
            State::Skip => 0,
        }
    }

    /// Takes a field of the box that is being read.
    fn take(&mut self, field: &[u8], at: u64, facts: &mut Facts) -> Progress {
        match self.state {
            State::Header => return self.header(field, at, facts),
            State::LargeHeader { name } => return self.large_header(name, field, at, facts),
            State::MetaVersion => {
                self.enter(Level::Meta);
                self.state = State::Header;
            }
            // The id has two bytes, and four from version 1 on.
            State::Primary => {
                self.has_wide_ids = field.first() != Some(&0);
                self.state = State::PrimaryId;
            }
            State::PrimaryId => {
                let id = field
                    .iter()
                    .fold(0, |id, byte| (id << 8) | u32::from(*byte));
                self.state = State::Skip;
                let primary = self.items.name_primary(id);
                return self.found(primary, facts);
            }
            State::Size => {
                let size = Dimensions::new(be32(field, 4), be32(field, 8));
                self.items.add_size(size);
                self.state = State::Skip;
            }
            State::Turn => {
                let turn = field.first().map_or(0, |turn| turn & 3);
                self.items.add_turn(turn);
                self.state = State::Skip;
            }
            State::Associations => {
                self.has_wide_ids = field.first() != Some(&0);
                self.has_wide_indices = field.get(3).is_some_and(|flags| flags & 1 != 0);
                let left = be32(field, 4);
                self.state = State::Item { left };
            }
            State::Item { left } => {
                let (id, of_item) = match *field {
                    [a, b, c, d, of_item, ..] if self.has_wide_ids => {
                        (u32::from_be_bytes([a, b, c, d]), of_item)
                    }
                    [a, b, of_item, ..] => (u32::from(u16::from_be_bytes([a, b])), of_item),
                    _ => return Progress::Failed,
                };
                return self.associated(left.saturating_sub(1), of_item, Item::new(id), facts);
            }
            State::Association {
                left,
                of_item,
                item,
            } => {
                let index = match *field {
                    [high, low, ..] if self.has_wide_indices => {
                        // The highest bit states whether the property is essential.
                        u16::from_be_bytes([high & 0x7f, low])
                    }
                    [index, ..] => u16::from(index & 0x7f),
                    _ => return Progress::Failed,
                };
                let item = self.items.associate(item, index);
                return self.associated(left, of_item.saturating_sub(1), item, facts);
            }
            State::Skip => {}
        }
        Progress::More
    }

    /// An item's association was read; `of_item` are left.
    fn associated(&mut self, left: u32, of_item: u8, item: Item, facts: &mut Facts) -> Progress {
        if of_item > 0 {
            self.state = State::Association {
                left,
                of_item,
                item,
            };
            return Progress::More;
        }
        self.state = State::Item { left };
        let primary = self.items.add(item);
        self.found(primary, facts)
    }

    /// Records the size and rotation of the primary item, if it was found now.
    fn found(&self, primary: Option<Item>, facts: &mut Facts) -> Progress {
        let Some(item) = primary.filter(|_| facts.dimensions.is_none()) else {
            return Progress::More;
        };
        let Some(size) = item.size else {
            return Progress::More;
        };
        if size.pixels() == 0 {
            facts.defect(DefectKind::ZeroDimension, self.box_end);
            return Progress::Failed;
        }
        facts.dimensions = Some(size);
        // Steps of 90 degrees, against the clock.
        let tag = match item.turn {
            1 => Some(8),
            2 => Some(3),
            3 => Some(6),
            _ => None,
        };
        facts.orientation = tag.and_then(Orientation::new);
        if self.depth == Depth::Header {
            return Progress::Done;
        }
        Progress::More
    }
}

impl Parser for Heif {
    fn push(&mut self, input: &[u8], offset: u64, facts: &mut Facts) -> Progress {
        let mut cursor = Cursor::new(input, offset);
        loop {
            let at = self.field.start(&cursor);
            let progress = match self.state {
                State::Header if self.level != Level::File && at >= self.end() => {
                    self.leave(at, facts)
                }
                State::Item { left: 0 } => {
                    self.state = State::Skip;
                    Progress::More
                }
                State::Skip => {
                    cursor.take(self.box_end.saturating_sub(at));
                    if cursor.offset() < self.box_end {
                        return Progress::More;
                    }
                    self.state = State::Header;
                    Progress::More
                }
                _ => {
                    let want = self.want();
                    let end = match self.state {
                        State::Header => self.end(),
                        _ => self.box_end,
                    };
                    let is_sized = !matches!(self.state, State::LargeHeader { .. });
                    let need = u64::try_from(want).unwrap_or(u64::MAX);
                    if is_sized && at.saturating_add(need) > end {
                        Self::broken(at, facts)
                    } else {
                        match self.field.fill(&mut cursor, want) {
                            Some(field) => {
                                let field = field.get(..want).unwrap_or_default();
                                self.take(field, at, facts)
                            }
                            None => return Progress::More,
                        }
                    }
                }
            };
            if progress != Progress::More {
                return progress;
            }
        }
    }

    fn finish(&mut self, len: u64, facts: &mut Facts) {
        let held = u64::try_from(self.field.held()).unwrap_or(0);
        let is_between = matches!(self.state, State::Header) && self.level == Level::File;
        let is_to_the_end = matches!(self.state, State::Skip) && self.box_end == u64::MAX;
        if !self.has_data {
            facts.defect(DefectKind::Truncated, len);
        // Fewer bytes than a box header follow the picture.
        } else if is_between && held > 0 && self.is_meta_read {
            facts.ends_at(len.saturating_sub(held));
        } else if is_between && held == 0 || is_to_the_end {
            facts.ends_at(len);
        } else {
            facts.defect(DefectKind::Truncated, len);
        }
    }
}
