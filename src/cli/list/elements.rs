//! The elements of a JSON list, one at a time: its lines, or what an array holds.

use std::io::{self, BufRead};

use super::{
    fields::{self, End},
    row::with_skipped,
    structure::Structure,
};

/// A longer element is not held, in bytes: it may have fields next to the source.
pub(super) const LONGEST_ELEMENT: usize = 1 << 20;

/// Lines are read again while that is at most as much work as reading the list this many times, in
/// bytes for each byte of it.
const MOST_AGAIN: u64 = 4;

/// Reads elements and numbers the lines that they begin and end in.
pub(super) struct Elements<R> {
    reader: R,
    /// Of the byte that is read next, from 1.
    line: u64,
    /// How many elements were returned.
    count: u64,
    shape: Shape,
    /// What is to be read again before the reader is, the last byte first.
    back: Vec<u8>,
    /// How many bytes were read, and how many were read again.
    seen: u64,
    again: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Unknown,
    Lines,
    /// Within an array.
    Array(Before),
    AfterArray,
}

/// What precedes the next token of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Start,
    Comma,
    Element,
    /// An object that `]` closes, which may close the array instead.
    Object,
    /// An element without an end, after which anything may follow.
    Damage,
}

const NOT_CLOSED: &str = "the array is not closed: `]` is missing";
const NO_COMMA: &str = "`,` is missing before this element";
const NO_ELEMENT: &str = "an element is missing before this";
const OPEN_OBJECT: &str = "an object is not closed: `}` is missing";
const STRAY_QUOTE: &str = "a quote is missing or too many: text follows a closing quote";
const NO_END: &str = "the list ends within this element";
const FOLLOWS: &str = "text follows the array";

pub(super) struct Element {
    pub(super) line: u64,
    pub(super) last: u64,
    /// Its bytes, or the first of them.
    pub(super) bytes: Vec<u8>,
    pub(super) fault: Option<String>,
}

