//! Many URLs: results in the order of the input, as many at a time as the probe allows.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    panic,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tokio::task::JoinHandle;

use super::Probe;
use crate::{
    error::{Error, ErrorKind},
    image_url::ImageUrl,
    requirements::Requirements,
    verdict::Verdict,
};

/// How many times the concurrency is read ahead, so that URLs that wait for one host do not keep
/// those of others from being asked for.
const AHEAD: usize = 8;

/// What a check comes to.
type Checked = Result<Verdict<ImageUrl>, Error>;

/// The verdicts of many URLs, in the order of the input; see [`Probe::check_all`].
///
/// Dropping it ends every download that is under way.
#[must_use = "nothing is asked for until the first verdict is"]
pub struct Checks<I> {
    probe: Probe,
    requirements: Requirements,
    urls: I,
    ahead: usize,
    running: VecDeque<Running>,
}

impl Probe {
    /// Reads and judges many images.
    ///
    /// The verdicts come in the order of the URLs. The iterator is read only as far ahead as the
    /// concurrency needs, and downloads begin only while verdicts are taken: memory stays flat for a
    /// list of any length. A slow URL delays those after it, at most by its deadline.
    ///
    /// ```no_run
    /// use greenlight::{ImageUrl, Probe, Requirements};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let list = "https://example.com/a.png\nhttps://example.com/b.png";
    /// let urls = list.lines().filter_map(|line| ImageUrl::parse(line).ok());
    /// let mut checks = Probe::new().check_all(urls, &Requirements::ASYNC);
    /// while let Some(verdict) = checks.next().await {
    ///     let verdict = verdict?;
    ///     println!("{} {}", verdict.decision(), verdict.subject());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn check_all<U>(&self, urls: U, requirements: &Requirements) -> Checks<U::IntoIter>
    where
        U: IntoIterator<Item = ImageUrl>,
    {
        Checks {
            probe: self.clone(),
            requirements: requirements.clone(),
            urls: urls.into_iter(),
            ahead: self.inner.concurrency.saturating_mul(AHEAD),
            running: VecDeque::new(),
        }
    }
}

impl<I: Iterator<Item = ImageUrl>> Checks<I> {
    /// The next URL's verdict; `None` after the last.
    pub async fn next(&mut self) -> Option<Checked> {
        poll_fn(|cx| self.poll_verdict(cx)).await
    }

    fn poll_verdict(&mut self, cx: &mut Context<'_>) -> Poll<Option<Checked>> {
        while self.running.len() < self.ahead
            && let Some(url) = self.urls.next()
        {
            let (probe, requirements) = (self.probe.clone(), self.requirements.clone());
            let check = async move { probe.check(&url, &requirements).await };
            self.running.push_back(Running(tokio::spawn(check)));
        }
        let Some(Running(first)) = self.running.front_mut() else {
            return Poll::Ready(None);
        };
        let done = ready!(Pin::new(first).poll(cx));
        self.running.pop_front();
        Poll::Ready(Some(match done {
            Ok(checked) => checked,
            Err(failed) => match failed.try_into_panic() {
                Ok(panicked) => panic::resume_unwind(panicked),
                Err(_cancelled) => Err(Error::new(ErrorKind::Io, "the runtime is shutting down")),
            },
        }))
    }
}

impl<I: Iterator<Item = ImageUrl> + Unpin> Stream for Checks<I> {
    type Item = Checked;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Checked>> {
        self.get_mut().poll_verdict(cx)
    }
}

impl<I> fmt::Debug for Checks<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checks")
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

/// A check under way, ended with its handle.
struct Running(JoinHandle<Checked>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}
