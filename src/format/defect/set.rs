//! The defects of one file.

use std::fmt;

use super::DefectKind;

/// How many defects an inspection holds with their places.
const HELD: usize = 8;

/// The defects of one file: the first of each kind, with its place; of more than eight kinds, the
/// place of the first eight only (no kind is forgotten). A decoder's opinion has no place.
///
/// ```
/// use greenlight::{DefectKind, Inspection};
///
/// let empty = Inspection::of(b"GIF89a\x00\x01\x00\x01\x00\x00\x00;"); // 256x256, without a frame
/// let defects = empty.defects();
/// assert!(defects.contains(DefectKind::GifNoFrames));
/// for (kind, offset) in defects.iter() {
///     println!("{kind:?} at {offset:?}");
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Defects {
    kinds: u128,
    /// The first kinds in order, and the place of each: two lists, which take less room than pairs.
    first: [Option<DefectKind>; HELD],
    offsets: [u64; HELD],
    /// Where the image's own end lies, if bytes follow it. Apart from the others, because these
    /// bytes are seen as they come and a parser's last words only at the file's end: in one list
    /// their order would depend on the chunks.
    trailing: u64,
}

const _: () = assert!(
    DefectKind::COUNT <= 128,
    "a kind is a bit of `Defects::kinds`"
);

impl Defects {
    pub(crate) const fn new() -> Self {
        Self {
            kinds: 0,
            first: [None; HELD],
            offsets: [0; HELD],
            trailing: 0,
        }
    }

    pub(crate) fn add(&mut self, kind: DefectKind, offset: u64) {
        let bit = 1_u128 << kind.index();
        if self.kinds & bit != 0 {
            return;
        }
        self.kinds |= bit;
        if kind == DefectKind::TrailingBytes {
            self.trailing = offset;
            return;
        }
        let mut slots = self.first.iter_mut().zip(&mut self.offsets);
        if let Some((first, place)) = slots.find(|(first, _)| first.is_none()) {
            *first = Some(kind);
            *place = offset;
        }
    }

    /// Adds one that is about no byte.
    #[cfg(any(feature = "client", feature = "decode", feature = "serde"))]
    pub(crate) const fn add_unplaced(&mut self, kind: DefectKind) {
        self.kinds |= 1 << kind.index();
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.kinds == 0
    }

    /// Whether one of this kind is among them.
    pub const fn contains(&self, kind: DefectKind) -> bool {
        self.kinds & (1 << kind.index()) != 0
    }

    /// Those that the bytes alone decide, without a decoder's opinion.
    #[cfg(feature = "client")]
    pub(crate) fn without_opinions(&self) -> Self {
        let opinions = [
            DefectKind::DecoderRefused,
            DefectKind::DecoderStrict,
            DefectKind::NotDecoded,
        ];
        let mut without = Self::new();
        for (kind, offset) in self.iter().filter(|(kind, _)| !opinions.contains(kind)) {
            match offset {
                Some(offset) => without.add(kind, offset),
                None => without.add_unplaced(kind),
            }
        }
        without
    }

    fn is_placed(&self, kind: DefectKind) -> bool {
        kind == DefectKind::TrailingBytes || self.first.contains(&Some(kind))
    }

    /// Every kind, with its first place where that is still known.
    pub fn iter(&self) -> impl Iterator<Item = (DefectKind, Option<u64>)> + '_ {
        let trailing = self
            .contains(DefectKind::TrailingBytes)
            .then_some((DefectKind::TrailingBytes, self.trailing));
        let first = self.first.iter().zip(self.offsets);
        let first = first.filter_map(|(kind, offset)| Some(((*kind)?, offset)));
        let placed = first.chain(trailing);
        let unplaced = DefectKind::ALL
            .iter()
            .copied()
            .filter(move |kind| self.contains(*kind) && !self.is_placed(*kind));
        placed
            .map(|(kind, offset)| (kind, Some(offset)))
            .chain(unplaced.map(|kind| (kind, None)))
    }
}

impl fmt::Debug for Defects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A defect in JSON: of kinds beyond the eighth, and of a decoder's opinions, the offset is `null`.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Stored {
    kind: DefectKind,
    offset: Option<u64>,
}

/// A list of kinds with their offsets.
#[cfg(feature = "serde")]
impl serde::Serialize for Defects {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|(kind, offset)| Stored { kind, offset }))
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Defects {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut defects = Self::new();
        for Stored { kind, offset } in Vec::<Stored>::deserialize(deserializer)? {
            match offset {
                Some(offset) => defects.add(kind, offset),
                None => defects.add_unplaced(kind),
            }
        }
        Ok(defects)
    }
}
