//! The dry run: counts and cost of a run, without an account.

use futures_util::future::{Either, ready};

use super::{
    Line,
    checks::{Checking, LineCheck, Step},
    facts,
    files::{self, FileCheck},
    seen::{Head, Seen, Table, head},
    target::Target,
};
use crate::{
    error::Error,
    green::Terms,
    ledger::{Key, Scope},
    probe::Probe,
    requirements::Requirements,
    spawned::spawn,
    verdict::{CodeCounts, CodeSet, Decision, Verdict},
};

/// The counts and cost of a run that was not made.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::{
///     Requirements, Scene,
///     ledger::{Scope, Source},
///     pipeline::{Line, Plan, Subject},
///     probe::Probe,
/// };
///
/// let lines = ["rgb.png", "rgb.png", "empty.png"].map(|name| Line {
///     subject: Subject::File(format!("fixtures/images/png/{name}").into()),
///     source: Source::default(),
/// });
/// let scope = Scope::new(&[Scene::Porn, Scene::Ad]);
/// let mut planning = Plan::start(&Probe::new(), &Requirements::ASYNC, &scope, lines)?;
/// while planning.advance().await {}
/// let plan = planning.plan();
/// assert_eq!((plan.duplicates(), plan.rejected(), plan.submitted()), (1, 1, 1));
/// assert_eq!(plan.billed(), 2); // one image for two scenes
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    lines: u64,
    duplicates: u64,
    accepted: u64,
    rejected: u64,
    undecided: u64,
    unreadable: u64,
    /// Accepted images, without duplicates.
    submitted: u64,
    billed_per_scene: u64,
    scenes: u64,
    codes: CodeCounts,
    /// The images of one submission; 0 in a plan of nothing.
    max_tasks: u64,
    frame_cap: u32,
}

impl Plan {
    /// Returns the number of lines read.
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// Returns the number of lines whose image is on an earlier line: it is billed once.
    pub const fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Returns the number of lines with an accepted image, duplicates included.
    pub const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Returns the number of lines with a rejected image, duplicates included.
    pub const fn rejected(&self) -> u64 {
        self.rejected
    }

    /// Returns the number of lines with an inconclusive verdict, duplicates included.
    pub const fn undecided(&self) -> u64 {
        self.undecided
    }

    /// Returns the number of lines without a verdict: the line does not name an image, its file
    /// cannot be read, or local resources to request its URL or to find duplicates are missing.
    pub const fn unreadable(&self) -> u64 {
        self.unreadable
    }

    /// Returns the number of images that would be submitted: an image on several lines is submitted once.
    pub const fn submitted(&self) -> u64 {
        self.submitted
    }

    /// Returns the number of submissions.
    pub fn requests(&self) -> u64 {
        self.submitted.div_ceil(self.max_tasks.max(1))
    }

    /// Returns the maximum number of images billed per scene; each scanned frame counts as an image.
    pub const fn billed_per_scene(&self) -> u64 {
        self.billed_per_scene
    }

    /// Returns the maximum number of images billed for all scenes.
    pub const fn billed(&self) -> u64 {
        self.billed_per_scene.saturating_mul(self.scenes)
    }

    /// Returns the maximum cost at `price` per thousand images and scene, in the unit of `price`,
    /// rounded up. Use the smallest unit of the currency to be exact.
    pub const fn cost(&self, price: u64) -> u64 {
        self.billed().saturating_mul(price).div_ceil(1000)
    }

    /// Returns the number of lines per violation code; an image on several lines counts on each, as
    /// in the results of a check.
    pub const fn codes(&self) -> &CodeCounts {
        &self.codes
    }

    fn bill<S>(&mut self, verdict: &Verdict<S>) {
        let billed = u64::from(facts::billed(verdict, self.frame_cap));
        self.billed_per_scene = self.billed_per_scene.saturating_add(billed);
        self.submitted = self.submitted.saturating_add(verdict.is_accepted().into());
    }

    fn count(&mut self, counted: Counted) {
        let count = match counted.decision {
            Some(Decision::Accept) => &mut self.accepted,
            Some(Decision::Reject) => &mut self.rejected,
            Some(Decision::Inconclusive) => &mut self.undecided,
            None => &mut self.unreadable,
        };
        *count = count.saturating_add(1);
        self.codes.add_set(counted.codes);
    }
}

