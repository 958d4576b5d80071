//! Many URLs: results in the order of the input, as many at a time as the probe allows.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use futures_util::{
    StreamExt as _,
    stream::{self, Buffered},
};

use super::Probe;
use crate::{
    error::Error,
    image_url::ImageUrl,
    requirements::Requirements,
    spawned::{Spawned, spawn},
    verdict::Verdict,
};

/// How many times the concurrency is read ahead, so that URLs that wait for one host do not delay
/// those of others.
const AHEAD: usize = 8;

/// The verdicts of many URLs, in the order of the input; see [`Probe::check_all`].
///
/// Dropping it ends every download that is in progress.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::{ImageUrl, Requirements, probe::Probe};
///
/// let urls = ["http://127.0.0.1/a.png", "http://10.0.0.1/b.png"].map(ImageUrl::parse);
/// let urls: Vec<_> = urls.into_iter().collect::<Result<_, _>>()?;
/// let mut checks = Probe::new().check_all(urls, &Requirements::ASYNC);
/// while let Some(verdict) = checks.next().await {
///     let rejected = verdict?.into_result().unwrap_err();
///     assert_eq!(rejected.violations()[0].code().name(), "url/private-address");
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "no URL is read before the first verdict is requested"]
pub struct Checks<I: Iterator<Item = ImageUrl>> {
    running: Buffered<stream::Iter<Begun<I>>>,
}

impl Probe {
    /// Checks many images.
    ///
    /// The verdicts come in the order of the URLs. The iterator is read only as far ahead as the
    /// concurrency needs, and downloads begin only while verdicts are taken: memory stays flat for
    /// a list of any length. A slow URL delays those after it, at most by its deadline. A check
    /// that panics is an error of kind [`Internal`](crate::ErrorKind::Internal) and ends no other.
    ///
    /// ```
    /// # #[cfg(feature = "sandbox")]
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = greenlight::sandbox::Sandbox::builder().serve("fixtures/images").start().await?;
    /// # let folder = server.folder_url().expect("a folder is served");
    /// # let list = format!("{folder}/png/rgb.png\n{folder}/png/empty.png");
    /// # let policy = greenlight::probe::AddressPolicy::new().allow("127.0.0.1/32")?;
    /// # let probe = Probe::builder().policy(policy).build()?;
    /// use greenlight::{Decision, ImageUrl, Requirements, probe::Probe};
    ///
    /// let urls = list.lines().filter_map(|line| ImageUrl::parse(line).ok());
    /// let mut checks = probe.check_all(urls, &Requirements::ASYNC);
    /// let mut decisions = Vec::new();
    /// while let Some(verdict) = checks.next().await {
    ///     decisions.push(verdict?.decision());
    /// }
    /// assert_eq!(decisions, [Decision::Accept, Decision::Reject]); // the second file is empty
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "sandbox"))]
    /// # fn main() {}
    /// ```
    pub fn check_all<U>(&self, urls: U, requirements: &Requirements) -> Checks<U::IntoIter>
    where
        U: IntoIterator<Item = ImageUrl>,
    {
        let begun = Begun {
            probe: self.clone(),
            requirements: requirements.clone(),
            urls: urls.into_iter(),
        };
        Checks {
            running: stream::iter(begun).buffered(self.ahead()),
        }
    }

    /// The number of images of a list that are in progress before the first of them is done.
    pub(crate) fn ahead(&self) -> usize {
        self.inner.concurrency.saturating_mul(AHEAD)
    }
}

impl<I: Iterator<Item = ImageUrl>> Checks<I> {
    /// Returns the next URL's verdict; `None` after the last.
    pub async fn next(&mut self) -> Option<Result<Verdict<ImageUrl>, Error>> {
        self.running.next().await
    }
}

impl<I: Iterator<Item = ImageUrl>> Stream for Checks<I> {
    type Item = Result<Verdict<ImageUrl>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.running.poll_next_unpin(cx)
    }
}

impl<I: Iterator<Item = ImageUrl>> fmt::Debug for Checks<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checks").finish_non_exhaustive()
    }
}

/// URLs whose checks begin as they are taken.
struct Begun<I> {
    probe: Probe,
    requirements: Requirements,
    urls: I,
}

impl<I: Iterator<Item = ImageUrl>> Iterator for Begun<I> {
    type Item = Spawned<Verdict<ImageUrl>>;

    fn next(&mut self) -> Option<Self::Item> {
        let url = self.urls.next()?;
        let (probe, requirements) = (self.probe.clone(), self.requirements.clone());
        // A task of its own, so that a check that panics does not end the others.
        Some(spawn(async move { probe.check(&url, &requirements).await }))
    }
}
