//! One call: its attempts, each signed afresh, and what their failures mean.

use std::time::Duration;

use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use tokio::time::{sleep, timeout_at};

use super::{
    Client,
    http::{Fault, Reply},
};
use crate::{
    error::{Error, ErrorKind},
    green::{
        clock,
        credentials::Credentials,
        ids::{DataId, Nonce},
        retry::{self, Class, Effect},
        sign::{self, Parts, Signature},
        wire::{Answer, Envelope, GatewayError},
    },
};

/// A call of one operation.
#[derive(Debug)]
pub(super) struct Call<'a> {
    /// The operation's name, for errors.
    pub(super) operation: &'static str,
    pub(super) path: &'static str,
    pub(super) body: Vec<u8>,
    pub(super) effect: Effect,
    /// The names of what is paid for.
    pub(super) data_ids: Vec<&'a DataId>,
    /// How long an attempt may take.
    pub(super) timeout: Duration,
}

/// A failed attempt.
struct Failure {
    class: Class,
    error: Error,
}

impl Client {
    /// Makes a call: attempts until one succeeds, none is allowed any more, or time is up.
    pub(super) async fn call(&self, call: Call<'_>) -> Result<Envelope, Error> {
        let settings = &self.inner.settings;
        let deadline = clock::instant() + settings.deadline;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let Failure { class, error } = match self.attempt(&call, deadline).await {
                Ok(envelope) => {
                    self.inner.budget.refund();
                    return Ok(envelope);
                }
                Err(failure) => failure,
            };
            let wait = retry::delay(class, attempt, fastrand::f64());
            let repeat = retry::may_repeat(class, call.effect, attempt, settings.attempts)
                && clock::instant() + wait < deadline
                && self.inner.budget.take();
            if !repeat {
                return Err(call.finish(error, class, attempt));
            }
            sleep(wait).await;
        }
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        deadline: tokio::time::Instant,
    ) -> Result<Envelope, Failure> {
        let inner = &self.inner;
        let before_sending = |error| Failure {
            class: Class::Never,
            error,
        };
        let credentials = timeout_at(deadline, inner.credentials.get(inner.clock.now()))
            .await
            .map_err(|_| {
                before_sending(call.error(ErrorKind::Credentials, "no credentials in time"))
            })?
            .map_err(before_sending)?;
        let (headers, signature) = self.sign(call, &credentials);
        let url = inner.endpoint.url(call.path);
        let started = clock::instant();
        let send = inner
            .http
            .send(Method::POST, url, headers, call.body.clone());
        let sent = timeout_at(deadline.min(started + call.timeout), send).await;
        let reply = match sent {
            Ok(Ok(reply)) => reply,
            Ok(Err(fault)) => return Err(call.fault(fault)),
            Err(_) => return Err(call.timed_out(started.elapsed())),
        };
        let answer = match Answer::parse(&reply.body) {
            Ok(Answer::Service(envelope)) if envelope.is_success() => {
                return Ok(envelope);
            }
            Ok(answer) => answer,
            Err(not_an_answer) => {
                let class = Class::of_foreign_answer(reply.status).told(&reply);
                let error = call
                    .error(
                        ErrorKind::Answer,
                        &format!("HTTP {} from {}", reply.status, inner.endpoint),
                    )
                    .with_source(not_an_answer);
                return Err(Failure { class, error });
            }
        };
        let mut failure = call.refused(&answer, &reply, &signature);
        if failure.class == Class::Clock {
            let date = reply.header("date").unwrap_or_default();
            if !inner.clock.learn(date, started.elapsed()) {
                failure.class = Class::Never;
            }
            failure.error = failure.error.with_hint(format!(
                "this machine's clock is {} seconds off the service's",
                inner.clock.skew_seconds()
            ));
        }
        Err(failure)
    }

    /// The full documented set of headers, with a nonce and a date of this attempt's own.
    fn sign(&self, call: &Call<'_>, credentials: &Credentials) -> (HeaderMap, Signature) {
        let nonce = Nonce::random();
        let date = clock::http_date(self.inner.clock.now());
        let md5 = sign::content_md5(&call.body);
        let mut headers = vec![
            ("accept", "application/json"),
            ("content-md5", &md5),
            ("content-type", "application/json"),
            ("date", &date),
            ("x-acs-signature-method", "HMAC-SHA1"),
            ("x-acs-signature-nonce", nonce.as_str()),
            ("x-acs-signature-version", "1.0"),
            ("x-acs-version", &self.inner.api_version),
        ];
        if let Some(token) = credentials.token() {
            headers.push(("x-acs-security-token", token.expose()));
        }
        let signature = sign::roa(
            &Parts {
                method: "POST",
                path: call.path,
                query: &[],
                headers: &headers,
            },
            credentials,
        );
        headers.push(("authorization", signature.authorization()));
        (header_map(&headers), signature)
    }
}

