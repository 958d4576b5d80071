//! Ids that look like the service's.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use sha1::{Digest as _, Sha1};

/// Makes ids that do not repeat: a hash over the time of the start and a counter.
#[derive(Debug)]
pub(super) struct Ids {
    start: i128,
    made: AtomicU64,
}

impl Ids {
    pub(super) fn new(start: Timestamp) -> Self {
        Self {
            start: start.as_nanosecond(),
            made: AtomicU64::new(0),
        }
    }

    /// As in `img4wlJcb7p4wH4lAP3111111-12aaaa`.
    pub(super) fn task(&self) -> String {
        let text = self.alphanumeric();
        let (body, rest) = text.split_at(22);
        let (tail, _) = rest.split_at(6);
        format!("img{body}-{tail}")
    }

    /// As in `0AA2C2F8-1D1D-5A0F-9C1C-7C0C6C3E7E55`.
    pub(super) fn request(&self) -> String {
        let bytes = self.bytes();
        let parts = [0..4, 4..6, 6..8, 8..10, 10..16].map(|part| upper_hex(&bytes[part]));
        parts.join("-")
    }

    /// Letters and digits, 24 or more.
    pub(super) fn alphanumeric(&self) -> String {
        let mut text = String::new();
        while text.len() < 32 {
            let more = STANDARD.encode(self.bytes());
            text.extend(more.chars().filter(char::is_ascii_alphanumeric));
        }
        text
    }

    fn bytes(&self) -> [u8; 20] {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        Sha1::new()
            .chain_update(self.start.to_be_bytes())
            .chain_update(number.to_be_bytes())
            .finalize()
            .into()
    }
}

pub(super) fn upper_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

pub(super) fn lower_hex(bytes: &[u8]) -> String {
    upper_hex(bytes).to_ascii_lowercase()
}
