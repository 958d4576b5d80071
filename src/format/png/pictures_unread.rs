//! The pictures of a file, without the feature `payload`: they are not decompressed, which is recorded.

use super::header::Header;
use crate::format::{DefectKind, Dimensions, Facts};

#[derive(Debug, Default)]
pub(super) struct Pictures(());

#[expect(clippy::unused_self, reason = "the same methods as with the feature")]
impl Pictures {
    pub(super) const fn earn(&mut self, _bytes: usize) {}

    pub(super) fn begin(
        &mut self,
        _: &Header,
        _: Dimensions,
        start: u64,
        _is_moving: bool,
        facts: &mut Facts,
    ) {
        facts.defect(DefectKind::NotWalked, start);
    }

    pub(super) const fn push(&mut self, _: &[u8], _offset: u64) {}

    pub(super) const fn end_chunk(&mut self) {}

    pub(super) const fn end(&mut self, _: &mut Facts) -> bool {
        false
    }
}
