//! Opens the ledger that the options name, and builds a pipeline over it.

use std::{sync::Arc, time::Duration};

use super::{
    location::{self, Guard, NotOpened, Opened, Role, unopened},
    place::LedgerPlace,
};
use crate::{
    cli::{
        args::{POLL, ScanSettings},
        exit::Failure,
    },
    error::{Error, ErrorKind},
    green::{Api, Client, Credentials, Secret},
    ledger::{Ledger, Scope},
    pipeline::Pipeline,
    sandbox::Sandbox,
};
use greenlight::Scene;

/// Default interval between polls of a sandbox in this process.
const SANDBOX_POLL: Duration = Duration::from_millis(100);

/// Longest time for one request to submit, all attempts included.
const SEND_LIMIT: Duration = Duration::from_secs(60);

/// Longest time for which a process that may have ended holds an image.
const LEASE: Duration = Duration::from_secs(60);

/// An open ledger and a pipeline over it.
pub(super) struct Setup {
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) pipeline: Pipeline,
    pub(super) guard: Guard,
}

/// The service and the account that pays.
struct Parties {
    client: Arc<dyn Api>,
    account: String,
}

impl Parties {
    /// Fetches the credentials. Called after every check that needs none, because a role's may take
    /// seconds.
    async fn new(settings: &ScanSettings, client: Arc<dyn Api>) -> Result<Self, Failure> {
        let found = settings.service.key_id().await?;
        Ok(Self {
            client,
            account: settings.account.clone().unwrap_or(found),
        })
    }

    fn of_sandbox(settings: &ScanSettings, sandbox: &Sandbox) -> Result<Self, Failure> {
        let key = sandbox.credentials();
        let client = Client::builder()
            .endpoint(&sandbox.endpoint())
            .credentials(Credentials::new(key.id(), Secret::new(key.secret())));
        Ok(Self {
            client: settings.client_with(client)?,
            account: "sandbox".to_owned(),
        })
    }

    fn scope(&self, scenes: &[Scene]) -> Scope {
        Scope::new(scenes)
            .with_account(&self.account)
            .with_service(&self.client.service())
    }
}

impl Setup {
    /// Opens the ledger at `place`, or creates it.
    pub(super) async fn begin(
        settings: &ScanSettings,
        place: &LedgerPlace,
        role: Role,
    ) -> Result<Self, Failure> {
        let scenes = settings.service.api.api.chosen(&settings.scenes)?;
        let parties = if let Some(sandbox) = place.sandbox() {
            Parties::of_sandbox(settings, sandbox)?
        } else {
            let client = client(settings)?;
            location::examine(place.ledger()).await?;
            Parties::new(settings, client).await?
        };
        let scope = parties.scope(&scenes);
        Self::open(settings, parties, scope, place, role).await
    }

    /// Opens the ledger at `place` if it exists. The scenes are those it was created with, unless
    /// the options name others.
    pub(super) async fn reopen(
        settings: &ScanSettings,
        place: &LedgerPlace,
        role: Role,
    ) -> Result<Self, Failure> {
        let named = settings.service.api.api.named(&settings.scenes)?;
        let client = client(settings)?;
        let found = location::open_to_write(&settings.ledger).await?;
        let parties = Parties::new(settings, client).await?;
        let wanted = parties.scope(named.as_deref().unwrap_or(found.scope().scenes()));
        // Closed before the run opens it again, with the scope to compare.
        drop(found);
        Self::open(settings, parties, wanted, place, role).await
    }

    async fn open(
        settings: &ScanSettings,
        parties: Parties,
        scope: Scope,
        place: &LedgerPlace,
        role: Role,
    ) -> Result<Self, Failure> {
        let opened = location::open_for_run(place.ledger(), &scope, role, settings.settle).await;
        let Opened { ledger, guard } = match opened {
            Ok(opened) => opened,
            Err(NotOpened::Other(failure)) => return Err(failure),
            Err(NotOpened::Ledger(error)) => return Err(explain(error, settings).await),
        };
        let how = &settings.check;
        let is_sandbox = place.sandbox().is_some();
        let service = &settings.service;
        let default = service.api.api.requirements(service.region.as_deref());
        let requirements = how.requirements(&default)?;
        let poll = if is_sandbox { SANDBOX_POLL } else { POLL };
        let own = place.sandbox().map(|sandbox| sandbox.address());
        // A request must end before another run takes its images for unanswered and submits them
        // again.
        let send_limit = SEND_LIMIT.min(settings.settle / 2);
        let pipeline = Pipeline::new(
            parties.client,
            how.probe(&requirements, own)?,
            Arc::clone(&ledger),
            scope,
        )
        .requirements(requirements)
        .checked_within(settings.checked_within)
        .probes(usize::from(how.reach.concurrency))
        .poll_interval(settings.poll.unwrap_or(poll))
        .send_limit(send_limit)
        .settle_after(settings.settle)
        .upload_fallback(settings.upload_fallback)
        .lease(LEASE.min(settings.settle));
        // A sandbox has no account whose limits must be kept.
        let pipeline = if settings.rate.is_some() || is_sandbox {
            pipeline.image_rate(settings.rate).query_rate(settings.rate)
        } else {
            pipeline
        };
        Ok(Self {
            ledger,
            pipeline,
            guard,
        })
    }
}

/// The client of the service that the options name.
fn client(settings: &ScanSettings) -> Result<Arc<dyn Api>, Failure> {
    let service = &settings.service;
    settings.client_with(service.client()?.credentials(service.chain()))
}

/// Adds what to do about a ledger that cannot be used.
async fn explain(error: Error, settings: &ScanSettings) -> Failure {
    let is_of_others =
        error.kind() == ErrorKind::Usage && super::open_to_read(&settings.ledger).await.is_ok();
    let failure = unopened(error, &settings.ledger);
    if !is_of_others {
        return failure;
    }
    failure.hint(
        "each account, service and choice of scenes has a ledger of its own, which --ledger FILE \
         names; keys that change (temporary ones) share one if --account NAME names their account",
    )
}
