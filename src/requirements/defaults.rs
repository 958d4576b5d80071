//! What is done by default when a rule is broken.

use crate::{
    format::DefectKind,
    verdict::{Code, Enforcement},
};

pub(super) const fn default_rules() -> [Enforcement; Code::COUNT] {
    let mut rules = [Enforcement::Reject; Code::COUNT];
    // The content decides, whatever a header says.
    rules[Code::DownloadContentType.index()] = Enforcement::Warn;
    // The service may support the TLS that this client lacks.
    rules[Code::DownloadTlsUnsupported.index()] = Enforcement::Warn;
    // Common clients ignore such a coding, and the service most likely does too.
    rules[Code::DownloadUnknownEncoding.index()] = Enforcement::Warn;
    // The content decides, whatever a name says.
    rules[Code::ImageTypeMismatch.index()] = Enforcement::Warn;
    // Each scanned frame is billed, so how many are scanned is the user's choice.
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
