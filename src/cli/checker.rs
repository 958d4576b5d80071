//! Checks one source: a file, or a URL.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    args::CheckSettings,
    exit::{Failure, reason},
    pipeline::{Place, Work},
    report::Report,
    source::{Item, What},
};
use crate::{
    image_url::ImageUrl,
    inspect::{Claim, Depth, Identity, Inspection, Inspector},
    local_file::{self, Folders, NotOpened},
    probe::Probe,
    requirements::Requirements,
    verdict::Verdict,
};

/// How much of a file a thread holds, in bytes.
const BUFFER: usize = 128 * 1024;

/// How much of a file is read first when its header may be enough, in bytes.
const FIRST_READ: usize = 4 * 1024;

/// What became of one source.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) report: Report,
    /// Whether it is a list's line that holds no source.
    pub(crate) is_bad_line: bool,
}

/// A file to read, and where it must lie.
struct Local {
    path: PathBuf,
    below: Option<Folders>,
}

impl Local {
    fn open(&self) -> Result<File, NotOpened> {
        match &self.below {
            Some(folders) => folders.open(&self.path),
            None => Ok(local_file::open(&self.path)?),
        }
    }
}

impl Checked {
    fn new(report: Report) -> Self {
        Self {
            report,
            is_bad_line: false,
        }
    }

    fn at(mut self, line: Option<u64>) -> Self {
        self.report.line = line;
        self
    }
}

/// The report of a file that was not read.
fn not_opened(source: &str, error: NotOpened) -> Report {
    match error {
        NotOpened::Outside => Report::of(source, &Verdict::of_path_outside()),
        NotOpened::Io(error) => Report::failed(source, format!("cannot read: {}", reason(&error))),
        error => Report::failed(source, error.to_string()),
    }
}

/// Checks one source.
pub(crate) struct Checker {
    requirements: Requirements,
    depth: Depth,
    probe: Probe,
}

impl Checker {
    pub(crate) fn new(options: &CheckSettings) -> Result<Self, Failure> {
        Ok(Self {
            requirements: options.requirements(),
            depth: options.depth.into(),
            probe: options.probe(None)?,
        })
    }

    fn read(&self, file: &Local, source: &str) -> Report {
        let inspected = file.open();
        let inspected = inspected.and_then(|opened| Ok(self.inspect(opened, &file.path)?));
        match inspected {
            Ok(inspection) => Report::of(source, &self.requirements.judge(inspection)),
            Err(error) => not_opened(source, error),
        }
    }

    fn inspect(&self, mut file: File, path: &Path) -> io::Result<Inspection> {
        let mut inspector = Inspector::new(self.depth);
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(claim) = name.and_then(Claim::from_name) {
            inspector.claim(claim);
        }
        // Files that the system makes up as they are read say 0.
        let len = file.metadata()?.len();
        if len > 0 {
            inspector.announce_len(len);
        }
        with_buffer(|buffer| {
            let mut most = match self.depth {
                Depth::Header => FIRST_READ,
                _ => BUFFER,
            };
            let is_enough = |inspector: &Inspector| {
                self.is_too_long(inspector) || len > 0 && self.is_enough(inspector)
            };
            while !is_enough(&inspector) {
                let room = buffer.get_mut(..most).unwrap_or_default();
                match file.read(room) {
                    Ok(0) => return Ok(inspector.finish()),
                    Ok(read) => inspector.push(room.get(..read).unwrap_or_default()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
                most = most.saturating_mul(4).min(BUFFER);
            }
            Ok(inspector.inspection().clone())
        })
    }

    /// Whether the rest of a file whose length is known can be left unread.
    fn is_enough(&self, inspector: &Inspector) -> bool {
        let facts = inspector.inspection();
        let is_refused = match facts.identity() {
            Identity::Undecided => false,
            Identity::NotAnImage => true,
            Identity::Format(format) => !self.requirements.allows(format),
        };
        is_refused || (self.depth == Depth::Header && inspector.is_settled())
    }

    /// Whether more was read than an image may have, whatever length was stated.
    fn is_too_long(&self, inspector: &Inspector) -> bool {
        inspector.inspection().bytes_seen() > self.requirements.max_bytes()
    }

    async fn url(&self, url: &str, source: String) -> Checked {
        let url = match ImageUrl::parse(url) {
            Ok(url) => url,
            Err(error) => {
                let verdict = Verdict::of_text(String::new(), &error);
                return Checked::new(Report::of(&source, &verdict));
            }
        };
        let verdict = match self.probe.check(&url, &self.requirements).await {
            Ok(verdict) => verdict,
            Err(error) => return Checked::new(Report::failed(&source, error.report())),
        };
        Checked::new(Report::of(&source, &verdict))
    }
}

impl Work for Checker {
    type Item = Item;
    type Output = Checked;

    fn place(&self, item: &Item) -> Place {
        match item.what {
            What::File { .. } | What::Unusable(_) => Place::Thread,
            What::Url => Place::Task,
        }
    }

    fn block(&self, item: Item) -> Checked {
        let line = item.origin.line_of_list();
        let Item { source, what, .. } = item;
        let checked = match what {
            What::File { path, below } => Checked::new(self.read(&Local { path, below }, &source)),
            What::Unusable(unusable) => Checked {
                is_bad_line: unusable.is_bad_line,
                ..Checked::new(Report::failed(&source, unusable.reason))
            },
            What::Url => Checked::new(Report::failed(&source, "not a file".to_owned())),
        };
        checked.at(line)
    }

    async fn wait(&self, item: Item) -> Checked {
        let line = item.origin.line_of_list();
        self.url(&item.source.clone(), item.source).await.at(line)
    }

    fn name(&self, item: &Item) -> String {
        item.source.clone()
    }

    fn panicked(&self, source: String) -> Checked {
        let error = "a mistake in this program: please report it, with the image".to_owned();
        Checked::new(Report::failed(&source, error))
    }
}

/// Lends the thread's buffer.
fn with_buffer<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    thread_local! {
        static HELD: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
    }
    HELD.with_borrow_mut(|buffer| read(buffer))
}
