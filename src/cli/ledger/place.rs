//! The location of a scan's ledger, and the sandbox if it replaces the service.

use std::sync::Arc;

use tempfile::TempDir;

use crate::{
    cli::{
        args::LedgerOption,
        exit::{Failure, reason},
    },
    sandbox::Sandbox,
};

/// Where the ledger is, and the sandbox if it replaces the service.
#[derive(Debug)]
pub(crate) struct LedgerPlace {
    ledger: LedgerOption,
    /// Removed with the ledger in it when the scan ends.
    temporary: Option<TempDir>,
    sandbox: Option<Arc<Sandbox>>,
}

impl LedgerPlace {
    /// The place that the options of `scan` name.
    pub(crate) async fn new(
        ledger: &LedgerOption,
        has_sandbox: bool,
        no_ledger: bool,
    ) -> Result<Self, Failure> {
        let sandbox = if has_sandbox {
            Some(Arc::new(Sandbox::start().await?))
        } else {
            None
        };
        if sandbox.is_none() && !no_ledger {
            return Ok(Self::named(ledger));
        }
        let folder = tempfile::Builder::new().prefix("greenlight-").tempdir();
        let folder = folder.map_err(|error| {
            Failure::new(format!(
                "cannot make a temporary folder: {}",
                reason(&error)
            ))
            .hint("--ledger FILE keeps the scan in a file instead")
        })?;
        Ok(Self {
            ledger: LedgerOption {
                ledger: Some(folder.path().join("greenlight.db")),
            },
            temporary: Some(folder),
            sandbox,
        })
    }

    /// The ledger that the user names.
    pub(crate) fn named(option: &LedgerOption) -> Self {
        Self {
            ledger: option.clone(),
            temporary: None,
            sandbox: None,
        }
    }

    pub(crate) const fn ledger(&self) -> &LedgerOption {
        &self.ledger
    }

    /// Whether nothing of the scan is kept after its end.
    pub(crate) const fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    pub(crate) const fn sandbox(&self) -> Option<&Arc<Sandbox>> {
        self.sandbox.as_ref()
    }
}
