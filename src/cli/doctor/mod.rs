//! `greenlight doctor`: tests each prerequisite of a scan, and prints one line with a remedy for
//! each.

mod finding;
mod network;

use std::{env, path::Path, sync::Arc, time::Duration};

use self::finding::{Finding, State};
use super::{
    args::{DoctorOptions, LedgerLocation, LedgerOption},
    exit::{Exit, Failure, NOT_OPENED, reason},
    human,
    interrupt::Interrupt,
    ledger,
    printer::{self, Printer},
};
use crate::{
    error::{Error, ErrorKind},
    green::{Api, Client, ClientBuilder, Credentials, Secret},
    sandbox::Sandbox,
};
use greenlight::TaskId;

/// Time limit of each step that waits for the network.
const LIMIT: Duration = Duration::from_secs(10);

/// A skew that the service rejects, in seconds (signature page: 15 minutes).
const MAX_SKEW: u64 = 15 * 60;

/// A skew that is reported as a warning, in seconds.
const SOME_SKEW: u64 = 60;

/// A task that the service does not know, so that the call costs nothing.
const NO_TASK: &str = "greenlight-doctor";

/// Variables that name a proxy for common programs.
const PROXIES: [&str; 3] = ["https_proxy", "all_proxy", "http_proxy"];

/// Tests everything, and prints each result when it is known.
pub(crate) async fn run(options: DoctorOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    let mut printer = Printer::new::<Finding>(&options.print)?;
    let mut worst = Exit::Success;
    let mut print = |finding: Finding| {
        if finding.state == State::Failed {
            worst = Exit::Failed;
        }
        printer.print(&finding)
    };
    let all = examine(&options, &mut print);
    let printed = tokio::select! {
        biased;
        () = interrupt.wait() => return Ok(Exit::Interrupted),
        printed = all => printed,
    };
    let printed = printed.and_then(|()| printer.finish());
    printer::ended(printed.map(|()| worst), || worst)
}

type Print<'a> = &'a mut dyn FnMut(Finding) -> std::io::Result<()>;

async fn examine(options: &DoctorOptions, print: Print<'_>) -> std::io::Result<()> {
    let mut account = None;
    match service(options).await {
        Err(failure) => {
            print(Finding::failed(
                "region",
                &failure.to_string(),
                failure
                    .advice()
                    .or(Some("--region or --endpoint names the service")),
            ))?;
        }
        Ok(service) => {
            print(Finding::ok("region", service.client.host()))?;
            print(proxies())?;
            for finding in network::examine(&service.url).await {
                print(finding)?;
            }
            account = key(&service, options).await;
            match &account {
                Some(Ok(id)) => print(Finding::ok("key", &format!("the key {id}")))?,
                Some(Err(failure)) => {
                    print(Finding::failed(
                        "key",
                        &failure.to_string(),
                        failure.advice(),
                    ))?;
                }
                None => print(Finding::ok("key", "that of the sandbox"))?,
            }
            if !matches!(account, Some(Err(_))) {
                for finding in call(&*service.client).await {
                    print(finding)?;
                }
            }
        }
    }
    let account = account.and_then(Result::ok);
    print(ledger(&options.ledger, account.as_deref()).await)
}

/// The service to test, and its sandbox, which runs until this is dropped.
struct Service {
    client: Arc<dyn Api>,
    url: String,
    sandbox: Option<Sandbox>,
}

async fn service(options: &DoctorOptions) -> Result<Service, Failure> {
    let limited = |client: ClientBuilder| client.deadline(LIMIT).max_attempts(2);
    if options.sandbox {
        let sandbox = Sandbox::start().await?;
        let key = sandbox.credentials();
        let client = Client::builder()
            .endpoint(&sandbox.endpoint())
            .credentials(Credentials::new(key.id(), Secret::new(key.secret())));
        return Ok(Service {
            client: options.service.api.api.build(limited(client))?,
            url: sandbox.endpoint(),
            sandbox: Some(sandbox),
        });
    }
    let service = &options.service;
    let client = limited(service.client()?.credentials(service.chain()));
    let client = service.api.api.build(client)?;
    Ok(Service {
        url: match &service.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("https://{}", client.host()),
        },
        client,
        sandbox: None,
    })
}

