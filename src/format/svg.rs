//! SVG (SVG 2, 5 and 8; XML 1.0): the text is read tag by tag. The start tag of the root states the
//! size; from structure depth on the root must also end. Entities are not expanded, styles and
//! scripts not read, and the names of end tags not compared.

mod encoding;
mod size;
mod state;

use super::{DefectKind, Depth, Dimensions, Facts, Parser, Progress};
use encoding::Decoder;
use size::Size;
use state::{State, begins_name, continues_name};

/// The longest name, and the longest value of an attribute of the root, that is held. Of a longer
/// one nothing is read.
const MAX_NAME: usize = 32;
const MAX_VALUE: usize = 64;

const NAMESPACE: &[u8] = b"http://www.w3.org/2000/svg";

#[derive(Debug)]
pub(crate) struct Svg {
    depth: Depth,
    decoder: Decoder,
    state: State,
    name: Word<MAX_NAME>,
    value: Word<MAX_VALUE>,
    /// How many elements are open.
    open: u32,
    root: Root,
    /// The offset of the last `<`.
    tag_at: u64,
    size: Size,
    has_namespace: bool,
    dimensions: Option<Dimensions>,
    outcome: Outcome,
}

/// What ended the reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Open,
    Defect(DefectKind, u64),
    /// The image ends here.
    End(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    Before,
    /// In its start tag.
    Begun,
    Read,
}

/// The first characters of a name or a value.
#[derive(Debug)]
struct Word<const N: usize> {
    held: [u8; N],
    len: u8,
    is_over: bool,
}

impl<const N: usize> Word<N> {
    const EMPTY: Self = Self {
        held: [0; N],
        len: 0,
        is_over: false,
    };

    const fn clear(&mut self) {
        self.len = 0;
        self.is_over = false;
    }

    fn push(&mut self, byte: u8) {
        match self.held.get_mut(usize::from(self.len)) {
            Some(free) => {
                *free = byte;
                self.len = self.len.saturating_add(1);
            }
            None => self.is_over = true,
        }
    }

    /// What is held; nothing of a word that is longer.
    fn text(&self) -> &[u8] {
        let held = self.held.get(..usize::from(self.len)).unwrap_or_default();
        if self.is_over { &[] } else { held }
    }
}

impl Svg {
    pub(crate) const fn new(depth: Depth) -> Self {
        Self {
            depth,
            decoder: Decoder::new(),
            state: State::Text,
            name: Word::EMPTY,
            value: Word::EMPTY,
            open: 0,
            root: Root::Before,
            tag_at: 0,
            size: Size::new(),
            has_namespace: false,
            dimensions: None,
            outcome: Outcome::Open,
        }
    }

    fn read(&mut self, byte: u8, at: u64) -> Progress {
        match self.step(byte, at) {
            Step::To(state) => {
                self.state = state;
                Progress::More
            }
            // What follows the root, except comments, does not belong to the image.
            Step::Malformed if self.open == 0 && self.root == Root::Read => {
                let end = if self.state == State::Text {
                    at
                } else {
                    self.tag_at
                };
                self.outcome = Outcome::End(end);
                Progress::Done
            }
            Step::Malformed => self.failed(DefectKind::SvgDocument, at),
            Step::Tag { is_empty } => self.tag(is_empty, at),
        }
    }

    fn step(&mut self, byte: u8, at: u64) -> Step {
        let to = match (self.state, byte) {
            // XML 1.0, 2.2 excludes NUL from all documents.
            (_, 0) => return Step::Malformed,
            (State::Text, b'<') => {
                self.tag_at = at;
                State::Open
            }
            (State::Text, b' ' | b'\t' | b'\r' | b'\n') => State::Text,
            (State::Text, _) if self.open > 0 => State::Text,
            (State::Open, b'?') => State::Instruction {
                mark: false,
                in_subset: false,
            },
            (State::Open, b'!') => {
                self.name.clear();
                State::Bang
            }
            (State::Open, b'/') if self.open > 0 => State::Close,
            (State::Open, byte) if begins_name(byte) => {
                // A document has one root (XML 1.0, 2.1).
                if self.root == Root::Read && self.open == 0 {
                    return Step::Malformed;
                }
                if self.root == Root::Before {
                    self.root = Root::Begun;
                }
                self.start_name(byte);
                State::Name
            }
            (State::Bang, _) => return self.bang(byte),
            (
                State::Comment { .. }
                | State::Cdata { .. }
                | State::Instruction { .. }
                | State::Doctype { .. }
                | State::Quoted { .. },
                _,
            ) => self.state.aside(byte),
            (State::Close, b'>') => {
                self.open = self.open.saturating_sub(1);
                State::Text
            }
            (State::Close, b'<' | b'"' | b'\'' | b'=') | (State::Text | State::Open, _) => {
                return Step::Malformed;
            }
            (State::Close, _) => State::Close,
            _ => return self.in_tag(byte),
        };
        Step::To(to)
    }

