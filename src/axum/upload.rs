//! One image on its way in.

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

use super::{
    Problem, UploadPolicy,
    body::Upstream,
    multipart::{Event, Field, Multipart},
};
use crate::{
    format::{Sniffed, sniff},
    gate::Gate,
    inspect::{Claim, Inspection},
    verdict::{Accepted, Rejected},
};

/// An image on its way in: a stream of its bytes, judged as they pass.
///
/// The bytes come from [`chunk`](Self::chunk), or from the [`Stream`] that it also is. An error ends
/// them; whatever was stored by then is to be thrown away. [`finish`](Self::finish) gives the
/// receipt.
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
            policy.gate().announce_len(len)
        });
        if awaits_continue(&head.headers) {
            // Reading the form would ask the client for all of it.
            size.clone()?;
        }
        let mut form = Form {
            parser,
            field: policy.field.into_owned(),
            other_bytes: policy.other_bytes,
            left: policy.other_bytes,
            stage: Stage::Before,
            present: Vec::new(),
            has_other_file: false,
            head: Vec::new(),
            first: None,
        };
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

    /// The name that the client gives the file, as it was sent: it may hold a path or anything else.
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
    /// that there is nothing more.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Problem> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// Reads what is left, and gives the receipt.
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

/// A form with the image in one of its fields.
#[derive(Debug)]
struct Form {
    parser: Multipart,
    field: String,
    /// The limit on bytes other than the image's, and the rest of it.
    other_bytes: u64,
    left: u64,
    stage: Stage,
    /// The names of the fields before the image.
    present: Vec<String>,
    /// Whether one of them is a file under another name.
    has_other_file: bool,
    /// The first bytes of a field that may be the image.
    head: Vec<u8>,
    /// The image's first bytes, if they were looked at.
    first: Option<Bytes>,
}

/// Whether the client waits for a response before it sends the body (RFC 9110, 10.1.1).
fn awaits_continue(headers: &HeaderMap) -> bool {
    let expect = headers.get(header::EXPECT).map(HeaderValue::as_bytes);
    expect.is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
}

/// How many names of fields are kept, and how much of each, in characters.
const MAX_NAMES: usize = 16;
const MAX_NAME: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Other fields, or none yet.
    Before,
    /// A field of the image's name that its header does not call a file.
    Doubtful,
    Image,
    /// The image ended; the form has not.
    After,
    /// The form ended; the request may not have.
    Epilogue,
}

