//! The characters of a text of which only ASCII matters.

/// Represents a character that is not ASCII.
pub(super) const OTHER: u8 = 0x80;

/// Decodes a text byte by byte.
#[derive(Debug)]
pub(super) struct Decoder {
    encoding: Encoding,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Unknown,
    /// The first byte of the text.
    Begun(u8),
    /// UTF-8 and other supersets of ASCII.
    Bytes,
    /// UTF-16; the first byte of a unit.
    Wide {
        is_big_endian: bool,
        first: Option<u8>,
    },
}

/// A character, and the offset of its first byte.
type Character = (u8, u64);

impl Decoder {
    pub(super) const fn new() -> Self {
        Self {
            encoding: Encoding::Unknown,
        }
    }

    /// Takes the byte at this offset and returns the characters that it completes.
    pub(super) fn push(&mut self, byte: u8, at: u64) -> [Option<Character>; 2] {
        match self.encoding {
            Encoding::Unknown => {
                self.encoding = Encoding::Begun(byte);
                [None; 2]
            }
            Encoding::Begun(first) => {
                self.encoding = choose(first, byte);
                let before = self.decode(first, at.saturating_sub(1));
                [before, self.decode(byte, at)]
            }
            Encoding::Bytes | Encoding::Wide { .. } => [self.decode(byte, at), None],
        }
    }

    fn decode(&mut self, byte: u8, at: u64) -> Option<Character> {
        let Encoding::Wide {
            is_big_endian,
            first,
        } = &mut self.encoding
        else {
            // The byte order mark of UTF-8 is not a character.
            let is_mark = byte >= OTHER && at < 3;
            return (!is_mark).then_some((byte.min(OTHER), at));
        };
        let Some(before) = first.take() else {
            *first = Some(byte);
            return None;
        };
        let (high, low) = if *is_big_endian {
            (before, byte)
        } else {
            (byte, before)
        };
        let unit = if high == 0 { low.min(OTHER) } else { OTHER };
        let is_mark = (high, low) == (0xfe, 0xff);
        (!is_mark).then_some((unit, at.saturating_sub(1)))
    }
}

/// Chooses the encoding by the first two bytes (XML 1.0, F.1).
const fn choose(first: u8, second: u8) -> Encoding {
    let is_big_endian = match [first, second] {
        [0xfe, 0xff] | [0, _] => true,
        [0xff, 0xfe] | [_, 0] => false,
        _ => return Encoding::Bytes,
    };
    Encoding::Wide {
        is_big_endian,
        first: None,
    }
}
