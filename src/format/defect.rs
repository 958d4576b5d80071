//! What can be wrong with a file's bytes: one table of kinds, each with how it is judged unless
//! told otherwise.

use std::fmt;

/// Which violation a defect becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DefectClass {
    /// The bytes contradict the format: `image/corrupt`.
    Corrupt,
    /// The bytes end too early: `image/truncated`.
    Truncated,
    /// The bytes go on after the image's own end: `image/trailing-bytes`.
    Trailing,
}

macro_rules! defect_kinds {
    ($($(#[$attr:meta])* $variant:ident, $name:literal, $class:ident, $tolerated:literal, $text:literal;)*) => {
        /// A kind of defect. Its name is stable.
        ///
        /// | name | becomes | by default | what it is |
        /// |---|---|---|---|
        $(#[doc = concat!("| `", $name, "` | ", stringify!($class), " | ", $tolerated, " | ", $text, " |")])*
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum DefectKind {
            $($(#[$attr])* #[doc = concat!("`", $name, "`: ", $text, ".")] $variant,)*
        }

        impl DefectKind {
            /// Every kind, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub(crate) const COUNT: usize = Self::ALL.len();

            /// The stable name, `format/what`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Which violation it becomes.
            pub const fn class(self) -> DefectClass {
                match self { $(Self::$variant => DefectClass::$class,)* }
            }

            /// What it is, in words.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Whether decoders and users commonly tolerate it, so that it is a warning by default.
            pub const fn is_tolerated(self) -> bool {
                match self { $(Self::$variant => matches!($tolerated.as_bytes(), b"warn"),)* }
            }
        }
    };
}

defect_kinds! {
    // Any format.
    Truncated, "any/truncated", Truncated, "reject", "the file ends before the image does";
    TrailingBytes, "any/trailing-bytes", Trailing, "warn", "bytes follow the image's own end";
    ZeroDimension, "any/zero-dimension", Corrupt, "reject", "width or height is zero";
    // PNG (W3C PNG, third edition).
    // JPEG (ITU-T T.81).
    // GIF (GIF89a specification).
    // BMP.
    // WebP (RFC 9649).
}

impl DefectKind {
    #[expect(
        clippy::as_conversions,
        reason = "a fieldless enum's discriminant, in constant context"
    )]
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for DefectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A defect and where it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Defect {
    kind: DefectKind,
    offset: u64,
}

impl Defect {
    pub(crate) const fn new(kind: DefectKind, offset: u64) -> Self {
        Self { kind, offset }
    }

    /// What is wrong.
    pub const fn kind(&self) -> DefectKind {
        self.kind
    }

    /// The byte of the file where it shows, counted from 0.
    pub const fn offset(&self) -> u64 {
        self.offset
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)
    }
}

/// How many defects an inspection holds with their places.
const HELD: usize = 8;

/// The defects of one file: the first of each kind, with its place; of more than eight kinds, the
/// place of the first eight only (no kind is forgotten).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Defects {
    first: [Option<Defect>; HELD],
    kinds: u128,
}

impl Defects {
    pub(crate) const fn new() -> Self {
        Self {
            first: [None; HELD],
            kinds: 0,
        }
    }

    pub(crate) fn add(&mut self, defect: Defect) {
        let bit = 1_u128 << defect.kind.index();
        if self.kinds & bit != 0 {
            return;
        }
        self.kinds |= bit;
        if let Some(free) = self.first.iter_mut().find(|held| held.is_none()) {
            *free = Some(defect);
        }
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.kinds == 0
    }

    /// Whether one of this kind is among them.
    pub const fn contains(&self, kind: DefectKind) -> bool {
        self.kinds & (1 << kind.index()) != 0
    }

    /// Every kind, with its first place where that is still known.
    pub fn iter(&self) -> impl Iterator<Item = (DefectKind, Option<u64>)> + '_ {
        let placed = self.first.iter().flatten();
        let unplaced = DefectKind::ALL.iter().copied().filter(|kind| {
            self.contains(*kind) && !self.first.iter().flatten().any(|held| held.kind == *kind)
        });
        placed
            .map(|held| (held.kind, Some(held.offset)))
            .chain(unplaced.map(|kind| (kind, None)))
    }
}

impl fmt::Debug for Defects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