/// What is counted of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Counted {
    /// `None` for a line without a verdict.
    decision: Option<Decision>,
    codes: CodeSet,
}

impl Counted {
    const BYTES: usize = CodeSet::BYTES + 1;

    const UNREADABLE: Self = Self {
        decision: None,
        codes: CodeSet::EMPTY,
    };

    /// Accepted without a warning, as most images are, so that it is not stored.
    const PLAIN: Self = Self {
        decision: Some(Decision::Accept),
        codes: CodeSet::EMPTY,
    };

    fn of<S>(verdict: &Verdict<S>) -> Self {
        Self {
            decision: Some(verdict.decision()),
            codes: CodeSet::of(verdict.violations()),
        }
    }

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (decision, codes) = bytes.split_at_mut(1);
        decision[0] = match self.decision {
            None => 0,
            Some(Decision::Accept) => 1,
            Some(Decision::Reject) => 2,
            Some(Decision::Inconclusive) => 3,
        };
        codes.copy_from_slice(&self.codes.to_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let [decision, codes @ ..] = bytes;
        Self {
            decision: match decision {
                0 => None,
                1 => Some(Decision::Accept),
                2 => Some(Decision::Reject),
                _ => Some(Decision::Inconclusive),
            },
            codes: CodeSet::from_bytes(codes),
        }
    }
}

/// A dry run in progress. Dropping it ends every download that is in progress.
///
/// ```
/// use greenlight::{green::Terms, pipeline::{Plan, Planning}};
///
/// /// Plans a run with 2.0, and prints intermediate counts.
/// async fn plan(planning: Planning) -> Plan {
///     let mut planning = planning.with_terms(&Terms::V2);
///     while planning.advance().await {
///         println!("{} lines", planning.plan().lines());
///     }
///     planning.plan()
/// }
/// ```
#[derive(Debug)]
pub struct Planning {
    /// The head of a URL's key, and the line.
    checking: Checking<(Option<Head>, Planned)>,
    scope: Scope,
    files: Seen,
    /// What URLs that were not accepted without a warning count as, for later lines with the same URL.
    flawed: Table<{ Counted::BYTES }>,
    plan: Plan,
}

/// One line of a dry run.
enum Planned {
    /// The URL is on an earlier line.
    Again,
    Url(Verdict),
    File(FileCheck),
    Unreadable,
}

impl Plan {
    /// Starts a dry run over a list. Nothing is submitted. Must be called within a tokio runtime.
    ///
    /// Of each image 16 bytes of its key are kept, to detect duplicates, and its decision and codes
    /// if it is not accepted or has a warning: of up to 1.8 million images in memory, and of more in a temporary file. The counts
    /// are exact.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), greenlight::Error> {
    /// # use greenlight::{Requirements, Scene, ledger::*, pipeline::*, probe::Probe};
    /// # let lines = ["rgb.png", "gray-8-bit.png", "empty.png"].map(|name| Line {
    /// #     subject: Subject::File(format!("fixtures/images/png/{name}").into()),
    /// #     source: Source::default(),
    /// # });
    /// let scope = Scope::new(&[Scene::Porn, Scene::Ad]);
    /// let mut planning = Plan::start(&Probe::new(), &Requirements::ASYNC, &scope, lines)?;
    /// while planning.advance().await {}
    /// let plan = planning.plan();
    /// println!("{} of {} would be submitted", plan.accepted(), plan.lines());
    /// assert_eq!((plan.accepted(), plan.lines()), (2, 3));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`ErrorKind::Io`](crate::ErrorKind::Io) if no thread can be created
    /// to read the list on.
    pub fn start<L>(
        probe: &Probe,
        requirements: &Requirements,
        scope: &Scope,
        lines: L,
    ) -> Result<Planning, Error>
    where
        L: IntoIterator<Item = Line>,
        L::IntoIter: Send + 'static,
    {
        // The depth of a scan, so that its counts are those of the plan.
        let check = LineCheck::new(probe, requirements, probe.depth());
        let mut urls = Seen::default();
        let of_urls = scope.clone();
        let begin = move |line: Line| {
            let target = Target::of(&line.subject);
            let key = match &target {
                Target::Url(url) => Some(Key::of_url(&of_urls, url)),
                Target::Malformed { text, .. } => Some(Key::of_text(&of_urls, text)),
                // A file is identified by its bytes, which are not read yet.
                Target::File { .. } | Target::Unusable(_) => None,
            };
            let url = key.map(head);
            // Called in the order of the list: of equal URLs the first is checked, as in a scan.
            let is_new = url.map_or(Ok(true), |url| urls.is_new(url));
            let begun = is_new.map(|is_new| is_new.then(|| planned(&check, target)));
            async move {
                let planned = match begun {
                    Ok(None) => Planned::Again,
                    Ok(Some(planned)) => planned.await.unwrap_or(Planned::Unreadable),
                    // Whether the URL is new is unknown. A guess could count it twice.
                    Err(_) => Planned::Unreadable,
                };
                (url, planned)
            }
        };
        Ok(Planning {
            checking: Checking::start(lines, probe.ahead(), begin)?,
            scope: scope.clone(),
            files: Seen::default(),
            flawed: Table::unfiltered(),
            plan: Self {
                scenes: u64::try_from(scope.scenes().len()).unwrap_or(u64::MAX),
                ..Self::default()
            },
        }
        .with_terms(&Terms::V1))
    }
}

