//! Extractors for axum 0.8 that reject an upload before it ends.
//!
//! [`ImageField`] extracts the image from a form, [`ImageBody`] from a request whose body is the
//! image. Both pass the bytes on as they are received and keep none. As soon as the bytes received
//! prove the image invalid they return a [`Problem`], which is also the response. An
//! [`UploadPolicy`] sets the requirements of a route.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use axum::{body::Body, http::Request};
//! # use hyper::service::Service as _;
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
//! # let image = std::fs::read("fixtures/images/png/rgb.png")?;
//! # let head = "--x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n";
//! # let form = [head.as_bytes(), &image, b"\r\n--x--\r\n"].concat();
//! # let form = Request::post("/upload").header("content-type", "multipart/form-data; boundary=x")
//! #     .body(Body::from(form))?;
//! # let response = hyper_util::service::TowerToHyperService::new(app).call(form).await?;
//! # assert_eq!(response.status(), 200);
//! # let text = axum::body::to_bytes(response.into_body(), 1_000).await?;
//! # assert!(text.starts_with(format!("{} bytes", image.len()).as_bytes()), "{text:?}");
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//!
//! axum's `DefaultBodyLimit` (2 MB unless set) does **not** apply to these extractors: the
//! requirements' own limit does, so that the response to a larger file names both numbers. A
//! `RequestBodyLimit` layer of tower-http still applies, and is reported as `upload/too-large`.
//!
//! # Early rejection
//!
//! Many clients write their whole request before they read. If the server responds and closes the
//! connection, they see a reset and no response. So the rest of a rejected upload is read in the
//! background and discarded while the response is sent, within the bounds of
//! [`UploadPolicy::with_drain`]. A client that waits for `100 Continue` does not send its body.
//!
//! # Memory
//!
//! An upload holds one chunk, and at most 16 KB of a form between chunks. hyper's read buffer costs
//! more: it grows to 400 KB for a fast connection under `axum::serve`. For many concurrent uploads
//! serve through [`SmallReads`], which limits it to 64 KB (with hyper itself, set `max_buf_size`).
//! `benches/suite/upload.rs` measures the memory of 256 uploads of 20 MB with and without it.

mod body;
#[cfg(feature = "client")]
mod callback;
mod form;
mod listener;
mod multipart;
mod policy;
mod problem;
mod upload;

use ::axum::{
    extract::{FromRequest, Request},
    http::header,
};

#[cfg(feature = "serve")]
pub(crate) use body::discard;
#[cfg(feature = "client")]
pub use callback::callbacks;
pub use listener::{SmallReads, SmallReadsIo};
pub use policy::UploadPolicy;
#[cfg(feature = "serve")]
pub(crate) use policy::{MIN_RATE, PATIENCE};
pub use problem::Problem;
pub use upload::Upload;

/// Extracts an image from a field of a form (`multipart/form-data`); the field's name is the
/// policy's. Fields before and after it are skipped.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use axum::{body::Body, http::Request};
/// # use hyper::service::Service as _;
/// use axum::{Router, routing::post};
/// use greenlight::{Requirements, axum::{ImageField, Problem, UploadPolicy}};
///
/// async fn avatar(ImageField(mut image): ImageField) -> Result<(), Problem> {
///     let mut stored = Vec::new();
///     while let Some(chunk) = image.chunk().await? {
///         stored.extend_from_slice(&chunk);
///     }
///     image.finish().await?;
///     Ok(()) // `stored` is the image
/// }
///
/// // The field of the form: `<input type="file" name="avatar">`.
/// let policy = UploadPolicy::new(Requirements::ASYNC).with_field("avatar");
/// let app: Router = Router::new().route("/avatar", post(avatar).layer(policy.layer()));
/// # let image = std::fs::read("fixtures/images/png/rgb.png")?;
/// # let head = "--x\r\nContent-Disposition: form-data; name=\"avatar\"; filename=\"a.png\"\r\n\r\n";
/// # let form = [head.as_bytes(), &image, b"\r\n--x--\r\n"].concat();
/// # let form = Request::post("/avatar").header("content-type", "multipart/form-data; boundary=x")
/// #     .body(Body::from(form))?;
/// # let response = hyper_util::service::TowerToHyperService::new(app).call(form).await?;
/// # assert_eq!(response.status(), 200);
/// # Ok(())
/// # }
/// ```
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
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use axum::{body::Body, http::Request};
/// # use hyper::service::Service as _;
/// use axum::{Router, routing::put};
/// use greenlight::axum::{ImageBody, Problem};
///
/// /// `curl -T photo.png http://localhost/photos`
/// async fn upload(ImageBody(mut image): ImageBody) -> Result<String, Problem> {
///     while let Some(chunk) = image.chunk().await? {
///         println!("store {} bytes", chunk.len());
///     }
///     let accepted = image.finish().await?;
///     Ok(format!("{:?}", accepted.inspection().and_then(|inspection| inspection.format())))
/// }
///
/// let app: Router = Router::new().route("/photos", put(upload));
/// # let image = std::fs::read("fixtures/images/png/rgb.png")?;
/// # let request = Request::put("/photos").body(Body::from(image))?;
/// # let response = hyper_util::service::TowerToHyperService::new(app).call(request).await?;
/// # assert_eq!(axum::body::to_bytes(response.into_body(), 1_000).await?, "Some(Png)");
/// # Ok(())
/// # }
/// ```
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
