//! Whether the lines of JSON belong to one value.

/// Maximum depth of nested values.
const MOST_NESTED: usize = 64;

/// The structure of a JSON value, byte by byte: enough of it to see whether a line continues the
/// value of the lines before it.
#[derive(Debug, Default)]
pub(super) struct Structure {
    /// The open brackets: `{` or `[`.
    open: Vec<u8>,
    next: Next,
    in_text: bool,
    is_escaped: bool,
}

/// What comes next, other than blanks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Value,
    /// A value or the end of an array.
    First,
    /// A name or the end of an object.
    FirstName,
    Name,
    Colon,
    /// More of a number or a word, or what follows it.
    Word,
    CommaOrEnd,
}

/// The bytes do not belong to the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign;

impl Structure {
    /// Whether something is open.
    pub(super) const fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Adds a line, without its end or with it.
    pub(super) fn push_line(&mut self, line: &[u8]) -> Result<(), Foreign> {
        line.iter().try_for_each(|byte| self.push(*byte))?;
        if self.in_text { Err(Foreign) } else { Ok(()) }
    }

    pub(super) fn push(&mut self, byte: u8) -> Result<(), Foreign> {
        if self.in_text {
            return self.push_text(byte);
        }
        let is_over = self.open.is_empty() && self.next == Next::CommaOrEnd;
        self.next = match (byte, self.next) {
            (byte, Next::Word) if byte.is_ascii_whitespace() => Next::CommaOrEnd,
            (byte, next) if byte.is_ascii_whitespace() => next,
            _ if is_over => return Err(Foreign),
            (b'"', Next::Value | Next::First | Next::FirstName | Next::Name) => {
                self.in_text = true;
                self.next
            }
            (b'{' | b'[', Next::Value | Next::First) if self.open.len() < MOST_NESTED => {
                self.open.push(byte);
                if byte == b'{' {
                    Next::FirstName
                } else {
                    Next::First
                }
            }
            (b'}', Next::FirstName | Next::Word | Next::CommaOrEnd) => self.close(b'{')?,
            (b']', Next::First | Next::Word | Next::CommaOrEnd) => self.close(b'[')?,
            (b':', Next::Colon) => Next::Value,
            (b',', Next::Word | Next::CommaOrEnd) => match self.open.last() {
                Some(b'{') => Next::Name,
                Some(_) => Next::Value,
                None => return Err(Foreign),
            },
            (b'"' | b'{' | b'[' | b'}' | b']' | b':' | b',', _) => return Err(Foreign),
            (_, Next::Value | Next::First | Next::Word) => Next::Word,
            _ => return Err(Foreign),
        };
        Ok(())
    }

    fn push_text(&mut self, byte: u8) -> Result<(), Foreign> {
        match byte {
            // A text has no line break (RFC 8259, 7).
            b'\n' => return Err(Foreign),
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = true,
            b'"' => {
                self.in_text = false;
                self.next = match self.next {
                    Next::Name | Next::FirstName => Next::Colon,
                    _ => Next::CommaOrEnd,
                };
            }
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, opener: u8) -> Result<Next, Foreign> {
        if self.open.pop() == Some(opener) {
            Ok(Next::CommaOrEnd)
        } else {
            Err(Foreign)
        }
    }
}
