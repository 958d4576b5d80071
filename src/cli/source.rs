//! The single images that arguments, folders and lists name.

mod noticed;
mod spelling;

use std::{
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    vec,
};

use walkdir::{DirEntry, WalkDir};

pub(crate) use self::noticed::Noticed;
use self::spelling::{is_path, is_standard_input, is_url};
use super::{
    exit::reason,
    list::{self, List, Place},
    name,
};
use crate::local_file::{Folders, NotOpened};
use crate::pipeline::EarlierCheck;
use greenlight::DataId;

/// One image to check.
#[derive(Debug)]
pub(crate) struct Item {
    /// The text as given; for a folder's member the folder joined with the path inside it.
    pub(crate) source: String,
    pub(crate) what: What,
    pub(crate) origin: Origin,
    /// An earlier check that a list states for a URL.
    pub(crate) check: Option<EarlierCheck>,
}

/// The origin of an image. The members of a folder have the folder's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The line of a list; none for an argument.
    pub(crate) place: Option<Place>,
    /// The number of that line, row or element, or of the argument, from 1.
    pub(crate) line: u64,
    /// The user's own name for it.
    pub(crate) data_id: Option<DataId>,
}

/// The place in a list, or the number of the argument.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => place.fmt(f),
            None => write!(f, "source {}", self.line),
        }
    }
}

impl Origin {
    /// Returns the reason with the list's name and the line or row, if it comes from a list.
    fn locate(&self, reason: &str) -> String {
        match &self.place {
            Some(place) => format!("{place}: {reason}"),
            None => reason.to_owned(),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What {
    File {
        path: PathBuf,
        /// The folders that it must be in, for a path that a list names.
        below: Option<Folders>,
    },
    Url,
    /// Not an image to check, and the reason.
    Unusable(Unusable),
}

/// The reason why a source cannot be checked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    pub(crate) reason: String,
    /// Whether it is a list's line that holds no source at all.
    pub(crate) is_bad_line: bool,
}

/// All images that the arguments and a list name, in their order, found on demand: a list is
/// streamed, and of a folder one directory per level is held.
pub(crate) struct Sources {
    given: vec::IntoIter<OsString>,
    /// The number of arguments that were read.
    taken: u64,
    list: Option<List>,
    /// The folders that files of the list must be in; without one, the list may name no file.
    folders: Folders,
    folder: Option<Folder>,
    noticed: Arc<Noticed>,
}

impl Sources {
    pub(crate) fn new(given: Vec<OsString>, list: Option<List>, folders: Folders) -> Self {
        Self {
            given: given.into_iter(),
            taken: 0,
            list,
            folders,
            folder: None,
            noticed: Arc::default(),
        }
    }

    /// The notices on the list, complete when it is read.
    pub(crate) fn noticed(&self) -> Arc<Noticed> {
        Arc::clone(&self.noticed)
    }

    /// The name of the list, if there is one.
    pub(crate) fn list_name(&self) -> Option<String> {
        self.list.as_ref().map(|list| list.name().to_owned())
    }

    /// Turns an argument into an item, or into a folder to walk.
    fn enter_argument(&mut self, source: OsString, entry: Naming) -> Option<Item> {
        let shown = name::shown(Path::new(&source));
        if source.to_str().is_some_and(is_url) {
            self.noticed.note_url(&shown, &entry.0);
            return Some(entry.item(shown, What::Url));
        }
        let path = PathBuf::from(source);
        // One hint is enough: the file is opened for it.
        if !self.noticed.has_list() && list::is_list(&path) {
            self.noticed.note_list(&shown);
        }
        self.enter_path(shown, path, None, entry)
    }

    /// The same for a line of a list, which someone else may have written: it names URLs, and files
    /// only where that was allowed.
    fn enter_line(&mut self, text: String, entry: Naming) -> Option<Item> {
        self.noticed.note_url(&text, &entry.0);
        if self.folders.is_empty() && is_path(&text) {
            self.noticed.note_path(&entry.0);
        }
        if self.folders.is_empty() || is_url(&text) {
            return Some(entry.item(text, What::Url));
        }
        let path = PathBuf::from(&text);
        let below = Some(self.folders.clone());
        match self.folders.resolve(&path) {
            // A folder is walked as it is named; each file in it is resolved again.
            Ok(_) => self.enter_path(text, path, below, entry),
            Err(NotOpened::Outside) => {
                self.noticed.note_outside(&entry.0);
                Some(entry.item(text, What::File { path, below }))
            }
            Err(NotOpened::Io(error)) => {
                let why = format!("cannot read: {}", reason(&error));
                Some(entry.unusable(text, &why, false))
            }
            Err(error) => Some(entry.unusable(text, &error.to_string(), false)),
        }
    }

    fn enter_path(
        &mut self,
        shown: String,
        path: PathBuf,
        below: Option<Folders>,
        entry: Naming,
    ) -> Option<Item> {
        let reason = match fs::metadata(&path) {
            Ok(found) if found.is_dir() => {
                self.folder = Some(Folder::new(shown, &path, below, entry));
                return None;
            }
            Ok(found) if found.is_file() => {
                return Some(entry.item(shown, What::File { path, below }));
            }
            // A pipe or a device may never end.
            Ok(_) if is_standard_input(&path) => {
                "neither a file nor a folder; a list on standard input is read with `-`".to_owned()
            }
            Ok(_) => "neither a file nor a folder".to_owned(),
            Err(error) => format!("cannot read: {}", reason(&error)),
        };
        Some(entry.unusable(shown, &reason, false))
    }
}

impl Iterator for Sources {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(folder) = &mut self.folder {
                let item = folder.next();
                if item.is_some() {
                    return item;
                }
                self.folder = None;
            }
            if let Some(source) = self.given.next() {
                self.taken = self.taken.saturating_add(1);
                if let Some(item) = self.enter_argument(source, Naming::argument(self.taken)) {
                    return Some(item);
                }
                continue;
            }
            let list = self.list.as_mut()?;
            let line = list.next()?;
            self.noticed.note_list_so_far(list);
            let entry = Naming::line(line.place, line.data_id);
            if let Some(fault) = line.fault {
                self.noticed.add_bad(line.lines);
                return Some(entry.unusable(line.text, &fault, true));
            }
            if let Some(item) = self.enter_line(line.text, entry) {
                return Some(Item {
                    check: line.check,
                    ..item
                });
            }
        }
    }
}

