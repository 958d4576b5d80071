//! The requirements of a route on its uploads.

use std::{borrow::Cow, time::Duration};

use ::axum::Extension;

use crate::{format::Depth, gate::Gate, requirements::Requirements};

/// The defaults of the minimum rate, in bytes per second, and of how far an upload may fall behind
/// it.
pub(crate) const MIN_RATE: u32 = 8 << 10;
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The requirements of a route on its uploads, and its limits of rate and time.
///
/// The extractors receive it as a layer of the route; a route without one has
/// [`UploadPolicy::default`], the requirements of the asynchronous scan.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use axum::{body::Body, http::Request};
/// # use hyper::service::Service as _;
/// use std::time::Duration;
///
/// use axum::{Router, routing::post};
/// use greenlight::{Requirements, axum::{ImageBody, ImageField, Problem, UploadPolicy}};
///
/// async fn avatar(ImageField(image): ImageField) -> Result<(), Problem> {
///     image.finish().await?;
///     Ok(())
/// }
///
/// async fn photo(ImageBody(image): ImageBody) -> Result<(), Problem> {
///     image.finish().await?;
///     Ok(())
/// }
///
/// let avatars = UploadPolicy::new(Requirements::SYNC.with_max_side(4_096)).with_field("avatar");
/// let photos = UploadPolicy::new(Requirements::ASYNC).with_min_rate(65_536, Duration::from_secs(5));
/// let app: Router = Router::new()
///     .route("/avatar", post(avatar).layer(avatars.layer()))
///     .route("/photo", post(photo).layer(photos.layer()));
/// # let app = hyper_util::service::TowerToHyperService::new(app);
/// # let tall = std::fs::read("fixtures/images/png/side-31000.png")?;
/// # let head = "--x\r\nContent-Disposition: form-data; name=\"avatar\"; filename=\"a.png\"\r\n\r\n";
/// # let form = [head.as_bytes(), &tall, b"\r\n--x--\r\n"].concat();
/// # let form = Request::post("/avatar").header("content-type", "multipart/form-data; boundary=x")
/// #     .body(Body::from(form))?;
/// # assert_eq!(app.call(form).await?.status(), 422);
/// # let image = std::fs::read("fixtures/images/png/rgb.png")?;
/// # assert_eq!(app.call(Request::post("/photo").body(Body::from(image))?).await?.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct UploadPolicy {
    pub(super) requirements: Requirements,
    depth: Depth,
    pub(super) field: Cow<'static, str>,
    pub(super) other_bytes: u64,
    pub(super) min_rate: u32,
    pub(super) patience: Duration,
    drain_bytes: Option<u64>,
    pub(super) drain_time: Duration,
    pub(super) decode_time: Duration,
}

impl UploadPolicy {
    /// A policy with these requirements and the defaults that the other methods name.
    pub const fn new(requirements: Requirements) -> Self {
        Self {
            requirements,
            depth: Depth::Structure,
            field: Cow::Borrowed("image"),
            other_bytes: 64 << 10,
            min_rate: MIN_RATE,
            patience: PATIENCE,
            drain_bytes: None,
            drain_time: Duration::from_secs(2),
            decode_time: Duration::from_secs(3),
        }
    }

    /// Reads the image as far as `depth`. The default is [`Depth::Structure`].
    ///
    /// The work is done where the chunks are read, on the runtime's thread, which must not block.
    /// Up to the structure it is little. At [`Depth::Payload`] a progressive JPEG may hold up to 32
    /// MB, and one chunk of a malicious image may occupy the thread for up to a few hundred
    /// milliseconds: limit the concurrent uploads, and use a runtime with more than one thread.
    ///
    /// At [`Depth::Decode`] each upload is held until its end, at most 64 MB of it, and then
    /// decoded on a dedicated thread; see [`with_decode_time`](Self::with_decode_time).
    #[must_use]
    pub const fn with_depth(mut self, depth: Depth) -> Self {
        self.depth = depth;
        self
    }

    /// Names the form field that holds the image. The default is `image`.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.field = name.into();
        self
    }

    /// Accepts at most `bytes` of the form in addition to the image's: other fields, headers,
    /// boundaries, preamble and epilogue. The image's own header and boundaries count too, about
    /// 200 bytes. Default: 65,536.
    #[must_use]
    pub const fn with_other_bytes(mut self, bytes: u64) -> Self {
        self.other_bytes = bytes;
        self
    }

    /// Rejects an upload that is slower than `bytes_per_second`, measured while the server waits
    /// for it: it may fall behind by `patience`, which is also the longest silence. The default is
    /// 8,192 bytes per second and 10 seconds; with 0 bytes only silence rejects it.
    #[must_use]
    pub const fn with_min_rate(mut self, bytes_per_second: u32, patience: Duration) -> Self {
        self.min_rate = bytes_per_second;
        self.patience = patience;
        self
    }

    /// Drains a rejected upload for at most `bytes` and `time`: a client that writes its whole
    /// request before it reads would otherwise see a closed connection instead of the response. The
    /// default is the requirements' largest file once more, and 2 seconds.
    #[must_use]
    pub const fn with_drain(mut self, bytes: u64, time: Duration) -> Self {
        self.drain_bytes = Some(bytes);
        self.drain_time = time;
        self
    }

    /// Waits at most `time` for the decoder, at [`Depth::Decode`]. A picture that is not decoded by
    /// then is accepted with the warning [`NotDecoded`](crate::inspect::DefectKind::NotDecoded),
    /// unless the requirements enforce it. The default is 3 seconds.
    #[must_use]
    pub const fn with_decode_time(mut self, time: Duration) -> Self {
        self.decode_time = time;
        self
    }

    /// The policy as a layer for a route or a router.
    pub const fn layer(self) -> Extension<Self> {
        Extension(self)
    }

    pub(super) fn gate(&self) -> Gate {
        Gate::at(self.depth, self.requirements.clone())
    }

    /// The maximum number of bytes read of one request, including drained ones.
    pub(super) fn max_read(&self) -> u64 {
        let limit = self.requirements.max_bytes();
        limit
            .saturating_add(self.other_bytes)
            .saturating_add(self.drain_bytes.unwrap_or(limit))
    }
}

/// The requirements of the asynchronous scan, [`Requirements::ASYNC`].
impl Default for UploadPolicy {
    fn default() -> Self {
        Self::new(Requirements::ASYNC)
    }
}
