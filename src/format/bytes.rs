//! Reading fields out of chunks that may be cut anywhere.

/// The rest of a chunk, and where in the file it starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    offset: u64,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(input: &'a [u8], offset: u64) -> Self {
        Self {
            rest: input,
            offset,
        }
    }

    /// The file offset of the next byte.
    pub(crate) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes up to `most` bytes.
    pub(crate) fn take(&mut self, most: u64) -> &'a [u8] {
        let most = usize::try_from(most)
            .unwrap_or(usize::MAX)
            .min(self.rest.len());
        let (taken, rest) = self.rest.split_at(most);
        self.rest = rest;
        self.offset = self
            .offset
            .saturating_add(u64::try_from(taken.len()).unwrap_or(u64::MAX));
        taken
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.take(1).first().copied()
    }
}

/// Collects the bytes of one field of at most `N` bytes across chunks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gather<const N: usize> {
    held: [u8; N],
    len: usize,
}

impl<const N: usize> Gather<N> {
    pub(crate) const fn new() -> Self {
        Self {
            held: [0; N],
            len: 0,
        }
    }

    /// Takes bytes until `want` (at most `N`) are held; then returns them and is empty again.
    pub(crate) fn fill(&mut self, cursor: &mut Cursor<'_>, want: usize) -> Option<[u8; N]> {
        let want = want.min(N);
        let missing = want.saturating_sub(self.len);
        let taken = cursor.take(u64::try_from(missing).unwrap_or(u64::MAX));
        let end = self.len.saturating_add(taken.len());
        if let Some(room) = self.held.get_mut(self.len..end) {
            room.copy_from_slice(taken);
        }
        self.len = end;
        if end < want {
            return None;
        }
        self.len = 0;
        Some(core::mem::replace(&mut self.held, [0; N]))
    }

    /// How many bytes are held of a field that is not complete.
    pub(crate) const fn held(&self) -> usize {
        self.len
    }
}
