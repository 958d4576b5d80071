//! One call: its attempts, each with a new signature, and the classes of their failures.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use reqwest::Method;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Connection,
    failure::{Failure, failed},
};
use crate::{
    error::{Error, ErrorKind, RefusalSubject, Retry},
    green::{
        clock,
        credentials::Credentials,
        http::Reply,
        ids::DataId,
        retry::{self, Class, Effect},
        sign::{self, Signature},
        trace::Attempt,
        wire::{Answer, Envelope},
    },
    sanitize::harmless,
};

/// Precedes the server's string to sign in its error message.
const SERVER_STRING: &str = "server string to sign is:";

/// A call of one operation.
#[derive(Debug)]
pub(in crate::green) struct Call<'a> {
    /// The operation's name, for errors.
    pub(in crate::green) operation: &'static str,
    /// The operation's name at the gateway.
    pub(in crate::green) action: &'static str,
    pub(in crate::green) path: &'static str,
    pub(in crate::green) query: Vec<(&'static str, String)>,
    pub(in crate::green) body: Body,
    pub(in crate::green) effect: Effect,
    /// The names of what is paid for.
    pub(in crate::green) data_ids: Vec<&'a DataId>,
    /// How many images are submitted, for the pace.
    pub(in crate::green) images: u32,
    /// Time limit of an attempt, if it is not the default.
    pub(in crate::green) timeout: Option<Duration>,
    /// Whether a response with this code is what the call asks for, and not a failure of it.
    pub(in crate::green) is_answer: fn(u16) -> bool,
}

/// The codes of a call that has only one kind of success.
pub(in crate::green) const fn is_ok(code: u16) -> bool {
    code == 200
}

/// The body of a request and its media type. An empty body has none.
#[derive(Clone, Debug, Default)]
pub(in crate::green) struct Body {
    pub(in crate::green) media_type: Option<&'static str>,
    pub(in crate::green) bytes: Bytes,
}

impl Body {
    /// Returns a JSON text as a body.
    pub(in crate::green) const fn json(bytes: Bytes) -> Self {
        Self {
            media_type: Some("application/json"),
            bytes,
        }
    }
}

/// The limits of a call's attempts.
#[derive(Clone, Copy, Debug)]
pub(in crate::green) struct Plan {
    pub(in crate::green) operation: &'static str,
    pub(in crate::green) effect: Effect,
    /// How many images are submitted, for the pace.
    pub(in crate::green) images: u32,
    /// Time limit of all attempts together.
    pub(in crate::green) deadline: Duration,
}

impl Connection {
    /// Makes a call: attempts until one succeeds, none is allowed any more, or time is up.
    pub(in crate::green) async fn call(&self, call: Call<'_>) -> Result<Envelope, Error> {
        let plan = Plan {
            operation: call.operation,
            effect: call.effect,
            images: call.images,
            deadline: self.settings.deadline,
        };
        let call = &call;
        self.repeat(&plan, |attempt, deadline| {
            self.attempt(call, attempt, deadline)
        })
        .await
        .map_err(|error| call.with_ambiguity_hint(error))
    }