/// An argument or a line, which names sources.
struct Naming(Origin);

impl Naming {
    const fn argument(number: u64) -> Self {
        Self(Origin {
            place: None,
            line: number,
            data_id: None,
        })
    }

    const fn line(place: Place, data_id: Option<DataId>) -> Self {
        Self(Origin {
            line: place.number(),
            place: Some(place),
            data_id,
        })
    }

    fn item(&self, source: String, what: What) -> Item {
        Item {
            source,
            what,
            origin: self.0.clone(),
            check: None,
        }
    }

    fn unusable(&self, source: String, reason: &str, is_bad_line: bool) -> Item {
        let unusable = Unusable {
            reason: self.0.locate(reason),
            is_bad_line,
        };
        self.item(source, What::Unusable(unusable))
    }
}

const NO_FILES: &str = "no files in this folder; hidden files and links are skipped";

/// The regular files of a folder and of those in it, by name; an error if there are none. Links are
/// not followed, so none can lead in a circle or out of the folder.
struct Folder {
    shown: String,
    is_empty: bool,
    entries: Box<dyn Iterator<Item = walkdir::Result<DirEntry>> + Send>,
    below: Option<Folders>,
    entry: Naming,
}

impl Folder {
    fn new(shown: String, path: &Path, below: Option<Folders>, entry: Naming) -> Self {
        let entries = WalkDir::new(path)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry));
        Self {
            shown,
            is_empty: true,
            entries: Box::new(entries),
            below,
            entry,
        }
    }
}

impl Iterator for Folder {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            let Some(found) = self.entries.next() else {
                let shown = std::mem::take(&mut self.is_empty).then(|| self.shown.clone());
                return shown.map(|shown| self.entry.unusable(shown, NO_FILES, false));
            };
            match found {
                Ok(entry) if entry.file_type().is_file() => {
                    self.is_empty = false;
                    let path = entry.into_path();
                    let shown = name::shown(&path);
                    let below = self.below.clone();
                    return Some(self.entry.item(shown, What::File { path, below }));
                }
                Ok(_) => {}
                Err(error) => {
                    self.is_empty = false;
                    let path = error.path().unwrap_or(Path::new(""));
                    let source = name::shown(path);
                    let reason = match error.io_error() {
                        Some(cause) => format!("cannot read: {}", reason(cause)),
                        None => format!("cannot read: {error}"),
                    };
                    return Some(self.entry.unusable(source, &reason, false));
                }
            }
        }
    }
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_path_by_its_text() {
        for text in [
            "/a.png",
            "./a",
            "../a",
            "~/a.png",
            "C:\\a.png",
            "c:/a.png",
            "\\\\host\\a.png",
            "photos/a.png",
            "//server/share/a.png",
            "https/a.png",
            "a.png",
            "a.JPG",
        ] {
            assert!(is_path(text), "{text}");
        }
        for text in [
            "www.example.com/a.jpg",
            "http://a/b.png",
            "<http://a/b>",
            "\"/a.png\"",
            "example.com",
            "data:image/png;base64,AAAA",
            "//cdn.example.com/a.jpg",
            "https;//a.example/b.jpg",
            "http//a.example/b.jpg",
            "",
        ] {
            assert!(!is_path(text), "{text}");
        }
    }

    #[test]
    fn two_joined_urls_are_told_from_the_url_of_a_proxy() {
        let one = "http://a.example/1.jpg?x=1";
        let two = "HTTPS://b.example/2.jpg";
        for separator in [",", ";", "\u{FF0C}", ""] {
            let rest = format!("{two},http://c.example/3.jpg");
            let text = format!("{one}{separator}{rest}");
            assert_eq!(spelling::two_urls(&text), Some((one, &*rest)), "{text}");
        }
        for text in [
            "http://a.example/1.jpg",
            "http://a.example/http://b.example/2.jpg",
            "http://a.example/?u=http://b.example/2.jpg,http://c.example/3.jpg",
            "http://a.example/2x2/http://b.example/1.jpg,http://b.example/2.jpg",
            "http://a.example/fit(http://b.example/2.jpg)",
            "http://a.example/a,ftp://b.example/2.jpg",
            "see http://a.example/,http://b.example/",
            "http://a.example/,http:/b.example/",
        ] {
            assert_eq!(spelling::two_urls(text), None, "{text}");
        }
    }

    #[test]
    fn a_source_with_a_scheme_is_a_url() {
        for source in [
            "http://a/b",
            "HTTPS://a",
            "ftp://x",
            "http:/x",
            "https:x",
            "data://x",
        ] {
            assert!(is_url(source), "{source}");
        }
        for source in [
            "",
            "a.png",
            "./http/x",
            "httpx",
            "C:\\a.png",
            "http",
            "\u{e9}:/",
        ] {
            assert!(!is_url(source), "{source}");
        }
    }
}
