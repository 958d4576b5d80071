//! From the options to a ledger and a pipeline over it.

use std::{sync::Arc, time::Duration};

use super::{lock::Lock, unopened};
use crate::{
    cli::{
        args::{POLL, ScanSettings},
        clock,
        exit::Failure,
    },
    error::{Error, ErrorKind},
    green::{Client, Scene},
    ledger::{Ledger as _, Scope, SqliteLedger},
    pipeline::Pipeline,
};

/// How many images a second are submitted unless told: nine tenths of what an account has.
const RATE: u32 = 45;

/// How long a request to submit may take with all its attempts.
const SEND_LIMIT: Duration = Duration::from_secs(60);

/// The longest time for which an image is held by a process that may have died.
const LEASE: Duration = Duration::from_secs(60);

/// A ledger that is open and a pipeline over it.
pub(super) struct Setup {
    pub(super) ledger: Arc<SqliteLedger>,
    pub(super) pipeline: Pipeline,
    pub(super) lock: Lock,
}

/// Who asks whom.
struct Parties {
    client: Client,
    account: String,
}

impl Parties {
    async fn new(settings: &ScanSettings) -> Result<Self, Failure> {
        // Named first: it is what is missing most often.
        let client = settings.service.client()?;
        let keys = settings.service.keys().await?;
        Ok(Self {
            client: settings.client_with(client, keys.chain)?,
            account: settings.account.clone().unwrap_or(keys.id),
        })
    }

    fn scope(&self, scenes: &[Scene]) -> Scope {
        let scenes: Vec<_> = scenes.iter().map(ToString::to_string).collect();
        let scenes: Vec<_> = scenes.iter().map(String::as_str).collect();
        Scope::new(&self.account, self.client.host(), &scenes)
    }
}

impl Setup {
    /// Opens the ledger that is named, or makes it.
    pub(super) async fn begin(settings: &ScanSettings) -> Result<Self, Failure> {
        let parties = Parties::new(settings).await?;
        let scope = parties.scope(&settings.scenes());
        Self::open(settings, parties, scope).await
    }

    /// Opens the ledger that is named if it exists. What is looked for is what it was begun with,
    /// unless told.
    pub(super) async fn reopen(settings: &ScanSettings) -> Result<Self, Failure> {
        let parties = Parties::new(settings).await?;
        let found = super::open_to_write(&settings.ledger)?;
        let kept = found.scope().scenes().iter();
        let kept: Vec<_> = kept.map(|scene| Scene::from_word(scene)).collect();
        let wanted = parties.scope(settings.scenes.as_deref().unwrap_or(&kept));
        drop(found);
        Self::open(settings, parties, wanted).await
    }

    async fn open(
        settings: &ScanSettings,
        parties: Parties,
        scope: Scope,
    ) -> Result<Self, Failure> {
        let path = settings.ledger.path();
        let opened = SqliteLedger::open(path, &scope);
        let ledger = Arc::new(opened.map_err(|error| explain(error, settings))?);
        let lock = Lock::take(path)?;
        if lock.is_exclusive() {
            // Whoever held images is gone.
            ledger.take_over(settings.settle, clock::now()).await?;
        }
        let how = &settings.check;
        let rate = settings.rate.unwrap_or(RATE);
        let send_limit = SEND_LIMIT.min(settings.settle / 2);
        let shared: Arc<SqliteLedger> = Arc::clone(&ledger);
        let pipeline = Pipeline::new(parties.client, how.probe(None)?, shared, scope)
            .requirements(how.requirements())
            .probes(usize::from(how.concurrency))
            .rates(Some(rate), Some(rate))
            .poll_interval(settings.poll.unwrap_or(POLL))
            .settle_after(send_limit, settings.settle)
            .lease(LEASE.min(settings.settle));
        Ok(Self {
            ledger,
            pipeline,
            lock,
        })
    }
}

/// What to do about a ledger that cannot be used.
fn explain(error: Error, settings: &ScanSettings) -> Failure {
    let is_of_others =
        error.kind() == ErrorKind::Usage && super::open_to_read(&settings.ledger).is_ok();
    let failure = unopened(error, &settings.ledger);
    if !is_of_others {
        return failure;
    }
    failure.hint(
        "each account, service and choice of scenes has a ledger of its own, which --ledger FILE \
         names; keys that change (temporary ones) share one if --account NAME names their account",
    )
}
