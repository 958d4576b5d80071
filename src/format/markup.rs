//! Recognizes SVG and HTML: text whose first tag may follow a prolog, comments and a document type
//! of any length.

use super::Format;

/// How far the first tag is looked for, in bytes.
const WINDOW: u32 = 64 * 1024;

/// Maximum length of a tag name; longer ones are truncated.
const NAME: usize = 16;

/// HTML elements that servers' pages begin with (WHATWG MIME Sniffing, 7.1).
const HTML: [&[u8]; 18] = [
    b"html", b"head", b"body", b"title", b"meta", b"link", b"script", b"style", b"iframe", b"div",
    b"table", b"font", b"center", b"h1", b"a", b"b", b"br", b"p",
];

/// Reads markup up to its first element, holding no more than that element's name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Markup {
    state: State,
    read: u32,
    name: [u8; NAME],
    len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between tags.
    Between,
    /// After `<`.
    Open,
    /// In `<?...?>`; whether the last byte was `?`.
    Instruction { mark: bool },
    /// In `<!` and the name that follows.
    Declaration,
    /// In `<!--...-->`; how many of the last bytes were `-`.
    Comment { dashes: u8 },
    /// In `<!DOCTYPE` before and in the name of the root element.
    Doctype,
    /// In the rest of a declaration; whether inside its brackets.
    Rest { subset: bool },
    /// In an element's name.
    Element,
}

/// What the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Is(Format),
    Unknown,
    NeedMore,
}

impl Markup {
    pub(crate) const fn new() -> Self {
        Self {
            state: State::Between,
            read: 0,
            name: [0; NAME],
            len: 0,
        }
    }

    /// Reads the text's next bytes.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Found {
        for byte in chunk {
            if self.read >= WINDOW {
                return Found::Unknown;
            }
            let first = self.read < 3;
            self.read = self.read.saturating_add(1);
            // NUL is half of every UTF-16 letter, and what is above ASCII at the very beginning is
            // a byte order mark.
            if *byte == 0 || (first && *byte >= 0x80) {
                continue;
            }
            match self.step(byte.to_ascii_lowercase()) {
                Found::NeedMore => {}
                found => return found,
            }
        }
        Found::NeedMore
    }

    /// What the text is if it ends here.
    pub(crate) fn finish(&self) -> Option<Format> {
        match self.state {
            State::Element | State::Doctype => self.root(),
            _ => None,
        }
    }

    fn step(&mut self, byte: u8) -> Found {
        self.state = match (self.state, byte) {
            (State::Between, b' ' | b'\t' | b'\r' | b'\n')
            | (
                State::Rest { subset: false }
                | State::Instruction { mark: true }
                | State::Comment { dashes: 2.. },
                b'>',
            ) => State::Between,
            (State::Between, b'<') => State::Open,
            (State::Open, b'?') => State::Instruction { mark: false },
            (State::Open, b'!') => self.named(State::Declaration),
            (State::Open, b'a'..=b'z' | b'_') => {
                self.named(State::Element);
                self.note(byte)
            }
            (State::Instruction { .. }, _) => State::Instruction { mark: byte == b'?' },
            (State::Declaration, b'-') if self.name() == b"-" => State::Comment { dashes: 0 },
            (State::Declaration, b'a'..=b'z' | b'-') => self.note(byte),
            (State::Declaration, b' ' | b'\t' | b'\r' | b'\n') if self.name() == b"doctype" => {
                self.named(State::Doctype)
            }
            (State::Between | State::Open | State::Declaration, _) => return Found::Unknown,
            (State::Comment { dashes }, b'-') => State::Comment {
                dashes: dashes.saturating_add(1),
            },
            (State::Comment { .. }, _) => State::Comment { dashes: 0 },
            (State::Doctype, b' ' | b'\t' | b'\r' | b'\n') if self.len == 0 => State::Doctype,
            (
                State::Doctype | State::Element,
                b' ' | b'\t' | b'\r' | b'\n' | b'>' | b'/' | b'[',
            ) => match (self.root(), self.state) {
                (Some(format), _) => return Found::Is(format),
                (None, State::Element) => return Found::Unknown,
                (None, _) if byte == b'>' => State::Between,
                (None, _) => State::Rest {
                    subset: byte == b'[',
                },
            },
            (State::Doctype | State::Element, _) => self.note(byte),
            (State::Rest { .. }, b'[') => State::Rest { subset: true },
            (State::Rest { .. }, b']') => State::Rest { subset: false },
            (State::Rest { subset }, _) => State::Rest { subset },
        };
        Found::NeedMore
    }

    /// Begins a name.
    fn named(&mut self, state: State) -> State {
        self.len = 0;
        self.state = state;
        state
    }

    /// Adds a letter to the name and stays. A prefix (`svg:svg`) is dropped.
    fn note(&mut self, byte: u8) -> State {
        if byte == b':' {
            self.len = 0;
        } else if let Some(free) = self.name.get_mut(self.len) {
            *free = byte;
            self.len = self.len.saturating_add(1);
        }
        self.state
    }

    fn name(&self) -> &[u8] {
        self.name.get(..self.len).unwrap_or_default()
    }

    fn root(&self) -> Option<Format> {
        match self.name() {
            b"svg" => Some(Format::Svg),
            name if HTML.contains(&name) => Some(Format::Html),
            _ => None,
        }
    }
}
