//! Sources in the caller's order.

use super::{ProvideCredentials, Provided};

/// A list of sources: the first that has credentials is used.
///
/// A source that has none is skipped. One that should have some but fails ends the search:
/// continuing could use another account than the intended one. There is no default list.
///
/// ```
/// use greenlight::green::{Chain, Client, FromCliProfile, FromEnvironment};
///
/// let sources = Chain::new().then(FromEnvironment).then(FromCliProfile::new());
/// let client = Client::builder().region("ap-southeast-1").credentials(sources).build()?;
/// # Ok::<(), greenlight::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Chain {
    sources: Vec<Box<dyn ProvideCredentials>>,
}

impl Chain {
    /// Makes a list without sources.
    pub const fn new() -> Self {
        Self {
            sources: Vec::new(),
        }
    }

    /// Adds a source after those already named.
    #[must_use]
    pub fn then(mut self, source: impl ProvideCredentials + 'static) -> Self {
        self.sources.push(Box::new(source));
        self
    }
}

impl ProvideCredentials for Chain {
    fn provide(&self) -> Provided<'_> {
        Box::pin(async {
            for source in &self.sources {
                // An error ends the search: the next source may belong to another account.
                if let Some(credentials) = source.provide().await? {
                    return Ok(Some(credentials));
                }
            }
            Ok(None)
        })
    }
}
