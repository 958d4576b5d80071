//! The dry run: what a run would do and cost, without an account.

use std::{collections::HashSet, path::PathBuf, sync::Arc};

use tokio::{sync::Semaphore, task::JoinSet};

use super::{
    Line, Subject, facts,
    files::{self, Look},
};
use crate::{
    error::{Error, ErrorKind},
    green::Batch,
    image_url::ImageUrl,
    inspect::Depth,
    ledger::{Key, Scope},
    local_file::Folders,
    probe::Probe,
    requirements::Requirements,
    verdict::{CodeCounts, Decision, Verdict},
};

/// What a run would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    lines: u64,
    duplicates: u64,
    accepted: u64,
    rejected: u64,
    undecided: u64,
    unreadable: u64,
    billed_per_scene: u64,
    scenes: u64,
    codes: CodeCounts,
}

impl Plan {
    /// Lines read.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// Lines whose image stood on a line before: paid for once.
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Images that would be submitted.
    pub const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Images that would be rejected.
    pub const fn rejected(&self) -> u64 {
        self.rejected
    }

    /// Images that could not be decided on.
    pub const fn undecided(&self) -> u64 {
        self.undecided
    }

    /// Lines of which nothing is known: they hold no image, their file cannot be read, or this
    /// machine could not ask for their URL.
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Requests to submit.
    pub fn requests(&self) -> u64 {
        self.accepted
            .div_ceil(u64::try_from(Batch::MAX).unwrap_or(u64::MAX))
    }

    /// Images that would be billed for each scene, at most: each frame that is looked at counts.
    pub const fn billed_per_scene(&self) -> u64 {
        self.billed_per_scene
    }

    /// Images that would be billed for all scenes, at most.
    pub const fn billed(&self) -> u64 {
        self.billed_per_scene.saturating_mul(self.scenes)
    }

    /// What it would cost at most, at `price` for a thousand images of one scene, in the same unit
    /// as the price (the smallest of a currency, to be exact), rounded up.
    pub const fn cost(&self, price: u64) -> u64 {
        self.billed().saturating_mul(price).div_ceil(1000)
    }

    /// How many images have a violation of each code.
    pub const fn codes(&self) -> &CodeCounts {
        &self.codes
    }

    fn note<S>(&mut self, verdict: &Verdict<S>) {
        let billed = u64::from(facts::billed(verdict));
        self.billed_per_scene = self.billed_per_scene.saturating_add(billed);
        let count = match verdict.decision() {
            Decision::Accept => &mut self.accepted,
            Decision::Reject => &mut self.rejected,
            Decision::Inconclusive => &mut self.undecided,
        };
        *count = count.saturating_add(1);
        self.codes.add(&facts::violations(verdict));
    }
}

/// A dry run at work. Dropping it ends every download that is under way.
pub struct Planning {
    list: Box<dyn Iterator<Item = Line> + Send>,
    scope: Scope,
    probe: Probe,
    requirements: Requirements,
    /// Files that are read at a time.
    readers: Arc<Semaphore>,
    running: JoinSet<Judged>,
    /// The first halves of the keys that were met: enough to tell millions apart.
    seen: HashSet<[u8; 16]>,
    plan: Plan,
}

/// What one line comes to.
enum Judged {
    Url(Box<Verdict<ImageUrl>>),
    File(Box<Look>),
    Unreadable,
}

/// How many lines are read ahead, so that URLs that wait for one host do not keep those of others
/// from being asked for.
const AHEAD: usize = 1024;

impl Plan {
    /// Starts a dry run over a list. Nothing is submitted and nothing is kept but the keys of the
    /// images, 16 bytes each, to find duplicates by.
    ///
    /// ```no_run
    /// # use greenlight::{Probe, Requirements, ledger::Scope, pipeline::{Line, Plan}};
    /// # async fn example(lines: Vec<Line>) -> Result<(), greenlight::Error> {
    /// let scope = Scope::new("", "", &["porn", "ad"]);
    /// let mut planning = Plan::start(&Probe::new(), &Requirements::ASYNC, &scope, lines);
    /// while planning.advance().await? {}
    /// let plan = planning.plan();
    /// println!("{} of {} would be submitted", plan.accepted(), plan.lines());
    /// # Ok(())
    /// # }
    /// ```
    pub fn start<L>(probe: &Probe, requirements: &Requirements, scope: &Scope, lines: L) -> Planning
    where
        L: IntoIterator<Item = Line>,
        L::IntoIter: Send + 'static,
    {
        let plan = Self {
            scenes: u64::try_from(scope.scenes().len()).unwrap_or(u64::MAX),
            ..Self::default()
        };
        let readers = std::thread::available_parallelism().map_or(1, usize::from);
        Planning {
            list: Box::new(lines.into_iter()),
            scope: scope.clone(),
            probe: probe.clone(),
            requirements: requirements.clone(),
            readers: Arc::new(Semaphore::new(readers)),
            running: JoinSet::new(),
            seen: HashSet::new(),
            plan,
        }
    }
}

