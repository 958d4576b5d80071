//! Notices on arguments and on a list that are collected while they are read, and printed once.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use super::{Origin, spelling};
use crate::{cli::list::List, image_url::masked};

/// Maximum length of a URL in a hint, in characters.
const SHOWN: usize = 60;

/// Counts of lines, and the first of each mistake that a hint explains.
#[derive(Debug, Default)]
pub(crate) struct Noticed {
    /// Items that report lines without a source, and how many lines those are.
    bad: AtomicU64,
    bad_lines: AtomicU64,
    /// Lines within quoted fields, which have no source of their own.
    quoted_lines: AtomicU64,
    /// The list seems to have another format.
    format: OnceLock<String>,
    /// A quoted field seems to hold rows.
    quoted_rows: OnceLock<String>,
    /// An argument seems to be a list.
    list: OnceLock<String>,
    /// A line is a local path, where it may not be or which is not below an allowed folder.
    path: OnceLock<String>,
    /// A source seems to be two URLs.
    joined: OnceLock<String>,
}

impl Noticed {
    pub(super) fn add_bad(&self, lines: u64) {
        self.bad.fetch_add(1, Ordering::Relaxed);
        self.bad_lines.fetch_add(lines, Ordering::Relaxed);
    }

    pub(crate) fn bad(&self) -> u64 {
        self.bad.load(Ordering::Relaxed)
    }

    pub(crate) fn bad_lines(&self) -> u64 {
        self.bad_lines.load(Ordering::Relaxed)
    }

    pub(crate) fn quoted_lines(&self) -> u64 {
        self.quoted_lines.load(Ordering::Relaxed)
    }

    pub(super) fn note_list_so_far(&self, list: &List) {
        if let Some(likely) = list.likely_format() {
            self.format
                .get_or_init(|| format!("{} {likely}", list.name()));
        }
        if let Some((line, last)) = list.quoted_rows() {
            self.quoted_rows.get_or_init(|| {
                format!(
                    "{}: a quoted field spans lines {line} to {last}; if these are rows, remove the \
                     quote that opens it or write it twice",
                    list.name()
                )
            });
        }
        self.quoted_lines
            .store(list.quoted_lines(), Ordering::Relaxed);
    }

    pub(super) fn has_list(&self) -> bool {
        self.list.get().is_some()
    }

    pub(super) fn note_list(&self, argument: &str) {
        self.list.get_or_init(|| {
            format!(
                "{argument} looks like a list, not an image; the sources that it names are read with \
                 --from {argument}"
            )
        });
    }

    pub(super) fn note_path(&self, origin: &Origin) {
        self.path.get_or_init(|| {
            format!(
                "{origin} looks like a local path; lines may name files below a folder that \
                 --files-under DIR allows"
            )
        });
    }

    pub(super) fn note_outside(&self, origin: &Origin) {
        self.path.get_or_init(|| {
            format!(
                "{origin} is below no folder of --files-under; relative paths begin at the working \
                 directory"
            )
        });
    }

    /// Notes whether a source seems to be two URLs.
    pub(super) fn note_url(&self, text: &str, origin: &Origin) {
        if self.joined.get().is_some() {
            return;
        }
        if let Some((first, second)) = spelling::two_urls(text) {
            let (first, second) = (shown(first), shown(second));
            let _ = self.joined.set(format!(
                "{origin} looks like two URLs, {first} and {second}; if it is, write one per line"
            ));
        }
    }

    /// The hints. For a list in another format its hint only, because the others follow from it.
    pub(crate) fn hints(&self) -> impl Iterator<Item = &str> {
        let others = [&self.quoted_rows, &self.list, &self.path, &self.joined];
        let others = others.into_iter().filter(|_| self.format.get().is_none());
        let all = [&self.format].into_iter().chain(others);
        all.filter_map(|hint| hint.get().map(String::as_str))
    }
}

/// Returns the beginning of a URL, without a password.
fn shown(url: &str) -> String {
    let url = masked(url);
    match url.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}\u{2026}", url.get(..end).unwrap_or_default()),
        None => url.into_owned(),
    }
}