fn header_map(headers: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let mut value = HeaderValue::from_str(value)
            .expect("credentials and settings were checked to print as ASCII");
        value.set_sensitive(matches!(*name, "authorization" | "x-acs-security-token"));
        map.insert(HeaderName::from_static(name), value);
    }
    map
}

impl Call<'_> {
    fn error(&self, kind: ErrorKind, what: &str) -> Error {
        Error::new(kind, format!("{} failed: {what}", self.operation))
    }

    fn fault(&self, fault: Fault) -> Failure {
        let (class, kind) = match &fault {
            Fault::NotSent(_) => (Class::NotSent, ErrorKind::Network),
            Fault::Lost(_) => (Class::Ambiguous, ErrorKind::Network),
            Fault::TooLong => (Class::Ambiguous, ErrorKind::Answer),
        };
        let error = self.error(kind, &fault.to_string());
        let error = match std::error::Error::source(&fault) {
            None => error,
            Some(_) => error.with_source(fault.into_source()),
        };
        Failure { class, error }
    }

    fn timed_out(&self, elapsed: Duration) -> Failure {
        Failure {
            class: Class::Ambiguous,
            error: self.error(
                ErrorKind::Network,
                &format!("no answer within {:.1} s", elapsed.as_secs_f64()),
            ),
        }
    }

    fn refused(&self, answer: &Answer, reply: &Reply, _signature: &Signature) -> Failure {
        let (class, code, message, request_id) = match answer {
            Answer::Service(Envelope {
                code,
                message,
                request_id,
                ..
            }) => {
                let class = Class::of_service_code(*code);
                (class, code.to_string(), message, request_id)
            }
            Answer::Gateway(GatewayError {
                code,
                message,
                request_id,
            }) => {
                let class = Class::of_gateway_code(code, reply.status);
                (class, code.clone(), message, request_id)
            }
        };
        let class = class.told(reply);
        let error = Error::new(class.kind(), format!("{} refused", self.operation)).with_reply(
            &code,
            message,
            request_id.as_ref().map(AsRef::as_ref),
        );
        Failure { class, error }
    }

    /// What the caller is told in the end.
    fn finish(&self, error: Error, class: Class, attempts: u32) -> Error {
        let verdict = class.verdict(self.effect);
        let error = error.with_retry(verdict).with_attempts(attempts);
        if verdict != crate::error::Retry::Ambiguous {
            return error;
        }
        let names = self.data_ids.iter().map(ToString::to_string).collect();
        error.with_data_ids(names).with_hint(format!(
            "it may have been done and billed, so it was not repeated: {} tasks",
            self.data_ids.len()
        ))
    }
}

impl Fault {
    fn into_source(self) -> Box<dyn std::error::Error + Send + Sync> {
        match self {
            Self::NotSent(error) | Self::Lost(error) => Box::new(error),
            Self::TooLong => "more than the longest answer that is read".into(),
        }
    }
}

impl Envelope {
    /// Whether the request as a whole was done. The service's own code decides, whatever the HTTP
    /// status is: how the two relate is not documented. An answer that holds a task id is taken for one
    /// whatever its own code is: an id that was paid for is not dropped.
    fn is_success(&self) -> bool {
        self.code == 200
            || self
                .data
                .iter()
                .any(|element| element.text("taskId").is_some())
    }
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// For how long the service asks to wait: `x-acs-retry-after` in milliseconds, as the official
    /// libraries read it, or `Retry-After` in seconds (RFC 9110, 10.2.3).
    fn retry_after(&self) -> Option<Duration> {
        let number = |name| self.header(name)?.trim().parse::<u32>().ok();
        number("x-acs-retry-after")
            .map(|millis| Duration::from_millis(millis.into()))
            .or_else(|| number("retry-after").map(|secs| Duration::from_secs(secs.into())))
    }
}

impl Class {
    /// The class with the wait that the service asks for.
    fn told(self, reply: &Reply) -> Self {
        match self {
            Self::Throttled(None) => Self::Throttled(reply.retry_after()),
            other => other,
        }
    }
}
