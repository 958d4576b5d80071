//! The stable codes of violations.

use std::fmt;

use crate::error::{from_name, serde_name};

macro_rules! codes {
    ($($variant:ident, $name:literal, $text:literal;)*) => {
        /// The stable code of a violation: the same in JSON, HTTP responses, ledger rows and metrics.
        ///
        /// ```
        /// use greenlight::Code;
        ///
        /// let code: Code = "image/too-small".parse()?;
        /// assert_eq!(code, Code::ImageTooSmall);
        /// # Ok::<(), greenlight::UnknownName>(())
        /// ```
        ///
        /// | code | meaning |
        /// |---|---|
        $(#[doc = concat!("| `", $name, "` | ", $text, " |")])*
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = concat!("`", $name, "`: ", $text, ".")] $variant,)*
        }

        impl Code {
            /// Every code, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            pub(crate) const COUNT: usize = Self::ALL.len();

            /// Returns the code as text, `area/what`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns a general description.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

codes! {
    UrlMalformed, "url/malformed", "the text is not an absolute URL";
    UrlScheme, "url/scheme", "the scheme is neither http nor https";
    UrlTooLong, "url/too-long", "the URL has too many characters";
    UrlCredentials, "url/credentials", "the URL carries a user name or password";
    UrlPrivateAddress, "url/private-address", "the address rule refuses the host's address or port";
    FileOutside, "file/outside", "the path leads outside the folders that are allowed";
    DownloadDns, "download/dns", "the host's name cannot be resolved";
    DownloadConnect, "download/connect", "no connection can be opened";
    DownloadTls, "download/tls", "TLS cannot be set up";
    DownloadTlsUnsupported, "download/tls-unsupported", "the server's TLS needs what this client lacks";
    DownloadTooSlow, "download/too-slow", "the download takes too long";
    DownloadStatus, "download/status", "the server answers with a status that carries no image";
    DownloadRedirects, "download/redirects", "too many redirects, or one that leads nowhere";
    DownloadIncomplete, "download/incomplete", "the connection ends before the answer does";
    DownloadProtocol, "download/protocol", "the server breaks the protocol";
    DownloadEncoding, "download/encoding", "the body has a Content-Encoding that was not requested";
    DownloadUnknownEncoding, "download/unknown-encoding", "the Content-Encoding is not a registered coding, and the body is read as it is";
    DownloadWebPage, "download/web-page", "the server answers with a web page in place of an image";
    DownloadContentType, "download/content-type", "the Content-Type is not that of an image";
    ImageEmpty, "image/empty", "there are no bytes";
    ImageNotAnImage, "image/not-an-image", "the bytes are of no known image format";
    ImageFormatUnsupported, "image/format-unsupported", "the format is known but not scanned";
    ImageTooLarge, "image/too-large", "the file has too many bytes";
    ImageTooSmall, "image/too-small", "the image has too few pixels in width or height";
    ImageSideTooLong, "image/side-too-long", "the image has too many pixels in width or height";
    ImageTooManyPixels, "image/too-many-pixels", "width times height is too large";
    ImageTruncated, "image/truncated", "the file ends before the image does";
    ImageCorrupt, "image/corrupt", "the bytes contradict their format";
    ImageTrailingBytes, "image/trailing-bytes", "bytes follow the image's own end";
    ImageNotExamined, "image/not-examined", "a part of the image was not examined, and nothing wrong was found in it";
    ImageTypeMismatch, "image/type-mismatch", "the name or Content-Type claims another format";
    ImageFramesUnseen, "image/frames-unseen", "some frames or parts will not be scanned";
}

impl Code {
    #[expect(
        clippy::as_conversions,
        reason = "a fieldless enum's discriminant, in constant context"
    )]
    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

from_name!(Code, "code");
serde_name!(Code);
