//! Checks one source: a file, or a URL.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use tokio::task;

use super::{
    args::CheckSettings,
    exit::{Failure, reason},
    pipeline::{Place, Work},
    report::Report,
    source::{Item, What},
};
use crate::{
    green::{Client, Content},
    image_url::ImageUrl,
    inspect::{Claim, Depth, Identity, Inspection, Inspector},
    probe::Probe,
    requirements::Requirements,
    sandbox::Sandbox,
    verdict::{Accepted, Verdict},
};

/// How much of a file a thread holds, in bytes.
const BUFFER: usize = 128 * 1024;

/// How much of a file is read first when its header may be enough, in bytes.
const FIRST_READ: usize = 4 * 1024;

/// What became of one source.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) report: Report,
    /// The receipt of an accepted URL.
    pub(crate) accepted: Option<Accepted<ImageUrl>>,
    /// Whether it is a list's line that holds no source.
    pub(crate) is_bad_line: bool,
}

impl Checked {
    fn new(report: Report) -> Self {
        Self {
            report,
            accepted: None,
            is_bad_line: false,
        }
    }
}

/// Checks one source.
pub(crate) struct Checker {
    requirements: Requirements,
    depth: Depth,
    probe: Probe,
    local: Local,
}

/// How local files are looked at.
enum Local {
    /// Read, which is all that is asked.
    Read,
    /// Read, and uploaded if they are accepted: then they have a URL that the service reads.
    Uploaded(Client),
    /// Through the sandbox, which gives them a URL.
    Served(Arc<Sandbox>),
}

impl Checker {
    pub(crate) fn new(options: &CheckSettings) -> Result<Self, Failure> {
        Ok(Self {
            requirements: options.requirements(),
            depth: options.depth.into(),
            probe: options.probe(None)?,
            local: Local::Read,
        })
    }

    /// The same, where every accepted source is to have a URL that the service reads.
    pub(crate) fn for_scan(
        self,
        options: &CheckSettings,
        client: &Client,
        sandbox: Option<Arc<Sandbox>>,
    ) -> Result<Self, Failure> {
        let own = sandbox.as_ref().map(|sandbox| sandbox.address());
        let local = match sandbox {
            Some(sandbox) => Local::Served(sandbox),
            None => Local::Uploaded(client.clone()),
        };
        Ok(Self {
            probe: options.probe(own)?,
            local,
            ..self
        })
    }

    fn read(&self, path: &Path, source: String) -> (Report, Option<Verdict>) {
        match self.inspect(path) {
            Ok(inspection) => {
                let verdict = self.requirements.judge(inspection);
                (Report::of(source, &verdict), Some(verdict))
            }
            Err(error) => {
                let why = format!("cannot read: {}", reason(&error));
                (Report::failed(source, why), None)
            }
        }
    }

    fn inspect(&self, path: &Path) -> io::Result<Inspection> {
        let mut file = File::open(path)?;
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
            while !(len > 0 && self.is_enough(&inspector)) {
                let room = buffer.get_mut(..most).unwrap_or_default();
                match file.read(room) {
                    Ok(0) => return Ok(inspector.finish()),
                    Ok(read) => inspector.push(room.get(..read).unwrap_or_default()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
                most = most.saturating_mul(4).min(BUFFER);
            }
            Ok(*inspector.inspection())
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
        facts.bytes_seen() > self.requirements.max_bytes()
            || is_refused
            || (self.depth == Depth::Header && inspector.is_settled())
    }

    /// Checks a local file, and uploads it if it is accepted.
    async fn uploaded(&self, client: &Client, path: &Path, source: String) -> Checked {
        let (mut report, verdict) = task::block_in_place(|| self.read(path, source));
        let Some(Ok(accepted)) = verdict.map(Verdict::into_result) else {
            return Checked::new(report);
        };
        match client.upload(accepted, &Content::file(path)).await {
            Ok(accepted) => Checked {
                accepted: Some(accepted),
                ..Checked::new(report)
            },
            Err(error) => {
                report.error = Some(format!("cannot upload: {}", error.report()));
                Checked::new(report)
            }
        }
    }

    /// Checks what the sandbox serves of a local file.
    async fn served(&self, sandbox: &Sandbox, path: &Path, source: String) -> Checked {
        if let Err(error) = File::open(path) {
            let why = format!("cannot read: {}", reason(&error));
            return Checked::new(Report::failed(source, why));
        }
        match sandbox.publish(path) {
            Ok(url) => self.url(&url, source).await,
            Err(error) => Checked::new(Report::failed(source, error.report())),
        }
    }

    async fn url(&self, url: &str, source: String) -> Checked {
        let url = match ImageUrl::parse(url) {
            Ok(url) => url,
            Err(error) => {
                let verdict = Verdict::of_text(String::new(), &error);
                return Checked::new(Report::of(source, &verdict));
            }
        };
        let verdict = match self.probe.check(&url, &self.requirements).await {
            Ok(verdict) => verdict,
            Err(error) => return Checked::new(Report::failed(source, error.report())),
        };
        let report = Report::of(source, &verdict);
        Checked {
            accepted: verdict.into_result().ok(),
            ..Checked::new(report)
        }
    }
}

impl Work for Checker {
    type Item = Item;
    type Output = Checked;

    fn place(&self, item: &Item) -> Place {
        match (&item.what, &self.local) {
            (What::File(_), Local::Read) | (What::Unusable(_), _) => Place::Thread,
            (What::File(_) | What::Url, _) => Place::Task,
        }
    }

    fn block(&self, Item { source, what, .. }: Item) -> Checked {
        match what {
            What::File(path) => Checked::new(self.read(&path, source).0),
            What::Unusable(unusable) => Checked {
                is_bad_line: unusable.is_bad_line,
                ..Checked::new(Report::failed(source, unusable.reason))
            },
            What::Url => Checked::new(Report::failed(source, "not a file".to_owned())),
        }
    }

    async fn wait(&self, Item { source, what, .. }: Item) -> Checked {
        match (what, &self.local) {
            (What::File(path), Local::Served(sandbox)) => self.served(sandbox, &path, source).await,
            (What::File(path), Local::Uploaded(client)) => {
                self.uploaded(client, &path, source).await
            }
            _ => self.url(&source.clone(), source).await,
        }
    }

    fn name(&self, item: &Item) -> String {
        item.source.clone()
    }

    fn panicked(&self, source: String) -> Checked {
        let error = "a mistake in this program: please report it, with the image".to_owned();
        Checked::new(Report::failed(source, error))
    }
}

/// Lends the thread's buffer.
fn with_buffer<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    thread_local! {
        static HELD: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
    }
    HELD.with_borrow_mut(|buffer| read(buffer))
}
