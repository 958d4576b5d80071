//! Local images: uploaded to where the service reads them.
//!
//! The service takes URLs only. For what has none it lends temporary credentials for a bucket of
//! its own, and reads `oss://bucket/key` from there.

mod content;

use std::sync::Arc;

use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

pub use content::Content;

use super::{
    clock,
    connection::{Connection, Dialect, Failure, Plan, failed},
    grant::Grant,
    http::Reply,
    retry::{self, Class, Effect},
    sign::{self, Parts},
    trace::Attempt,
};
use crate::{
    error::{Error, ErrorKind},
    image_url::ImageUrl,
    inspect::Inspection,
    verdict::Accepted,
};

const OPERATION: &str = "upload";

/// Uploads an accepted image and returns the receipt for its URL at the service.
pub(super) async fn upload<S>(
    connection: &Connection,
    accepted: Accepted<S>,
    content: &Content,
) -> Result<Accepted<ImageUrl>, Error> {
    let image = Image::of(&accepted)?;
    // Before the first attempt: a changed file is not the service's failure, and is not repeated.
    content.check(&image.inspection, image.len).await?;
    let plan = Plan {
        operation: OPERATION,
        // Each attempt writes another object, and none is scanned before a submission names it.
        effect: Effect::Repeatable,
        images: 0,
        deadline: connection.settings.upload_deadline,
    };
    let image = &image;
    let put = connection.repeat(&plan, |attempt, deadline| {
        connection.put(image, content, attempt, deadline)
    });
    // It holds a call for credentials as well, which would make every caller's future large.
    let url = Box::pin(put).await?;
    Ok(accepted.moved_to(url))
}

impl Connection {
    async fn put(
        &self,
        image: &Image,
        content: &Content,
        attempt: Attempt,
        deadline: Instant,
    ) -> Result<ImageUrl, Failure> {
        // For each attempt: the one before may have cleared the grant.
        let grant = self.grant_until(deadline).await?;
        // A new name for each attempt: an upload whose response was lost is not overwritten while
        // the service reads it.
        let key = grant.key(Uuid::new_v4(), image.extension);
        let Some(url) = ImageUrl::of_object(&grant.bucket, &key) else {
            let what = "the service's bucket or folder has no usable name";
            return Err(Failure::for_good(failed(
                OPERATION,
                ErrorKind::Answer,
                &what,
            )));
        };
        let headers = self.upload_headers(&grant, image, &key);
        let (body, fault) = content.body(&image.inspection, image.len);
        let started = clock::instant();
        let url_of_object = grant.url(&key);
        let sent = self
            .http
            .send(Method::PUT, url_of_object, headers, body, deadline)
            .await;
        // The file failed, and the transfer with it: this error names the cause.
        if let Some(error) = fault.take() {
            return Err(Failure::for_good(error));
        }
        let reply = sent.map_err(|fault| Failure::of_fault(OPERATION, fault))?;
        attempt.status(reply.status);
        if (200..300).contains(&reply.status) {
            return Ok(url);
        }
        Err(self.upload_refused(&reply, &grant, started).await)
    }

    /// Returns a grant, before the deadline of the upload that needs it.
    async fn grant_until(&self, deadline: Instant) -> Result<Arc<Grant>, Failure> {
        let started = clock::instant();
        let now = self.clock.now();
        let Dialect {
            upload_grant,
            grant,
            ..
        } = self.dialect;
        let network = self.settings.network;
        let request = self.call(upload_grant());
        let grant = self
            .grants
            .get(now, &self.endpoint, network, *grant, request);
        if let Ok(grant) = timeout_at(deadline, grant).await {
            return grant.map_err(Failure::for_good);
        }
        let time = started.elapsed().as_secs_f64();
        let what = format!("no upload credentials within {time:.1} s");
        Err(Failure {
            class: Class::Ambiguous,
            error: failed(OPERATION, ErrorKind::Network, &what),
        })
    }

    fn upload_headers(&self, grant: &Grant, image: &Image, key: &str) -> HeaderMap {
        let date = clock::http_date(self.clock.now());
        let mut headers = vec![("content-type", image.media_type), ("date", date.as_str())];
        if let Some(token) = grant.credentials.token() {
            headers.push(("x-oss-security-token", token.expose()));
        }
        let path = format!("/{key}");
        let signature = sign::oss(
            &Parts {
                method: "PUT",
                path: &path,
                query: &[],
                headers: &headers,
            },
            &grant.bucket,
            &grant.credentials,
        );
        headers.push(("authorization", signature.authorization()));
        let mut map = HeaderMap::with_capacity(headers.len());
        for (name, value) in headers {
            let mut value = HeaderValue::from_str(value)
                .expect("the grant's credentials were checked to print as ASCII");
            value.set_sensitive(matches!(name, "authorization" | "x-oss-security-token"));
            map.insert(HeaderName::from_static(name), value);
        }
        map
    }

    /// Classifies a refusal of the object store, whose responses are XML.
    async fn upload_refused(&self, reply: &Reply, grant: &Grant, started: Instant) -> Failure {
        let body = grant
            .credentials
            .redact(&String::from_utf8_lossy(&reply.body));
        let code = xml_text(&body, "Code").unwrap_or("HTTP error");
        let class = match Class::of_store_code(code, reply.status) {
            Class::Clock
                if !self
                    .clock
                    .learn(reply.header("date").unwrap_or_default(), started.elapsed()) =>
            {
                Class::Never
            }
            // The credentials were withdrawn or expired early: one more attempt with new ones.
            Class::Key => {
                self.grants.clear().await;
                Class::Once
            }
            class => class.with_retry_after(reply),
        };
        let message = format!("upload refused with HTTP {}", reply.status);
        let error = Error::new(class.kind(), message)
            .with_http_status(reply.status)
            .with_subject(retry::subject_of_store(reply.status))
            .with_reply(
                code,
                xml_text(&body, "Message").unwrap_or_default(),
                xml_text(&body, "RequestId"),
            );
        Failure { class, error }
    }
}

/// The content of an upload.
#[derive(Debug)]
struct Image {
    inspection: Inspection,
    len: u64,
    extension: &'static str,
    media_type: &'static str,
}

impl Image {
    fn of<S>(accepted: &Accepted<S>) -> Result<Self, Error> {
        let unknown = || {
            failed(
                OPERATION,
                ErrorKind::Usage,
                &"the receipt does not say what the bytes are",
            )
        };
        let inspection = accepted.inspection().ok_or_else(unknown)?;
        let format = inspection.format().ok_or_else(unknown)?;
        Ok(Self {
            inspection: inspection.clone(),
            len: inspection.len().ok_or_else(unknown)?,
            extension: format.extension(),
            media_type: format.media_type(),
        })
    }
}

/// The text of the first element of this name.
fn xml_text<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text)
}