    /// The one loop of attempts.
    pub(in crate::green) async fn repeat<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        plan: &Plan,
        make: impl Fn(Attempt, Instant) -> F,
    ) -> Result<T, Error> {
        // Admitted before the deadline begins: waiting for the client's own limit is not the
        // service's delay.
        let pace = self.rate_limits.of(plan.effect);
        pace.admit(plan.images).await;
        let deadline = clock::after(clock::instant(), plan.deadline);
        let mut number = 0;
        loop {
            number += 1;
            let attempt = Attempt::new(plan.operation, number, &self.endpoint);
            let Failure { class, error } = match attempt.run(make(attempt.clone(), deadline)).await
            {
                Ok(done) => {
                    // Only successes refill it: in an outage it is empty, and calls fail fast.
                    self.budget.refund();
                    return Ok(done);
                }
                Err(failure) => failure,
            };
            attempt.failed(&error);
            if matches!(class, Class::Throttled(_)) {
                pace.slow_down();
            }
            // The order of the conditions matters: only an attempt that is allowed, and that fits
            // in the deadline, takes from the budget.
            let wait = retry::delay(class, number, fastrand::f64());
            let again = retry::may_repeat(class, plan.effect, number, self.settings.attempts)
                && clock::after(clock::instant(), wait) < deadline
                && self.budget.take()
                && timeout_at(deadline, async {
                    sleep(wait).await;
                    pace.admit(plan.images).await;
                })
                .await
                .is_ok();
            if !again {
                // What failed before anything was sent has its own verdict.
                let verdict = match class {
                    Class::Never => error.retry(),
                    _ => class.verdict(plan.effect),
                };
                return Err(error.with_retry(verdict).with_attempts(number));
            }
        }
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        attempt: Attempt,
        deadline: Instant,
    ) -> Result<Envelope, Failure> {
        let credentials = self.credentials(call, deadline).await?;
        // Signed for each attempt: a repeated nonce is refused, and the clock or the key may have
        // changed.
        let (headers, signature) = self.sign(call, &credentials);
        let mut url = self.endpoint.url(call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let started = clock::instant();
        let until = deadline.min(clock::after(
            started,
            call.timeout.unwrap_or(self.settings.attempt_timeout),
        ));
        let body = call.body.bytes.clone().into();
        let sent = self.http.send(Method::POST, url, headers, body, until);
        let reply = match sent.await {
            Ok(reply) => reply,
            Err(fault) => {
                return call
                    .salvaged(fault.part(), &attempt, &credentials)
                    .ok_or_else(|| Failure::of_fault(call.operation, fault));
            }
        };
        attempt.status(reply.status);
        if let Some(date) = reply.header("date") {
            self.clock.observe(date, started.elapsed());
        }
        let answer =
            Answer::parse(&reply.body).map(|answer| answer.cleaned(|t| credentials.redact(t)));
        let answer = match answer {
            // A response that names tasks is a success whatever its code is: these tasks exist and
            // are billed.
            Ok(Answer::Service(envelope))
                if (call.is_answer)(envelope.code) || envelope.names_tasks() =>
            {
                attempt.succeeded(&envelope);
                return Ok(envelope);
            }
            Ok(answer) => answer,
            Err(not_an_answer) => {
                // A truncated body may still contain complete elements.
                if let Some(envelope) = call.salvaged(Some(&reply), &attempt, &credentials) {
                    return Ok(envelope);
                }
                // The attempt is ambiguous for a paid call, but the rate is too high either way.
                if reply.status == 429 {
                    self.rate_limits.of(call.effect).slow_down();
                }
                let body = credentials.redact(&String::from_utf8_lossy(&reply.body));
                return Err(Failure {
                    class: Class::of_foreign_answer(reply.status, call.effect)
                        .with_retry_after(&reply),
                    error: failed(
                        call.operation,
                        ErrorKind::Answer,
                        &format_args!("HTTP {} from {}", reply.status, self.endpoint),
                    )
                    .with_http_status(reply.status)
                    .with_source(match &reply.coding {
                        Some(coding) => format!(
                            "the answer is compressed with {}, which cannot be read",
                            harmless(coding, 40)
                        ),
                        None => not_an_answer.shown(&body),
                    }),
                });
            }
        };
        let mut failure = self.refused(call, &answer, &reply, &signature, &credentials);
        // Repeating makes sense only with another key, so the source is asked before the loop
        // decides.
        if failure.class == Class::Key {
            let now = self.clock.now();
            let renewed = timeout_at(deadline, self.credentials.renew(&credentials, now));
            if renewed.await != Ok(true) {
                failure.class = Class::Never;
            }
        }
        // The clock is corrected only when the service complains: `Date` of a proxy could be wrong.
        if failure.class == Class::Clock {
            let date = reply.header("date").unwrap_or_default();
            if !self.clock.learn(date, started.elapsed()) {
                failure.class = Class::Never;
            }
            failure.error = failure.error.with_hint(format!(
                "this machine's clock is {} seconds behind the service's",
                self.clock.skew_seconds()
            ));
        }
        Err(failure)
    }

    async fn credentials(
        &self,
        call: &Call<'_>,
        deadline: Instant,
    ) -> Result<Credentials, Failure> {
        let got = timeout_at(deadline, self.credentials.get(self.clock.now())).await;
        let error = match got {
            Ok(Ok(credentials)) => return Ok(credentials),
            Ok(Err(error)) => error,
            Err(_) => failed(
                call.operation,
                ErrorKind::Credentials,
                &"no credentials in time",
            ),
        };
        Err(Failure::for_good(error))
    }

    fn refused(
        &self,
        call: &Call<'_>,
        answer: &Answer,
        reply: &Reply,
        signature: &Signature,
        credentials: &Credentials,
    ) -> Failure {
        let (class, code, message, request_id) = match answer {
            Answer::Service(envelope) => (
                (self.dialect.codes.class)(envelope.code),
                envelope.code.to_string(),
                &envelope.message,
                &envelope.request_id,
            ),
            Answer::Gateway(error) => (
                Class::of_gateway_code(&error.code, reply.status),
                error.code.clone(),
                &error.message,
                &error.request_id,
            ),
        };
        // The table of subjects is of submissions: in another call a code is not about an image.
        let subject = match answer {
            Answer::Service(envelope) if call.effect == Effect::Paid => {
                (self.dialect.codes.subject)(envelope.code)
            }
            Answer::Service(_) | Answer::Gateway(_) => RefusalSubject::Request,
        };
        let class = class.with_retry_after(reply);
        let (message, theirs) = match message.split_once(SERVER_STRING) {
            Some((before, theirs)) => (before.trim_end(), Some(theirs)),
            None => (message.as_str(), None),
        };
        let request_id = request_id.as_deref();
        let kind = match (class, answer) {
            // The other ambiguous code of the gateway, `SignatureNonceUsed`, is a refusal.
            (Class::Ambiguous, Answer::Gateway(_)) if reply.status >= 500 => ErrorKind::Service,
            _ => class.kind(),
        };
        let mut error = Error::new(kind, format!("{} refused", call.operation))
            .with_http_status(reply.status)
            .with_subject(subject)
            .with_reply(&code, message, request_id);
        if let Some(theirs) = theirs {
            // Both without secrets, and before either is cut to a length that is fit to be shown.
            let ours = credentials.redact(signature.string_to_sign());
            error = error.with_hint(sign::difference(&ours, theirs));
        }
        Failure { class, error }
    }
}

impl Call<'_> {
    /// The tasks that an answer names though it is damaged: they were paid for. A call that may be
    /// made again is made again.
    fn salvaged(
        &self,
        reply: Option<&Reply>,
        attempt: &Attempt,
        credentials: &Credentials,
    ) -> Option<Envelope> {
        let reply = reply.filter(|_| self.effect == Effect::Paid)?;
        let mut envelope = Envelope::salvaged(&reply.body)?;
        envelope.clean(|text| credentials.redact(text));
        attempt.status(reply.status);
        attempt.succeeded(&envelope);
        Some(envelope)
    }

    /// Adds the data ids and a hint if the outcome of the call is ambiguous.
    fn with_ambiguity_hint(&self, error: Error) -> Error {
        if error.retry() != Retry::Ambiguous {
            return error;
        }
        let data_ids = self.data_ids.iter().copied().cloned().collect();
        error.with_data_ids(data_ids).with_hint(format!(
            "it may have been done and billed, so it was not repeated: {} tasks",
            self.data_ids.len()
        ))
    }
}
