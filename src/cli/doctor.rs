//! `greenlight doctor`: one line for each thing that a scan needs, with what to do about it.

use std::{env, path::Path, time::Duration};

use serde::Serialize;

use super::{
    args::{DoctorOptions, LedgerOption},
    exit::{Exit, Failure, reason},
    interrupt::Interrupt,
    ledger::{self, LedgerLocation},
    printer::{self, Line, Printer},
    terminal::{Cell, Row, Tone},
};
use crate::{
    download::{Download, Ending},
    error::{Error, ErrorKind},
    green::{Client, ClientBuilder, Credentials, TaskId},
    image_url::ImageUrl,
    inspect::Depth,
    probe::{AddressPolicy, Mode, Probe},
    requirements::Requirements,
    sandbox::Sandbox,
};

/// Time limit of each step that waits for the network.
const LIMIT: Duration = Duration::from_secs(10);

/// A clock this far off is refused by the service (signature page: 15 minutes).
const MAX_SKEW: u64 = 15 * 60;

/// A skew that is worth a word.
const SOME_SKEW: u64 = 60;

/// A task that the service does not know, so that the call costs nothing.
const NO_TASK: &str = "greenlight-doctor";

/// Variables that name a proxy, for the usual programs.
const PROXIES: [&str; 3] = ["https_proxy", "all_proxy", "http_proxy"];

/// Tests everything, and prints each result when it is known.
pub(crate) async fn run(options: DoctorOptions, mut interrupt: Interrupt) -> Result<Exit, Failure> {
    let mut printer = Printer::new(&options.print)?;
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
                failure.advice(),
            ))?;
        }
        Ok(service) => {
            print(Finding::ok("region", &service.client.host().to_owned()))?;
            print(proxies())?;
            for finding in network(&service).await {
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
                for finding in call(&service.client).await {
                    print(finding)?;
                }
            }
        }
    }
    let account = account.and_then(Result::ok);
    print(ledger(&options.ledger, account.as_deref()).await)
}

/// The service to test. The sandbox lives as long.
struct Service {
    client: Client,
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
            .credentials(Credentials::new(key.id(), key.secret()));
        return Ok(Service {
            client: limited(client).build()?,
            url: sandbox.endpoint(),
            sandbox: Some(sandbox),
        });
    }
    let service = &options.service;
    let client = limited(service.client()?.credentials(service.chain())).build()?;
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

/// Name, connection and TLS, as a download meets them.
async fn network(service: &Service) -> Vec<Finding> {
    // The address is the user's own choice, so it may be private: --vpc, a sandbox.
    let policy = AddressPolicy::new()
        .allow("0.0.0.0/0")
        .and_then(|policy| policy.allow("::/0"));
    let url = ImageUrl::parse(&format!("{}/", service.url.trim_end_matches('/')));
    let (Ok(policy), Ok(url)) = (policy, url) else {
        return vec![Finding::failed("dns", "the endpoint is not a URL", None)];
    };
    let probe = Probe::builder()
        .policy(policy)
        .mode(Mode::Header)
        .depth(Depth::Header);
    let probe = match probe.deadline(LIMIT).max_redirects(0).build() {
        Ok(probe) => probe,
        Err(error) => return vec![Finding::failed("dns", &error.report(), None)],
    };
    of_download(&probe.download(&url, &Requirements::ASYNC).await)
}

fn of_download(download: &Download) -> Vec<Finding> {
    let timings = download.timings();
    let named = Finding::ok(
        "dns",
        &format!("resolved in {} ms", timings.resolve.as_millis()),
    );
    let remote = download
        .remote()
        .map(|remote| format!("{remote}, "))
        .unwrap_or_default();
    let took = format!("{remote}{} ms", timings.connect.as_millis());
    let connected = Finding::ok("connection", &took);
    match download.ending() {
        Ending::Dns(why) => vec![Finding::failed(
            "dns",
            why,
            Some("check the resolver of this host, and the spelling of the endpoint"),
        )],
        Ending::Connect(why) => vec![
            named,
            Finding::failed(
                "connection",
                why,
                Some("check the firewall of this host, and that the service is running"),
            ),
        ],
        Ending::Tls(_, why) => vec![
            named,
            connected,
            Finding::failed(
                "tls",
                why,
                Some("check the clock of this host, and whether something intercepts TLS"),
            ),
        ],
        Ending::Blocked { target, reason } => {
            vec![
                named,
                Finding::failed("connection", &format!("{target}: {reason}"), None),
            ]
        }
        Ending::TooSlow if download.hops().is_empty() => {
            let phase = download.phase().name();
            vec![Finding::failed(
                "connection",
                &format!(
                    "no answer within {} s, in the phase {phase}",
                    LIMIT.as_secs()
                ),
                Some("check the firewall of this host, and that the service is running"),
            )]
        }
        Ending::Local(why) => vec![Finding::failed("connection", why, None)],
        _ if download.url().as_str().starts_with("http:") => {
            vec![named, connected, Finding::ok("tls", "not used on loopback")]
        }
        _ => vec![
            named,
            connected,
            Finding::ok("tls", &format!("set up in {} ms", timings.tls.as_millis())),
        ],
    }
}

/// The one call, and the clock that its response shows.
async fn call(client: &Client) -> Vec<Finding> {
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
    let text = format!("{seconds} s {direction} the service");
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
                scope.scenes().join(",")
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

/// What was found of one thing.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    detail: String,
    advice: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Ok,
    Warning,
    Failed,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

impl Finding {
    fn ok(check: &'static str, detail: &str) -> Self {
        Self {
            check,
            state: State::Ok,
            detail: detail.to_owned(),
            advice: None,
        }
    }

    fn failed(check: &'static str, detail: &str, advice: Option<&str>) -> Self {
        Self {
            check,
            state: State::Failed,
            detail: detail.to_owned(),
            advice: advice.map(str::to_owned),
        }
    }
}

impl Line for Finding {
    fn heading() -> Option<Row> {
        None
    }

    fn rows(&self) -> Vec<Row> {
        let tone = match self.state {
            State::Ok => Tone::Good,
            State::Warning => Tone::Unsure,
            State::Failed => Tone::Bad,
        };
        let mut text = self.detail.clone();
        if let Some(advice) = &self.advice {
            text.push_str(": ");
            text.push_str(advice);
        }
        vec![vec![
            Cell::new(self.state.name()).left(7).tone(tone),
            Cell::new(self.check).left(10),
            Cell::new(text),
        ]]
    }

    fn columns() -> Vec<&'static str> {
        vec!["check", "state", "detail", "advice"]
    }

    fn fields(&self) -> Vec<String> {
        vec![
            self.check.to_owned(),
            self.state.name().to_owned(),
            self.detail.clone(),
            self.advice.clone().unwrap_or_default(),
        ]
    }
}