impl Planning {
    /// Waits for one more image to be judged; `false` when there is none left. Can be dropped and
    /// called again.
    ///
    /// # Errors
    ///
    /// When the runtime is shutting down. What could not be read is counted as
    /// [`unreadable`](Plan::unreadable).
    pub async fn advance(&mut self) -> Result<bool, Error> {
        while self.running.len() < AHEAD
            && let Some(line) = self.list.next()
        {
            self.plan.lines = self.plan.lines.saturating_add(1);
            self.begin(line.subject);
        }
        match self.running.join_next().await {
            None => Ok(false),
            Some(Ok(judged)) => {
                self.note(judged);
                Ok(true)
            }
            Some(Err(failed)) => match failed.try_into_panic() {
                Ok(panicked) => std::panic::resume_unwind(panicked),
                Err(_cancelled) => Err(Error::new(ErrorKind::Io, "the runtime is shutting down")),
            },
        }
    }

    /// What is known so far.
    pub fn plan(&self) -> Plan {
        self.plan.clone()
    }

    fn begin(&mut self, subject: Subject) {
        match subject {
            Subject::Url(text) => match ImageUrl::parse(&text) {
                Ok(url) => {
                    if self.is_new(Key::of_url(&self.scope, &url)) {
                        let check = check(self.probe.clone(), self.requirements.clone(), url);
                        self.running.spawn(check);
                    }
                }
                Err(error) => {
                    if self.is_new(Key::of_text(&self.scope, &text)) {
                        self.plan.note(&Verdict::of_text(text, &error));
                    }
                }
            },
            Subject::File(path) => self.look(path, None),
            Subject::FileBelow { path, folders } => self.look(path, Some(folders)),
            Subject::Unusable { .. } => self.note(Judged::Unreadable),
        }
    }

    fn look(&mut self, path: PathBuf, folders: Option<Folders>) {
        let (depth, requirements) = (self.probe.depth(), self.requirements.clone());
        let readers = Arc::clone(&self.readers);
        self.running
            .spawn(look(readers, path, folders, depth, requirements));
    }

    /// Whether this is the first line with the image; others are counted.
    fn is_new(&mut self, key: Key) -> bool {
        let head = key.as_bytes().first_chunk().copied().unwrap_or_default();
        let is_new = self.seen.insert(head);
        self.plan.duplicates = self.plan.duplicates.saturating_add(u64::from(!is_new));
        is_new
    }

    fn note(&mut self, judged: Judged) {
        match judged {
            Judged::Url(verdict) => self.plan.note(&verdict),
            Judged::File(look) => {
                let Look { sha256, verdict } = *look;
                let key = sha256.map(|sha256| Key::of_content(&self.scope, &sha256));
                if key.is_none_or(|key| self.is_new(key)) {
                    self.plan.note(&verdict);
                }
            }
            Judged::Unreadable => self.plan.unreadable = self.plan.unreadable.saturating_add(1),
        }
    }
}

async fn check(probe: Probe, requirements: Requirements, url: ImageUrl) -> Judged {
    let checked = probe.check(&url, &requirements).await;
    checked.map_or(Judged::Unreadable, |verdict| Judged::Url(Box::new(verdict)))
}

async fn look(
    readers: Arc<Semaphore>,
    path: PathBuf,
    folders: Option<Folders>,
    depth: Depth,
    requirements: Requirements,
) -> Judged {
    let _turn = readers.acquire().await;
    let look = move || files::look(&path, folders.as_ref(), depth, &requirements);
    match tokio::task::spawn_blocking(look).await {
        Ok(looked) => looked.map_or(Judged::Unreadable, |look| Judged::File(Box::new(look))),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

impl std::fmt::Debug for Planning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Planning")
            .field("plan", &self.plan)
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}
