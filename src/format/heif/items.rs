//! The items of a file with the properties that they refer to, and the primary one among them.

use crate::format::Dimensions;

/// How many sizes, rotations, and sizes of items before the primary one is named, are remembered.
/// Decoders have no such limit: where one is exceeded the size stays unknown.
const MAX_SIZES: usize = 8;
const MAX_TURNS: usize = 4;
const MAX_ITEMS: usize = 1;

/// The properties in the order of their boxes, and the items whose association precedes the name
/// of the primary item.
#[derive(Debug)]
pub(super) struct Items {
    /// The index of the last property.
    property: u16,
    sizes: List<(u16, Dimensions), MAX_SIZES>,
    turns: List<(u16, u8), MAX_TURNS>,
    seen: List<Item, MAX_ITEMS>,
    primary: Option<u32>,
}

impl Items {
    pub(super) const fn new() -> Self {
        Self {
            property: 0,
            sizes: List::new([(0, Dimensions::new(0, 0)); MAX_SIZES]),
            turns: List::new([(0, 0); MAX_TURNS]),
            seen: List::new([Item::new(0); MAX_ITEMS]),
            primary: None,
        }
    }

    /// Whether a list was full.
    pub(super) const fn is_over(&self) -> bool {
        self.sizes.is_over || self.turns.is_over || self.seen.is_over
    }

    /// A property of any kind begins.
    pub(super) fn begin_property(&mut self) {
        self.property = self.property.saturating_add(1);
    }

    /// The property is a size.
    pub(super) fn add_size(&mut self, size: Dimensions) {
        self.sizes.add((self.property, size));
    }

    /// The property is a rotation.
    pub(super) fn add_turn(&mut self, turn: u8) {
        self.turns.add((self.property, turn));
    }

    /// Returns the item with the property of this index.
    pub(super) fn associate(&self, mut item: Item, index: u16) -> Item {
        let size = self.sizes.iter().find(|(at, _)| *at == index);
        item.size = item.size.or(size.map(|(_, size)| *size));
        let turn = self.turns.iter().find(|(at, _)| *at == index);
        item.turn = turn.map_or(item.turn, |(_, turn)| *turn);
        item
    }

    /// Names the primary item. Returns it if its properties are known.
    pub(super) fn name_primary(&mut self, id: u32) -> Option<Item> {
        if self.primary.is_some() {
            return None;
        }
        self.primary = Some(id);
        self.seen.iter().find(|item| item.id == id).copied()
    }

    /// Adds an item with all its properties. Returns it if it is the primary one.
    pub(super) fn add(&mut self, item: Item) -> Option<Item> {
        if let Some(primary) = self.primary {
            return (primary == item.id).then_some(item);
        }
        // `pitm` may follow `iprp`: the item is kept until it is known whether it is the primary
        // one.
        self.seen.add(item);
        None
    }
}

/// An item and its properties.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    id: u32,
    pub(super) size: Option<Dimensions>,
    pub(super) turn: u8,
}

impl Item {
    pub(super) const fn new(id: u32) -> Self {
        Self {
            id,
            size: None,
            turn: 0,
        }
    }
}

/// The first `N` of a kind.
#[derive(Debug)]
struct List<T, const N: usize> {
    held: [T; N],
    len: u8,
    is_over: bool,
}

impl<T, const N: usize> List<T, N> {
    const fn new(held: [T; N]) -> Self {
        Self {
            held,
            len: 0,
            is_over: false,
        }
    }

    fn add(&mut self, value: T) {
        match self.held.get_mut(usize::from(self.len)) {
            Some(free) => {
                *free = value;
                self.len = self.len.saturating_add(1);
            }
            None => self.is_over = true,
        }
    }

    fn iter(&self) -> impl Iterator<Item = &T> {
        self.held.iter().take(usize::from(self.len))
    }
}
