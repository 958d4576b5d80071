//! Gif.

use super::Depth;
use super::{Facts, Parser, Progress};
use crate::format::DefectKind;

#[derive(Debug)]
pub(crate) struct Gif;

impl Gif {
    pub(crate) fn new(_depth: Depth) -> Self {
        Self
    }
}

impl Parser for Gif {
    fn push(&mut self, _input: &[u8], _offset: u64, _facts: &mut Facts) -> Progress {
        Progress::More
    }

    fn finish(&mut self, len: u64, facts: &mut Facts) {
        facts.defect(DefectKind::Truncated, len);
    }
}
