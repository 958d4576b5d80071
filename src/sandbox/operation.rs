//! The operations of the service, and which of them a request is for.

use axum::http::{Uri, request::Parts};

/// An operation of the service.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use greenlight::{
///     ImageUrl, Scene,
///     green::{Batch, Client, Credentials, Secret, Task},
///     sandbox::{Operation, Sandbox},
/// };
///
/// let sandbox = Sandbox::start().await?;
/// let key = sandbox.credentials();
/// let client = Client::builder()
///     .endpoint(&sandbox.endpoint())
///     .credentials(Credentials::new(key.id(), Secret::new(key.secret())))
///     .build()?;
/// let task = Task::unchecked(ImageUrl::parse("https://example.com/cat.png")?);
/// client.submit(Batch::new([task])?, &[Scene::Porn]).await?;
/// assert_eq!(sandbox.requests_of(Operation::AsyncScan), 1);
/// assert_eq!(sandbox.requests_of(Operation::Results), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// `/green/image/asyncscan`
    AsyncScan,
    /// `/green/image/results`
    Results,
    /// `/green/image/scan`
    SyncScan,
    /// `/green/image/feedback`
    Feedback,
    /// `/green/credentials/uploadcredentials`
    UploadCredentials,
    /// The PUT of an object.
    Upload,
    /// `ImageModeration` of 2.0.
    ImageModeration,
    /// `ImageAsyncModeration` of 2.0.
    ImageAsyncModeration,
    /// `DescribeImageModerationResult` of 2.0.
    DescribeImageModerationResult,
    /// `ImageBatchModeration` of 2.0.
    ImageBatchModeration,
    /// `DescribeImageResultExt` of 2.0.
    DescribeImageResultExt,
    /// `DescribeUploadToken` of 2.0.
    DescribeUploadToken,
}

impl Operation {
    /// The operation of a request: by its path in 1.0, by its header or parameter in 2.0.
    pub(super) fn of(request: &Parts) -> Option<Self> {
        let path = request.uri.path();
        if path != "/" {
            return Self::at(path);
        }
        let header = request.headers.get("x-acs-action");
        let header = header.and_then(|action| action.to_str().ok());
        match header {
            Some(action) => Self::named(action),
            None => Self::named(&parameter(&request.uri, "Action")?),
        }
    }

    fn named(action: &str) -> Option<Self> {
        Some(match action {
            "ImageModeration" => Self::ImageModeration,
            "ImageAsyncModeration" => Self::ImageAsyncModeration,
            "DescribeImageModerationResult" => Self::DescribeImageModerationResult,
            "ImageBatchModeration" => Self::ImageBatchModeration,
            "DescribeImageResultExt" => Self::DescribeImageResultExt,
            "DescribeUploadToken" => Self::DescribeUploadToken,
            _ => return None,
        })
    }

    /// Whether it is of version 2022-03-02.
    pub(super) const fn is_v2(self) -> bool {
        matches!(
            self,
            Self::ImageModeration
                | Self::ImageAsyncModeration
                | Self::DescribeImageModerationResult
                | Self::ImageBatchModeration
                | Self::DescribeImageResultExt
                | Self::DescribeUploadToken
        )
    }

    fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/green/image/asyncscan" => Self::AsyncScan,
            "/green/image/results" => Self::Results,
            "/green/image/scan" => Self::SyncScan,
            "/green/image/feedback" => Self::Feedback,
            "/green/credentials/uploadcredentials" => Self::UploadCredentials,
            _ => return None,
        })
    }
}

/// A parameter of the query.
fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, value) = pairs.find(|(found, _)| found == name)?;
    Some(value.into_owned())
}