impl<R: BufRead> Elements<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self {
            reader,
            line: 1,
            count: 0,
            shape: Shape::Unknown,
            back: Vec::new(),
            seen: 0,
            again: 0,
        }
    }

    /// The line that was reached.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// The number of the last element in an array, from 1. `None` if the list is not an array.
    pub(super) const fn number(&self) -> Option<u64> {
        match self.shape {
            Shape::Unknown | Shape::Lines => None,
            Shape::Array(_) | Shape::AfterArray => Some(self.count),
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Element>> {
        let next = self.read();
        // An error of the reader is reported as an element, too.
        if !matches!(next, Ok(None)) {
            self.count = self.count.saturating_add(1);
        }
        next
    }

    fn read(&mut self) -> io::Result<Option<Element>> {
        loop {
            let Some(byte) = self.peek()? else {
                return Ok(self.end());
            };
            match (self.shape, byte) {
                (_, byte) if byte.is_ascii_whitespace() => self.consume(byte),
                (Shape::Unknown, b'[') => {
                    self.shape = Shape::Array(Before::Start);
                    self.consume(byte);
                }
                (Shape::Unknown, _) => self.shape = Shape::Lines,
                (Shape::Lines, _) => return self.of_line().map(Some),
                (Shape::Array(before), b']' | b',') => {
                    let is_missing = match before {
                        Before::Start => byte == b',',
                        Before::Comma => true,
                        Before::Element | Before::Object | Before::Damage => false,
                    };
                    self.shape = match byte {
                        b',' => Shape::Array(Before::Comma),
                        _ => Shape::AfterArray,
                    };
                    let line = self.line;
                    self.consume(byte);
                    if is_missing {
                        return Ok(Some(Held::of(byte).element(line, line, Some(NO_ELEMENT))));
                    }
                }
                (Shape::Array(before), _) => {
                    let fault = (before == Before::Element).then_some(NO_COMMA);
                    return self.of_array(fault).map(Some);
                }
                (Shape::AfterArray, _) => return self.rest().map(Some),
            }
        }
    }

    /// What is wrong at the end of the list.
    fn end(&mut self) -> Option<Element> {
        let Shape::Array(before) = std::mem::replace(&mut self.shape, Shape::AfterArray) else {
            return None;
        };
        // Its error was reported with that object: the `]` may have been that of the array.
        if before == Before::Object {
            return None;
        }
        Some(Held::default().element(self.line, self.line, Some(NOT_CLOSED)))
    }

    fn of_line(&mut self) -> io::Result<Element> {
        let line = self.line;
        let mut held = Held::default();
        while let Some(byte) = self.peek()? {
            self.consume(byte);
            if byte == b'\n' {
                break;
            }
            held.push(byte);
        }
        // Most lines are complete values. Only an open one is followed into the next lines.
        let mut structure = Structure::default();
        if !held.is_cut && structure.push_line(&held.bytes).is_ok() && structure.is_open() {
            return self.of_lines(line, held, structure);
        }
        Ok(held.trimmed().element(line, line, None))
    }

    /// Reads an object or an array that spans lines. If it turns out to be none, the element is its
    /// first line, and the others are read again.
    fn of_lines(
        &mut self,
        line: u64,
        mut held: Held,
        mut structure: Structure,
    ) -> io::Result<Element> {
        let first = held.bytes.len();
        let mut last = line;
        held.push(b'\n');
        let is_one = loop {
            let Some(byte) = self.peek()? else {
                break true;
            };
            let is_end = byte == b'\n' && !structure.is_open();
            if structure.push(byte).is_err() {
                break false;
            }
            if !byte.is_ascii_whitespace() {
                last = self.line;
            }
            self.consume(byte);
            if is_end {
                break true;
            }
            held.push(byte);
        };
        if held.is_cut {
            let fault = fields::too_long_with_array(&held.bytes, LONGEST_ELEMENT);
            return Ok(held.trimmed().element(line, last, Some(&fault)));
        }
        if !is_one
            && self.put_back(
                held.bytes
                    .get(first.saturating_add(1)..)
                    .unwrap_or_default(),
            )
        {
            held.bytes.truncate(first);
            return Ok(held.trimmed().element(line, line, None));
        }
        let fault = (is_one && structure.is_open()).then_some(NO_END);
        Ok(held.trimmed().element(line, last, fault))
    }

    /// Returns bytes to be read again, unless there was too much of that.
    fn put_back(&mut self, bytes: &[u8]) -> bool {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let again = self.again.saturating_add(length);
        // Four elements of the longest size are allowed in any case, because little was read at the
        // start of a list.
        let is_little = again <= self.seen.saturating_mul(MOST_AGAIN).saturating_add(1 << 22);
        if is_little {
            self.again = again;
            let lines = memchr::memchr_iter(b'\n', bytes).count();
            let lines = u64::try_from(lines).unwrap_or(u64::MAX);
            self.line = self.line.saturating_sub(lines);
            self.back.extend(bytes.iter().rev());
        }
        is_little
    }

    /// Reads an element of an array, which is malformed if there is a `fault`.
    fn of_array(&mut self, fault: Option<&str>) -> io::Result<Element> {
        let line = self.line;
        let mut held = Held::default();
        let mut end = End::default();
        let mut last = line;
        self.shape = Shape::Array(Before::Element);
        while let Some(byte) = self.peek()? {
            // A stray closing bracket is an element of its own, to be reported.
            if end.is_behind(byte) && !held.bytes.is_empty() {
                if held.is_text() && !(b",]".contains(&byte) || byte.is_ascii_whitespace()) {
                    return self.resynchronize(line, held);
                }
                return Ok(held.element(line, last, fault));
            }
            if byte == b']' && end.is_over() && held.bytes.first() == Some(&b'{') {
                self.shape = Shape::Array(Before::Object);
                last = self.line;
                self.consume(byte);
                held.push(byte);
                return Ok(held.element(line, last, Some(OPEN_OBJECT)));
            }
            last = self.line;
            self.consume(byte);
            if end.is_in_text() && byte == b'\n' {
                self.shape = Shape::Array(Before::Damage);
                // A string has no line break (RFC 8259, 7): its closing quote is missing, and
                // without this the rest of the list would be one string.
                let fault = "a line ends within a JSON text";
                return Ok(held.element(line, last, Some(fault)));
            }
            held.push(byte);
        }
        if end.may_end() {
            return Ok(held.element(line, last, fault));
        }
        self.shape = Shape::AfterArray;
        Ok(held.element(line, last, Some(NO_END)))
    }

    /// Recovers from a string that a missing or additional quote has ended: the text after it is
    /// misread, up to the end of the line or to a comma between quotes.
    fn resynchronize(&mut self, line: u64, mut held: Held) -> io::Result<Element> {
        self.shape = Shape::Array(Before::Damage);
        let mut last = *b"  ";
        while let Some(byte) = self.peek()? {
            if &last == b"\"," && byte == b'"' {
                self.shape = Shape::Array(Before::Comma);
                break;
            }
            if byte == b'\n' {
                break;
            }
            self.consume(byte);
            held.push(byte);
            last = [last[1], byte];
        }
        Ok(held.element(line, line, Some(STRAY_QUOTE)))
    }

    /// Reads everything that follows an array.
    fn rest(&mut self) -> io::Result<Element> {
        let line = self.line;
        let mut last = line;
        let mut held = Held::default();
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                last = self.line;
            }
            self.consume(byte);
            held.push(byte);
        }
        Ok(held.element(line, last, Some(FOLLOWS)))
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        if let Some(byte) = self.back.last() {
            return Ok(Some(*byte));
        }
        loop {
            match self.reader.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn consume(&mut self, byte: u8) {
        if self.back.pop().is_none() {
            self.reader.consume(1);
            self.seen = self.seen.saturating_add(1);
        }
        self.line = self.line.saturating_add(u64::from(byte == b'\n'));
    }
}

#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Held {
    fn of(byte: u8) -> Self {
        Self {
            bytes: vec![byte],
            is_cut: false,
        }
    }

    /// Without blanks at its end.
    fn trimmed(mut self) -> Self {
        let end = self.bytes.trim_ascii_end().len();
        self.bytes.truncate(end);
        self
    }

    fn is_text(&self) -> bool {
        self.bytes.first() == Some(&b'"')
    }

    fn push(&mut self, byte: u8) {
        if self.bytes.len() < LONGEST_ELEMENT {
            self.bytes.push(byte);
        } else {
            self.is_cut = true;
        }
    }

    fn element(self, line: u64, last: u64, fault: Option<&str>) -> Element {
        let fault = fault.map(str::to_owned);
        let fault = fault.or_else(|| self.is_cut.then(|| fields::too_long(LONGEST_ELEMENT)));
        let fault = fault.map(|fault| with_skipped(fault, line, last));
        Element {
            line,
            last,
            bytes: self.bytes,
            fault,
        }
    }
}
