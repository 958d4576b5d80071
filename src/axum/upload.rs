//! An image that is being received.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use ::axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
};
use bytes::Bytes;
use futures_core::Stream;
use tokio::time::sleep;

use super::{Problem, UploadPolicy, body::Upstream, form::Form, multipart::Multipart};
use crate::{
    gate::Gate,
    inspect::{Claim, Inspection},
    verdict::{Accepted, Rejected},
};

/// An image that is being received: a stream of its bytes, checked as they arrive.
///
/// The bytes come from [`chunk`](Self::chunk), or from the [`Stream`] that it also is. An error
/// ends them; discard whatever was stored by then. [`finish`](Self::finish) returns the receipt.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use axum::{extract::{FromRequest as _, Request}, body::Body};
/// # let bytes = std::fs::read("fixtures/images/png/rgb.png")?;
/// # let request = Request::new(Body::from(bytes.clone()));
/// # let greenlight::axum::ImageBody(upload) = greenlight::axum::ImageBody::from_request(request, &()).await?;
/// use greenlight::{Accepted, axum::{Problem, Upload}};
/// use tokio::io::{AsyncWrite, AsyncWriteExt as _};
///
/// /// Writes an image, and returns its receipt. After an error the caller removes the file.
/// async fn store(
///     mut upload: Upload,
///     file: &mut (impl AsyncWrite + Unpin),
/// ) -> Result<std::io::Result<Accepted>, Problem> {
///     while let Some(chunk) = upload.chunk().await? {
///         if let Err(error) = file.write_all(&chunk).await {
///             return Ok(Err(error));
///         }
///     }
///     upload.finish().await.map(Ok)
/// }
///
/// let mut file = Vec::new();
/// let accepted = store(upload, &mut file).await??;
/// assert_eq!(file, bytes);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Upload {
    upstream: Upstream,
    source: Source,
    judge: Judge,
    decode_time: Duration,
    file_name: Option<String>,
    content_type: Option<String>,
}

#[derive(Debug)]
enum Source {
    Body,
    Form(Box<Form>),
}

#[derive(Debug)]
enum Judge {
    /// Bytes are to come.
    Open(Box<Gate>),
    /// The image's end was seen, and the picture is decoded.
    Deciding(Deciding),
    /// The image's end was seen, and is good.
    Passed(Box<Accepted>),
    /// A problem was returned.
    Over,
}

struct Deciding(Pin<Box<dyn Future<Output = Result<Accepted, Rejected>> + Send>>);

impl fmt::Debug for Deciding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deciding")
    }
}

