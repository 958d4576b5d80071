//! Facts that are not known.

use std::fmt;

use super::listed;
use crate::error::{from_name, serde_name};

macro_rules! missing {
    ($($variant:ident, $name:literal, $text:literal;)*) => {
        /// A fact that a decision needs and that is not known. `Display` describes it, as in
        /// `unknown: the dimensions`.
        ///
        /// ```
        /// use greenlight::{Depth, Inspector, Missing, Requirements};
        ///
        /// let inspection = Inspector::new(Depth::Header).inspection().clone();
        /// let verdict = Requirements::ASYNC.judge(inspection);
        /// assert_eq!(Missing::in_words(verdict.missing()), "the size, the format");
        /// ```
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Missing {
            $(#[doc = concat!("`", $name, "`: ", $text, ".")] $variant,)*
        }

        impl Missing {
            /// Every fact that can be missing, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable name, as in JSON.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The fact in words.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Describes the facts, separated by commas.
            pub fn in_words(facts: &[Self]) -> String {
                let words: Vec<_> = facts.iter().map(|fact| fact.description()).collect();
                listed(&words, ", ")
            }
        }
    };
}

missing! {
    Format, "format", "the format";
    Dimensions, "dimensions", "the dimensions";
    Size, "size", "the size";
    Rest, "rest", "the rest of the file";
    Upload, "upload", "the rest of the upload, which was not read";
    Image, "image", "the image, which was not read";
    Download, "download", "the image, which was not downloaded";
    LocalResources, "local-resources", "the download, which this machine could not do";
    Tls, "tls", "the download, for which this client lacks the server's TLS";
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

from_name!(Missing, "fact");
serde_name!(Missing);