impl Form {
    /// Reads up to the image's field. Forms may have more than one field of its name, such as the
    /// metadata that `FilePond` sends with the file: the image is the one that is a file by its
    /// header, or else by its first bytes.
    fn poll_field(
        &mut self,
        upstream: &mut Upstream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Field, Problem>> {
        loop {
            let event = match ready!(self.poll_event(upstream, cx)) {
                Err(Problem::FormTooLarge { .. }) if self.has_other_file => {
                    return Poll::Ready(Err(self.missing_field()));
                }
                event => event?,
            };
            match event {
                Event::Field(field) if field.name == self.field && field.is_file() => {
                    self.stage = Stage::Image;
                    return Poll::Ready(Ok(field));
                }
                Event::Field(field) => {
                    self.note(&field);
                    if field.name == self.field {
                        self.stage = Stage::Doubtful;
                    }
                }
                Event::Data(data) if self.stage == Stage::Doubtful => {
                    if self.is_image(&data, Stage::Before)? {
                        self.stage = Stage::Image;
                        self.first = Some(std::mem::take(&mut self.head).into());
                        return Poll::Ready(Ok(Field {
                            name: self.field.clone(),
                            ..Field::default()
                        }));
                    }
                }
                Event::FieldEnd if self.stage == Stage::Doubtful => self.pass_by(Stage::Before)?,
                Event::End => return Poll::Ready(Err(self.missing_field())),
                Event::Data(_) | Event::FieldEnd | Event::NeedMore => {}
            }
        }
    }

    /// Whether a doubtful field's next bytes show that it is an image. If they show that it is
    /// not, the form is at `stage` again.
    fn is_image(&mut self, data: &[u8], stage: Stage) -> Result<bool, Problem> {
        self.head.extend_from_slice(data);
        match sniff(&self.head) {
            Sniffed::NeedMore => Ok(false),
            Sniffed::Is(_) => Ok(true),
            Sniffed::Markup | Sniffed::Footer | Sniffed::Unknown => {
                self.pass_by(stage).map(|()| false)
            }
        }
    }

    /// The doubtful field is not the image.
    fn pass_by(&mut self, stage: Stage) -> Result<(), Problem> {
        self.stage = stage;
        let head = std::mem::take(&mut self.head);
        self.spend(head.len())
    }

    fn note(&mut self, field: &Field) {
        self.has_other_file |= field.is_file();
        if self.present.len() < MAX_NAMES {
            self.present
                .push(field.name.chars().take(MAX_NAME).collect());
        }
    }

    fn missing_field(&mut self) -> Problem {
        Problem::MissingField {
            name: self.field.clone(),
            present: std::mem::take(&mut self.present),
        }
    }

    /// The image's next bytes: `None` once at its end, and again at the request's.
    fn poll_image(
        &mut self,
        upstream: &mut Upstream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, Problem>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Ok(Some(first)));
        }
        loop {
            if self.stage == Stage::Epilogue {
                // It is read to its end so that the connection can be used again.
                match ready!(upstream.poll_chunk(cx))? {
                    Some(chunk) => self.spend(chunk.len())?,
                    None => return Poll::Ready(Ok(None)),
                }
                continue;
            }
            match ready!(self.poll_event(upstream, cx))? {
                Event::Data(data) if self.stage == Stage::Image => {
                    return Poll::Ready(Ok(Some(data)));
                }
                Event::FieldEnd if self.stage == Stage::Image => {
                    self.stage = Stage::After;
                    return Poll::Ready(Ok(None));
                }
                Event::Field(field) if field.name == self.field && !field.is_file() => {
                    self.stage = Stage::Doubtful;
                }
                Event::Data(data) if self.stage == Stage::Doubtful => {
                    if self.is_image(&data, Stage::After)? {
                        let name = self.field.clone();
                        return Poll::Ready(Err(Problem::TwoFields { name }));
                    }
                }
                Event::FieldEnd if self.stage == Stage::Doubtful => self.pass_by(Stage::After)?,
                Event::Field(field) if field.name == self.field => {
                    return Poll::Ready(Err(Problem::TwoFields { name: field.name }));
                }
                Event::End => self.stage = Stage::Epilogue,
                Event::Field(_) | Event::Data(_) | Event::FieldEnd | Event::NeedMore => {}
            }
        }
    }

    fn poll_event(
        &mut self,
        upstream: &mut Upstream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Event, Problem>> {
        loop {
            let event = self
                .parser
                .next()
                .map_err(|reason| Problem::Malformed { reason })?;
            let framing = self.parser.take_framing();
            self.spend(framing)?;
            match event {
                Event::NeedMore => {
                    let Some(chunk) = ready!(upstream.poll_chunk(cx))? else {
                        let reason = "it ends before its closing boundary";
                        return Poll::Ready(Err(Problem::Malformed { reason }));
                    };
                    self.parser.push(chunk);
                }
                Event::Data(data) if !matches!(self.stage, Stage::Image | Stage::Doubtful) => {
                    self.spend(data.len())?;
                }
                event => return Poll::Ready(Ok(event)),
            }
        }
    }

    /// Counts what is not the image.
    fn spend(&mut self, bytes: usize) -> Result<(), Problem> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Problem::FormTooLarge {
                limit: self.other_bytes,
            }),
        }
    }
}
