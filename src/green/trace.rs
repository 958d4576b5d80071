//! Spans for attempts, behind the feature `tracing`: operation, number, host, status, service code
//! and request id. Never a URL's query, never a key.

#[cfg(feature = "tracing")]
pub(super) use on::Attempt;

#[cfg(not(feature = "tracing"))]
pub(super) use off::Attempt;

#[cfg(feature = "tracing")]
mod on {
    use std::{fmt, future::Future};

    use tracing::{Instrument as _, Level, Span, event, field::Empty, span};

    use crate::{
        error::Error,
        green::{ids::RequestId, wire::Envelope},
    };

    /// One attempt at a call.
    #[derive(Clone, Debug)]
    pub(in crate::green) struct Attempt {
        span: Span,
    }

    impl Attempt {
        pub(in crate::green) fn new(
            operation: &'static str,
            number: u32,
            endpoint: &impl fmt::Display,
        ) -> Self {
            Self {
                span: span!(
                    Level::DEBUG,
                    "green.attempt",
                    operation,
                    attempt = number,
                    %endpoint,
                    status = Empty,
                    code = Empty,
                    request_id = Empty,
                ),
            }
        }

        pub(in crate::green) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
            work.instrument(self.span.clone()).await
        }

        pub(in crate::green) fn status(&self, status: u16) {
            self.span.record("status", status);
        }

        pub(in crate::green) fn succeeded(&self, envelope: &Envelope) {
            self.span.record("code", envelope.code.to_string());
            if let Some(request_id) = envelope.request_id.as_deref().map(RequestId::new) {
                self.span.record("request_id", request_id.as_str());
            }
        }

        pub(in crate::green) fn failed(&self, error: &Error) {
            if let Some(code) = error.service_code() {
                self.span.record("code", code);
            }
            if let Some(request_id) = error.request_id() {
                self.span.record("request_id", request_id.as_str());
            }
            self.span.in_scope(|| {
                event!(
                    Level::DEBUG,
                    kind = error.kind().name(),
                    "{}",
                    error.report()
                );
            });
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use std::{fmt, future::Future};

    use crate::{error::Error, green::wire::Envelope};

    /// One attempt at a call, unseen.
    #[derive(Clone, Debug)]
    pub(in crate::green) struct Attempt;

    #[expect(clippy::unused_self, reason = "the twin with the feature uses it")]
    impl Attempt {
        pub(in crate::green) fn new(_: &'static str, _: u32, _: &impl fmt::Display) -> Self {
            Self
        }

        pub(in crate::green) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
            work.await
        }

        pub(in crate::green) fn status(&self, _: u16) {}

        pub(in crate::green) fn succeeded(&self, _: &Envelope) {}

        pub(in crate::green) fn failed(&self, _: &Error) {}
    }
}