    /// Reads a character of a start tag.
    fn in_tag(&mut self, byte: u8) -> Step {
        let is_space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let to = match (self.state, byte) {
            (State::Name, byte) if is_space || matches!(byte, b'/' | b'>') => {
                if self.root == Root::Begun && local(self.name.text()) != b"svg" {
                    return Step::Malformed;
                }
                match byte {
                    b'/' => State::Slash,
                    b'>' => return Step::Tag { is_empty: false },
                    _ => State::Gap,
                }
            }
            (State::Name, b'<' | b'"' | b'\'' | b'=') => return Step::Malformed,
            (State::Name | State::Attribute, byte) if continues_name(byte) => {
                self.note_name(byte);
                self.state
            }
            (State::Gap | State::Equals | State::Quote, _) if is_space => self.state,
            (State::Attribute, _) if is_space => State::Equals,
            (State::Gap, b'/') => State::Slash,
            (State::Gap, b'>') => return Step::Tag { is_empty: false },
            (State::Gap, byte) if begins_name(byte) => {
                self.start_name(byte);
                State::Attribute
            }
            (State::Attribute | State::Equals, b'=') => State::Quote,
            (State::Quote, b'"' | b'\'') => {
                self.value.clear();
                State::Value { quote: byte }
            }
            (State::Value { quote }, byte) if byte == quote => {
                if self.root == Root::Begun {
                    self.attribute();
                }
                State::Gap
            }
            (State::Value { .. }, b'<') => return Step::Malformed,
            (State::Value { quote }, _) => {
                if self.root == Root::Begun {
                    self.value.push(byte);
                }
                State::Value { quote }
            }
            (State::Slash, b'>') => return Step::Tag { is_empty: true },
            _ => return Step::Malformed,
        };
        Step::To(to)
    }

    /// Reads a character after `<!`.
    fn bang(&mut self, byte: u8) -> Step {
        self.name.push(byte);
        let is_prolog = self.root == Root::Before;
        let to = match self.name.text() {
            b"--" => State::Comment {
                dashes: 0,
                in_subset: false,
            },
            b"[CDATA[" if self.open > 0 => State::Cdata { brackets: 0 },
            b"DOCTYPE" if is_prolog => State::Doctype {
                in_subset: false,
                matched: 0,
            },
            word if b"--".starts_with(word)
                || (self.open > 0 && b"[CDATA[".starts_with(word))
                || (is_prolog && b"DOCTYPE".starts_with(word)) =>
            {
                State::Bang
            }
            _ => return Step::Malformed,
        };
        Step::To(to)
    }

    const fn failed(&mut self, kind: DefectKind, at: u64) -> Progress {
        self.outcome = Outcome::Defect(kind, at);
        Progress::Failed
    }

    fn start_name(&mut self, byte: u8) {
        self.name.clear();
        self.note_name(byte);
    }

    /// Holds names of the root only.
    fn note_name(&mut self, byte: u8) {
        if self.root == Root::Begun {
            self.name.push(byte);
        }
    }

    /// Takes an attribute of the root.
    fn attribute(&mut self) {
        let value = self.value.text();
        // Neither a length nor absent.
        let length = if self.value.is_over { b"?" } else { value };
        match self.name.text() {
            b"width" => self.size.width(length),
            b"height" => self.size.height(length),
            // A value that is too long to be held counts as absent: the size stays unknown.
            b"viewBox" => self.size.view_box(value),
            // The namespace may be written as an entity, which is not expanded.
            name if name == b"xmlns" || name.starts_with(b"xmlns:") => {
                self.has_namespace |= value == NAMESPACE || value.starts_with(b"&");
            }
            _ => {}
        }
    }

    /// The end of a start tag.
    fn tag(&mut self, is_empty: bool, at: u64) -> Progress {
        self.state = State::Text;
        if !is_empty {
            self.open = self.open.saturating_add(1);
        }
        if self.root != Root::Begun {
            return Progress::More;
        }
        self.root = Root::Read;
        // Browsers do not render an `svg` element outside of its namespace.
        if !self.has_namespace {
            return self.failed(DefectKind::SvgDocument, at);
        }
        if self.size.is_zero() {
            return self.failed(DefectKind::ZeroDimension, at);
        }
        let size = self.size.in_pixels();
        self.dimensions = size.map(|(width, height)| Dimensions::new(width, height));
        if self.depth == Depth::Header {
            return Progress::Done;
        }
        Progress::More
    }
}

/// What a character leads to.
enum Step {
    To(State),
    /// The end of a start tag.
    Tag {
        is_empty: bool,
    },
    Malformed,
}

/// A name without its prefix.
fn local(name: &[u8]) -> &[u8] {
    name.rsplit(|byte| *byte == b':').next().unwrap_or(name)
}

impl Svg {
    /// Reads all of `input`, of which it is not known yet whether it is an SVG. Not called again
    /// after `Done` or `Failed`.
    pub(crate) fn read_on(&mut self, input: &[u8], offset: u64) -> Progress {
        let mut at = offset;
        for byte in input {
            for (character, start) in self.decoder.push(*byte, at).into_iter().flatten() {
                match self.read(character, start) {
                    Progress::More => {}
                    end => return end,
                }
            }
            at = at.saturating_add(1);
        }
        Progress::More
    }

    /// States the facts so far.
    pub(crate) fn state(&self, facts: &mut Facts) {
        facts.dimensions = self.dimensions;
        if self.root == Root::Read {
            facts.frames = 1;
            facts.frames_final = true;
        }
        match self.outcome {
            Outcome::Open => {}
            Outcome::Defect(kind, at) => facts.defect(kind, at),
            Outcome::End(at) => facts.ends_at(at),
        }
    }
}

impl Parser for Svg {
    fn push(&mut self, input: &[u8], offset: u64, facts: &mut Facts) -> Progress {
        let progress = self.read_on(input, offset);
        self.state(facts);
        progress
    }

    fn finish(&mut self, len: u64, facts: &mut Facts) {
        if self.open > 0 || self.root != Root::Read {
            facts.defect(DefectKind::Truncated, len);
        } else if self.state == State::Text {
            facts.ends_at(len);
        } else {
            facts.ends_at(self.tag_at);
        }
    }
}
