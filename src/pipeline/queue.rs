//! Adds images to a run that waits for them.

use std::sync::Arc;

use super::{Line, Run, intake, shared::Shared};
use crate::{
    error::{Error, ErrorKind},
    ledger::{Enqueued, Key},
    spawned::joined,
};

/// Adds images to a [`Run`]. Clones add to the same run.
///
/// ```
/// use greenlight::{Error, ledger::Source, pipeline::{Line, Queue, Subject}};
///
/// /// Adds an image of a running service. A handler of requests clones the queue.
/// async fn add(queue: &Queue, url: &str, request: &str) -> Result<bool, Error> {
///     let source = Source { origin: request.to_owned(), line: 1, ..Source::default() };
///     let (key, enqueued) = queue.add(Line { subject: Subject::Url(url.to_owned()), source }).await?;
///     println!("{key}: {}", enqueued.state);
///     Ok(enqueued.new_image)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Queue {
    shared: Arc<Shared>,
}

impl Run {
    /// Returns a handle that adds images to this run, for one that
    /// [`Pipeline::open`](super::Pipeline::open) started.
    pub fn queue(&self) -> Queue {
        Queue {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl Queue {
    /// Adds the image of one line. Returns its key, and what the ledger knows of it. An image that the
    /// ledger knows is not submitted again.
    ///
    /// # Errors
    ///
    /// Returns an error if the ledger fails.
    pub async fn add(&self, line: Line) -> Result<(Key, Enqueued), Error> {
        let pipeline = self.shared.pipeline.clone();
        // A file is read to compute its hash.
        let checking = tokio::task::spawn_blocking(move || intake::note::check(&pipeline, line));
        let image = joined(checking.await)?;
        let key = image.key;
        let noted = intake::note(&self.shared, vec![image]).await?;
        let noted = noted.into_iter().next();
        let noted = noted.ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                "add an image: the ledger returned nothing",
            )
        })?;
        Ok((key, noted))
    }
}
