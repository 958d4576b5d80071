//! What is done by default when a rule is broken.

use crate::{
    format::DefectKind,
    verdict::{Code, Enforcement},
};

pub(super) const fn default_rules() -> [Enforcement; Code::COUNT] {
    let mut rules = [Enforcement::Reject; Code::COUNT];
    rules[Code::DownloadContentType.index()] = Enforcement::Warn;
    rules[Code::DownloadTlsUnsupported.index()] = Enforcement::Warn;
    rules[Code::DownloadUnknownEncoding.index()] = Enforcement::Warn;
    rules[Code::ImageTypeMismatch.index()] = Enforcement::Warn;
    rules[Code::ImageFramesUnseen.index()] = Enforcement::Warn;
    rules
}

pub(super) const fn default_defects() -> [Enforcement; DefectKind::COUNT] {
    let mut defects = [Enforcement::Reject; DefectKind::COUNT];
    let mut index = 0;
    while index < DefectKind::COUNT {
        if DefectKind::ALL[index].is_tolerated() {
            defects[index] = Enforcement::Warn;
        }
        index += 1;
    }
    defects
}
