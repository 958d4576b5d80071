//! Where in the text the next character is.

use super::encoding::OTHER;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Between tags.
    Text,
    /// After `<`.
    Open,
    /// After `<!`, in the word that follows.
    Bang,
    /// In `<!--...-->`; how many of the last characters were `-`.
    Comment {
        dashes: u8,
        in_subset: bool,
    },
    /// In `<![CDATA[...]]>`; how many of the last characters were `]`.
    Cdata {
        brackets: u8,
    },
    /// In `<?...?>`; whether the last character was `?`.
    Instruction {
        mark: bool,
        in_subset: bool,
    },
    /// In `<!DOCTYPE`; whether in its brackets, and how much of `<!--` precedes.
    Doctype {
        in_subset: bool,
        matched: u8,
    },
    /// In a quoted text of it.
    Quoted {
        quote: u8,
        in_subset: bool,
    },
    /// In the name of a start tag.
    Name,
    /// In a start tag, between attributes.
    Gap,
    /// In the name of an attribute.
    Attribute,
    /// After it, before `=`.
    Equals,
    /// After `=`.
    Quote,
    Value {
        quote: u8,
    },
    /// After the `/` of an empty element.
    Slash,
    /// In an end tag.
    Close,
}

impl State {
    /// Reads a character of what has no elements: comments, instructions, the document type.
    pub(super) const fn aside(self, byte: u8) -> Self {
        match (self, byte) {
            (
                Self::Comment {
                    dashes: 2..,
                    in_subset,
                }
                | Self::Instruction {
                    mark: true,
                    in_subset,
                },
                b'>',
            ) => after(in_subset),
            (Self::Comment { dashes, in_subset }, b'-') => Self::Comment {
                dashes: dashes.saturating_add(1),
                in_subset,
            },
            (Self::Comment { in_subset, .. }, _)
            | (
                Self::Doctype {
                    in_subset,
                    matched: 3,
                },
                b'-',
            ) => Self::Comment {
                dashes: 0,
                in_subset,
            },
            (
                Self::Cdata { brackets: 2.. }
                | Self::Doctype {
                    in_subset: false, ..
                },
                b'>',
            ) => Self::Text,
            (Self::Cdata { brackets }, b']') => Self::Cdata {
                brackets: brackets.saturating_add(1),
            },
            (Self::Cdata { .. }, _) => Self::Cdata { brackets: 0 },
            (Self::Instruction { in_subset, .. }, _) => Self::Instruction {
                mark: byte == b'?',
                in_subset,
            },
            (Self::Quoted { quote, in_subset }, _) if byte == quote => Self::Doctype {
                in_subset,
                matched: 0,
            },
            (Self::Doctype { in_subset, .. }, b'"' | b'\'') => Self::Quoted {
                quote: byte,
                in_subset,
            },
            (
                Self::Doctype {
                    in_subset,
                    matched: 1,
                },
                b'?',
            ) => Self::Instruction {
                mark: false,
                in_subset,
            },
            (Self::Doctype { in_subset, matched }, _) => Self::Doctype {
                in_subset: match byte {
                    b'[' => true,
                    b']' => false,
                    _ => in_subset,
                },
                matched: match (matched, byte) {
                    (_, b'<') => 1,
                    (1, b'!') => 2,
                    (2, b'-') => 3,
                    _ => 0,
                },
            },
            (state, _) => state,
        }
    }
}

/// The state after a comment or an instruction.
const fn after(in_subset: bool) -> State {
    if in_subset {
        State::Doctype {
            in_subset,
            matched: 0,
        }
    } else {
        State::Text
    }
}

pub(super) const fn begins_name(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':' | OTHER..)
}

pub(super) const fn continues_name(byte: u8) -> bool {
    begins_name(byte) || matches!(byte, b'0'..=b'9' | b'-' | b'.')
}
