//! Items, and short lists of what they refer to.

use crate::format::Dimensions;

/// An item and its properties.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) id: u32,
    pub(super) size: Option<Dimensions>,
    pub(super) turn: u8,
}

pub(super) const NO_ITEM: Item = Item {
    id: 0,
    size: None,
    turn: 0,
};

/// The first `N` of a kind.
#[derive(Debug)]
pub(super) struct List<T, const N: usize> {
    held: [T; N],
    len: u8,
    pub(super) is_over: bool,
}

impl<T, const N: usize> List<T, N> {
    pub(super) const fn new(held: [T; N]) -> Self {
        Self {
            held,
            len: 0,
            is_over: false,
        }
    }

    pub(super) fn add(&mut self, value: T) {
        match self.held.get_mut(usize::from(self.len)) {
            Some(free) => {
                *free = value;
                self.len = self.len.saturating_add(1);
            }
            None => self.is_over = true,
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.held.iter().take(usize::from(self.len))
    }
}
