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

    /// Consumes up to `most` bytes.
    pub(crate) fn take(&mut self, most: u64) -> &'a [u8] {
        self.take_len(usize::try_from(most).unwrap_or(usize::MAX))
    }

    /// Consumes up to `most` bytes.
    pub(crate) fn take_len(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(most.min(self.rest.len()));
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

    /// Gathers bytes until `want` (at most `N`) are held; then returns them and is empty again.
    pub(crate) fn fill(&mut self, cursor: &mut Cursor<'_>, want: usize) -> Option<[u8; N]> {
        if !self.gather(cursor, want) {
            return None;
        }
        self.len = 0;
        // Zeroed, because fields that a shorter header lacks are read as zero.
        Some(core::mem::replace(&mut self.held, [0; N]))
    }

    /// Gathers bytes until `want` (at most `N`) are held; returns whether they are.
    pub(crate) fn gather(&mut self, cursor: &mut Cursor<'_>, want: usize) -> bool {
        let want = want.min(N);
        let taken = cursor.take_len(want.saturating_sub(self.len));
        let end = self.len.saturating_add(taken.len());
        if let Some(room) = self.held.get_mut(self.len..end) {
            room.copy_from_slice(taken);
        }
        self.len = end;
        end >= want
    }

    /// Takes back the first `len` bytes of what [`fill`](Self::fill) returned: the field is longer.
    pub(crate) fn hold(&mut self, field: [u8; N], len: usize) {
        self.held = field;
        self.len = len.min(N);
    }

    /// Forgets what is held.
    pub(crate) const fn clear(&mut self) {
        self.len = 0;
    }

    /// The bytes held of a field that is not complete.
    pub(crate) fn partial(&self) -> &[u8] {
        self.held.get(..self.len).unwrap_or_default()
    }

    /// Where in the file the field begins, with the cursor behind the bytes held.
    pub(crate) fn start(&self, cursor: &Cursor<'_>) -> u64 {
        let held = u64::try_from(self.len).unwrap_or(u64::MAX);
        cursor.offset().saturating_sub(held)
    }

    /// How many bytes are held of a field that is not complete.
    pub(crate) const fn held(&self) -> usize {
        self.len
    }
}

/// The `N` bytes at `at`; zeros where there are not so many.
fn bytes<const N: usize>(field: &[u8], at: usize) -> [u8; N] {
    let found = field.get(at..).and_then(<[u8]>::first_chunk);
    found.copied().unwrap_or([0; N])
}

/// The big-endian number in the four bytes at `at`, which the field has.
pub(crate) fn be32(field: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes(field, at))
}

/// The little-endian number in the four bytes at `at`, which the field has.
pub(crate) fn le32(field: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes(field, at))
}

/// The little-endian number in the two bytes at `at`, which the field has.
pub(crate) fn le16(field: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes(field, at))
}

/// The little-endian number in the three bytes at `at`, if there are so many.
pub(crate) fn le24(field: &[u8], at: usize) -> Option<u32> {
    let [a, b, c] = *field.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes([a, b, c, 0]))
}
