//! `greenlight serve`: an HTTP server that checks images for other programs.

use std::env;

use super::{
    args::{ApiVersion, ScanSettings, ServeOptions},
    exit::{Exit, Failure},
    interrupt::Interrupt,
    ledger::{self, Moderating},
    printer,
    terminal::{self, Terminal},
};
use crate::{
    green::{Callback, Secret, callback::Verifier},
    serve::{Moderation, Server},
};

/// Serves requests until it is interrupted.
pub(crate) async fn run(options: ServeOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    let ScanSettings { check, service, .. } = &options.scan;
    let default = service.api.api.requirements(service.region.as_deref());
    let requirements = check.requirements(&default)?;
    let probe = check.probe(&requirements, None)?;
    let tokens = options.tokens()?;
    if tokens.is_empty() && !options.listen.is_local() {
        let message = format!("{} can be reached from other hosts", options.listen);
        return Err(Failure::new(message).hint(
            "name the tokens of its clients with --token-file FILE, or listen on 127.0.0.1 or a socket",
        ));
    }
    let moderating = moderate(&options).await?;
    let mut server = Server::builder()
        .listen(options.listen.clone())
        .requirements(requirements)
        .depth(check.depth.into())
        .probe(probe)
        .limits(options.limits())
        .tokens(tokens);
    if let Some(Moderating { moderation, .. }) = &moderating {
        server = server.moderation(adjust(moderation.clone(), &options)?);
    }
    let server = server.bind().await?;
    let line = format!("listening on {}\n", server.url());
    if let Err(error) = Terminal::stdout().data(line.as_bytes()) {
        return printer::ended(Err(error), || Exit::Success);
    }
    server
        .run(async {
            interrupt.wait().await;
            terminal::note(
                "finishing the requests in progress; interrupt again to end immediately",
            );
        })
        .await;
    // Service managers end a server with a signal, and expect success.
    Ok(Exit::Success)
}

/// Opens the ledger, if images are to be submitted.
async fn moderate(options: &ServeOptions) -> Result<Option<Moderating>, Failure> {
    if options.has_service() {
        let folder = options.images.as_deref();
        let callback = callback(options)?;
        let moderating = ledger::moderate(&options.scan, options.sandbox, folder, callback);
        return Box::pin(moderating).await.map(Some);
    }
    if options.webhook.webhook()?.is_some() {
        return Err(
            Failure::new("a webhook is named, but no service: there are no outcomes")
                .hint("name one with --region REGION, --endpoint URL or --sandbox"),
        );
    }
    if options.scan.ledger.ledger.is_some() {
        return Err(Failure::new("a ledger is named, but no service")
            .hint("name one with --region REGION, --endpoint URL or --sandbox"));
    }
    Ok(None)
}

fn adjust(moderation: Moderation, options: &ServeOptions) -> Result<Moderation, Failure> {
    let mut moderation = moderation
        .on_outage(options.on_outage)
        .max_held(options.max_held.bytes());
    if let Some(age) = options.url_age {
        moderation = moderation.url_age(age);
    }
    Ok(match options.webhook.webhook()? {
        Some(webhook) => moderation.webhook(webhook),
        None => moderation,
    })
}

/// The callbacks to request from the service, and what verifies them.
#[expect(clippy::disallowed_methods, reason = "a secret is not an option")]
fn callback(options: &ServeOptions) -> Result<Option<(Callback, Verifier)>, Failure> {
    let (Some(url), Some(uid)) = (&options.callback_url, &options.callback_uid) else {
        return Ok(None);
    };
    let seed = env::var("CALLBACK_SEED").map_err(|_| {
        Failure::new("no seed for callbacks: CALLBACK_SEED is not set")
            .hint("set it to up to 64 random letters, digits and _, the same at every start")
    })?;
    let api = match options.scan.service.api.api {
        ApiVersion::V1 => "1.0",
        ApiVersion::V2 => "2.0",
    };
    let url = format!("{}/callbacks/{api}", url.trim_end_matches('/'));
    let callback = Callback::new(&url, Secret::new(&seed))?;
    let verifier = Verifier::new(uid, &callback);
    Ok(Some((callback, verifier)))
}