impl Planning {
    /// Sets the limits of the API that the images would be submitted to. Default: [`Terms::V1`].
    #[must_use]
    pub fn with_terms(mut self, terms: &Terms) -> Self {
        self.plan.max_tasks = u64::try_from(terms.max_tasks).unwrap_or(u64::MAX);
        self.plan.frame_cap = terms.frame_cap;
        self
    }

    /// Waits for the next line to be checked. Returns `false` after the last line. Cancel safe.
    ///
    /// A line without a verdict is counted as [`unreadable`](Plan::unreadable).
    pub async fn advance(&mut self) -> bool {
        let Some((url, planned)) = self.checking.next().await else {
            return false;
        };
        let plan = &mut self.plan;
        plan.lines = plan.lines.saturating_add(1);
        let is_again = matches!(planned, Planned::Again);
        let (counted, is_duplicate) = match (planned, url) {
            (Planned::Url(verdict), _) => {
                plan.bill(&verdict);
                (Counted::of(&verdict), false)
            }
            (Planned::File(checked), _) => {
                let (key, verdict) = (checked.key(&self.scope), &checked.verdict);
                match key.map_or(Ok(true), |key| self.files.is_new(head(key))) {
                    Ok(true) => {
                        plan.bill(verdict);
                        (Counted::of(verdict), false)
                    }
                    Ok(false) => (Counted::of(verdict), true),
                    // Whether it would be billed is unknown.
                    Err(_) => (Counted::UNREADABLE, false),
                }
            }
            (Planned::Again, Some(url)) => match self.flawed.get(&url) {
                Ok(flawed) => (flawed.map_or(Counted::PLAIN, Counted::from_bytes), true),
                Err(_) => (Counted::UNREADABLE, false),
            },
            (Planned::Again | Planned::Unreadable, _) => (Counted::UNREADABLE, false),
        };
        plan.count(counted);
        plan.duplicates = plan.duplicates.saturating_add(is_duplicate.into());
        if let (Some(url), false, false) = (url, is_again, counted == Counted::PLAIN) {
            self.flawed.insert(url, counted.to_bytes());
        }
        true
    }

    /// Returns the plan for the lines checked so far.
    pub fn plan(&self) -> Plan {
        self.plan.clone()
    }
}

/// Starts the check of a line, as a task if it needs one.
fn planned(
    check: &LineCheck,
    target: Target<'_>,
) -> impl Future<Output = Result<Planned, Error>> + use<> {
    let check = check.clone();
    match check.first(target) {
        Step::Decided(result) => Either::Left(ready(result.map(Planned::Url))),
        Step::Url(url) => {
            Either::Right(spawn(async move { check.url(url).await.map(Planned::Url) }))
        }
        Step::File { path, folders } => Either::Right(spawn(async move {
            let read = check.read(move |depth, requirements| {
                files::check(&path, folders.as_ref(), (depth, depth), requirements)
            });
            read.await.map(Planned::File)
        })),
    }
}