/// The key's id; none for a sandbox.
async fn key(service: &Service, options: &DoctorOptions) -> Option<Result<String, Failure>> {
    if service.sandbox.is_some() {
        return None;
    }
    let found = tokio::time::timeout(LIMIT, options.service.key_id()).await;
    Some(found.unwrap_or_else(|_| {
        Err(Failure::new("no source of credentials answered in time")
            .hint("--credentials names the sources to ask"))
    }))
}

/// Requests go to the service directly.
fn proxies() -> Finding {
    let is_set = |name: &&str| {
        let upper = name.to_ascii_uppercase();
        env::var_os(name)
            .or_else(|| env::var_os(upper))
            .is_some_and(|value| !value.is_empty())
    };
    let set: Vec<_> = PROXIES
        .iter()
        .filter(|name| is_set(name))
        .copied()
        .collect();
    if set.is_empty() {
        return Finding::ok("proxy", "none is set");
    }
    let names = set.join(", ");
    Finding {
        state: State::Warning,
        advice: Some(
            "make sure that this host reaches the service and the images itself".to_owned(),
        ),
        ..Finding::ok(
            "proxy",
            &format!("{names}: set, and not used by greenlight"),
        )
    }
}

/// Tests the service and the key with one call, and the clock with the date of its response.
async fn call(client: &dyn Api) -> Vec<Finding> {
    let Ok(task) = TaskId::parse(NO_TASK) else {
        return Vec::new();
    };
    let answered = client.results(&[task]).await;
    let called = match answered {
        Ok(_) => Finding::ok("service", "answers, and accepts the key"),
        Err(error) => Finding::failed("service", &error.report(), Some(advice(&error))),
    };
    let mut findings = vec![called];
    findings.extend(client.clock_skew().map(clock));
    findings
}

fn advice(error: &Error) -> &'static str {
    match error.kind() {
        _ if error.service_code() == Some(NOT_OPENED) => {
            "the account has not opened 1.0; it may have opened 2.0: try --api 2.0"
        }
        ErrorKind::Refused | ErrorKind::Credentials => {
            "check the key: that it is active, and may use the service (AliyunYundunGreenWebFullAccess)"
        }
        ErrorKind::Throttled => "wait: the account is at its limit",
        ErrorKind::Network | ErrorKind::Service => {
            "check the lines above; if they are well, try again later"
        }
        _ => "check the endpoint: something else may answer there",
    }
}

fn clock(skew: i64) -> Finding {
    let seconds = skew.unsigned_abs();
    let direction = if skew > 0 { "behind" } else { "ahead of" };
    let text = match seconds {
        0 => "agrees with the service's".to_owned(),
        _ => format!("{seconds} s {direction} the service's"),
    };
    let advice = Some("set the clock of this host, with NTP for instance".to_owned());
    match seconds {
        0..SOME_SKEW => Finding::ok("clock", &text),
        SOME_SKEW..MAX_SKEW => Finding {
            state: State::Warning,
            advice,
            ..Finding::ok("clock", &text)
        },
        // The client corrects it, from the first refusal on.
        _ => Finding::failed("clock", &text, advice.as_deref()),
    }
}

async fn ledger(option: &LedgerOption, account: Option<&str>) -> Finding {
    let name = option.text();
    if let LedgerLocation::File(path) = option.location()
        && !path.exists()
    {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        // A file without a name, so that the test leaves nothing behind.
        return match tempfile::tempfile_in(folder) {
            Ok(_) => Finding::ok("ledger", &format!("{name} does not exist; scan creates it")),
            Err(error) => Finding::failed(
                "ledger",
                &format!("{name} cannot be created: {}", reason(&error)),
                Some("--ledger FILE names one in a folder that can be written"),
            ),
        };
    }
    match ledger::open_to_read(option).await {
        Err(failure) => Finding::failed(
            "ledger",
            &failure.to_string(),
            failure.advice().or(Some("--ledger names another")),
        ),
        Ok(ledger) => {
            let scope = ledger.scope();
            let text = format!(
                "{name}: {} at {}, {}",
                scope.account(),
                scope.service(),
                human::scene_names(scope.scenes(), ",")
            );
            let is_of_others = account.is_some_and(|account| account != scope.account());
            if !is_of_others {
                return Finding::ok("ledger", &text);
            }
            Finding {
                state: State::Warning,
                advice: Some(
                    "it belongs to another key: --account names a common account, --ledger another ledger"
                        .to_owned(),
                ),
                ..Finding::ok("ledger", &text)
            }
        }
    }
}
