//! Extractors for axum 0.8 that refuse an upload before it ends.
//!
//! [`ImageField`] takes the image out of a form, [`ImageBody`] is for a request whose body is the
//! image. Both hand the bytes on as they come, to be written wherever the application wants, and
//! hold none of them. At the first byte that condemns the image they end with a [`Problem`], which
//! is the answer too. What a route asks is its [`UploadPolicy`].
//!
//! ```
//! use axum::{Router, routing::post};
//! use greenlight::{Requirements, axum::{ImageField, Problem, UploadPolicy}};
//!
//! async fn upload(ImageField(mut image): ImageField) -> Result<String, Problem> {
//!     let mut stored = 0;
//!     while let Some(chunk) = image.chunk().await? {
//!         stored += chunk.len(); // a file, an object store
//!     }
//!     let accepted = image.finish().await?;
//!     let dimensions = accepted.inspection().and_then(|inspection| inspection.dimensions());
//!     Ok(format!("{stored} bytes, {dimensions:?}"))
//! }
//!
//! let app: Router = Router::new()
//!     .route("/upload", post(upload).layer(UploadPolicy::new(Requirements::ASYNC).layer()));
//! ```
//!
//! # Limits
//!
//! axum's `DefaultBodyLimit` (2 MB unless set) does **not** apply to these extractors: the
//! requirements' own limit does, so that a larger file is answered with both numbers and not with a
//! bare 413. A `RequestBodyLimit` layer of tower-http still holds, and is answered as
//! `upload/too-large`.
//!
//! # Refusing early
//!
//! Many clients write their whole request before they read. If the server answers and closes, they
//! see a broken connection and no answer. So the rest of a refused upload is read in the background
//! and thrown away while the answer is on its way, within the bounds of
//! [`UploadPolicy::with_drain`]. A client that waits for `100 Continue` is not asked for bytes that
//! nobody wants.
//!
//! # Memory
//!
//! Of an image nothing is kept but a chunk on its way, and of a form at most 16 KB between chunks.
//! What an upload does cost is hyper's read buffer, which grows to 400 KB for a fast connection
//! under `axum::serve`. A server with many uploads at once serves through [`SmallReads`], which
//! keeps it at 64 KB (a server on hyper itself sets `max_buf_size`). `benches/upload.rs` measures
//! what 256 uploads of 20 MB cost with it and without.

mod body;
#[cfg(feature = "client")]
mod callback;
mod listener;
mod multipart;
mod policy;
mod problem;
mod upload;

use ::axum::{
    extract::{FromRequest, Request},
    http::header,
};

#[cfg(feature = "client")]
pub use callback::callbacks;
pub use listener::{SmallReads, SmallReadsIo};
pub use policy::UploadPolicy;
pub use problem::Problem;
pub use upload::Upload;

/// Extracts an image from a field of a form (`multipart/form-data`); the field's name is the
/// policy's. Fields before and after it are skipped.
#[derive(Debug)]
pub struct ImageField(pub Upload);

impl<S: Send + Sync> FromRequest<S> for ImageField {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let policy = policy(&request);
        let content_type = content_type(&request).unwrap_or_default();
        Upload::of_form(request, &content_type, policy)
            .await
            .map(Self)
    }
}

/// Extracts an image that is the request's body.
#[derive(Debug)]
pub struct ImageBody(pub Upload);

impl<S: Send + Sync> FromRequest<S> for ImageBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let policy = policy(&request);
        let content_type = content_type(&request);
        Upload::of_body(request, content_type, &policy).map(Self)
    }
}

fn policy(request: &Request) -> UploadPolicy {
    let policy = request.extensions().get::<UploadPolicy>();
    policy.cloned().unwrap_or_default()
}

fn content_type(request: &Request) -> Option<String> {
    let value = request.headers().get(header::CONTENT_TYPE)?;
    value.to_str().ok().map(str::to_owned)
}