impl Upload {
    /// The image is the body.
    pub(super) fn of_body(
        request: Request,
        content_type: Option<String>,
        policy: &UploadPolicy,
    ) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let upstream = Upstream::new(body, &head.headers, policy);
        let mut gate = policy.gate();
        claim(&mut gate, None, content_type.as_deref());
        if let Some(len) = upstream.announced_len() {
            gate.announce_len(len)?;
        }
        Ok(Self {
            upstream,
            source: Source::Body,
            judge: Judge::Open(Box::new(gate)),
            decode_time: policy.decode_time,
            file_name: None,
            content_type,
        })
    }

    /// The image is a field of a form, which is read up to it.
    pub(super) async fn of_form(
        request: Request,
        content_type: &str,
        policy: UploadPolicy,
    ) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let mut upstream = Upstream::new(body, &head.headers, &policy);
        let parser = Multipart::new(content_type).ok_or(Problem::NotMultipart)?;
        let announced = upstream.announced_len();
        let mut gate = policy.gate();
        // The image's own length is not announced, but it is no less than this.
        let size = announced.map_or(Ok(()), |len| {
            let len = len.saturating_sub(policy.other_bytes);
            // By another gate: the image's own must not record a length that is only a lower bound.
            policy.gate().announce_len(len)
        });
        if awaits_continue(&head.headers) {
            // Reading the form would ask the client for all of it.
            size.clone()?;
        }
        let mut form = Form::new(parser, policy.field.into_owned(), policy.other_bytes);
        // A missing field is reported before any size rule.
        let field = poll_fn(|cx| form.poll_field(&mut upstream, cx)).await?;
        size?;
        claim(
            &mut gate,
            field.file_name.as_deref(),
            field.content_type.as_deref(),
        );
        Ok(Self {
            upstream,
            source: Source::Form(Box::new(form)),
            judge: Judge::Open(Box::new(gate)),
            decode_time: policy.decode_time,
            file_name: field.file_name,
            content_type: field.content_type,
        })
    }

    /// The file name that the client sent: it may contain a path or anything else.
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// The media type that the client claims.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The facts so far.
    pub fn inspection(&self) -> Option<&Inspection> {
        match &self.judge {
            Judge::Open(gate) => Some(gate.inspection()),
            Judge::Passed(accepted) => accepted.inspection(),
            Judge::Deciding(_) | Judge::Over => None,
        }
    }

    /// The image's next bytes, `None` at its end.
    ///
    /// # Errors
    ///
    /// Returns [`Problem`] when the image is refused, or when the request cannot be read. After
    /// that, `None`.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Problem> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Reads the rest, and returns the receipt.
    ///
    /// # Errors
    ///
    /// Returns [`Problem`] when the image is refused, or when the request cannot be read.
    pub async fn finish(mut self) -> Result<Accepted, Problem> {
        while self.chunk().await?.is_some() {}
        match std::mem::replace(&mut self.judge, Judge::Over) {
            Judge::Passed(accepted) => Ok(*accepted),
            Judge::Open(_) | Judge::Deciding(_) | Judge::Over => Err(Problem::Incomplete {
                reason: "it was given up before".to_owned(),
            }),
        }
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Problem>> {
        if matches!(self.judge, Judge::Over) {
            return Poll::Ready(Ok(None));
        }
        let next = ready!(self.poll_judged(cx));
        if next.is_err() {
            self.judge = Judge::Over;
            // Not when the handler returns: it may clean up first, and the client waits.
            self.upstream.let_go();
        }
        Poll::Ready(next)
    }

    fn poll_judged(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Problem>> {
        loop {
            if let Judge::Deciding(Deciding(verdict)) = &mut self.judge {
                let accepted = ready!(verdict.as_mut().poll(cx))?;
                self.judge = Judge::Passed(Box::new(accepted));
                // What follows the image in its form is read before the end is stated.
            }
            let next = match &mut self.source {
                Source::Body => ready!(self.upstream.poll_chunk(cx))?,
                Source::Form(form) => ready!(form.poll_image(&mut self.upstream, cx))?,
            };
            match (next, &mut self.judge) {
                (Some(chunk), Judge::Open(gate)) => {
                    // The chunk that proves the image invalid is not passed on.
                    gate.push(&chunk)?;
                    return Poll::Ready(Ok(Some(chunk)));
                }
                (None, Judge::Open(_)) => {
                    let Judge::Open(gate) = std::mem::replace(&mut self.judge, Judge::Over) else {
                        return Poll::Ready(Ok(None));
                    };
                    let verdict = gate.finish_until(sleep(self.decode_time));
                    self.judge = Judge::Deciding(Deciding(Box::pin(verdict)));
                }
                (_, Judge::Deciding(_) | Judge::Passed(_) | Judge::Over) => {
                    return Poll::Ready(Ok(None));
                }
            }
        }
    }
}

impl Stream for Upload {
    type Item = Result<Bytes, Problem>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_chunk(cx).map(Result::transpose)
    }
}

fn claim(gate: &mut Gate, file_name: Option<&str>, content_type: Option<&str>) {
    let claims = [
        file_name.and_then(Claim::from_name),
        content_type.and_then(Claim::from_content_type),
    ];
    for claim in claims.into_iter().flatten() {
        gate.claim(claim);
    }
}

/// Whether the client waits for a response before it sends the body (RFC 9110, 10.1.1).
fn awaits_continue(headers: &HeaderMap) -> bool {
    let expect = headers.get(header::EXPECT).map(HeaderValue::as_bytes);
    expect.is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
}
