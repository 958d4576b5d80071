// The README's examples use the default features; without them it would not compile.
#![cfg_attr(all(feature = "probe", feature = "client"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "probe", feature = "client")),
    doc = "Decides whether Alibaba Cloud's image moderation can scan an image: the core, without network."
)]
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `probe` | yes | `probe`: reads URLs within one deadline, guarded against private addresses |
//! | `client` | yes | `green`: signs, submits and polls; implies `files` and `serde` |
//! | `containers` | yes | the sizes of TIFF, HEIC, AVIF and ICO |
//! | `payload` | yes | `Depth::Payload`: examines coded pixels without decoding them |
//! | `decode` | | `Depth::Decode`: the `image` crate's decoders as a second opinion, under limits |
//! | `files` | | `local_file`, `Inspection::from_path`, `Requirements::judge_file` |
//! | `stream` | | `Gate::over` for `Stream`s and `AsyncRead`s |
//! | `serde` | | `Serialize` and `Deserialize` for requirements, facts, verdicts and outcomes |
//! | `axum` | | `axum`: extractors that reject an upload before it ends |
//! | `ledger` | | `ledger::SqliteLedger`: the durable record of every paid call |
//! | `postgres` | | `ledger::PostgresLedger`: the same, shared by several machines |
//! | `conformance` | | `ledger::conformance`: tests for implementations of `ledger::Ledger` |
//! | `pipeline` | | `pipeline`: checks, submits, polls and delivers lists of images over any ledger |
//! | `sandbox` | | `sandbox`: a mock of the service on loopback |
//! | `serve` | | `serve`: an HTTP server that checks images for programs in any language |
//! | `tracing` | | spans for the client's attempts |
//! | `cli` | | the command `greenlight` |
//! | `full` | | all of the above but `conformance` |
//!
//! Without any feature the crate is the pure core: bytes and facts in, verdicts out.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "sandbox", feature = "serve"))]
mod accept;
mod code;
pub mod download;
mod error;
mod format;
mod frames;
mod gate;
mod ids;
mod image_url;
mod inspect;
#[cfg(any(feature = "probe", feature = "client"))]
mod later;
#[cfg(feature = "files")]
pub mod local_file;
mod problem;
mod requirements;
pub mod sanitize;
#[cfg(any(feature = "client", feature = "ledger", feature = "postgres"))]
mod scene;
#[cfg(feature = "probe")]
mod spawned;
mod verdict;

#[cfg(feature = "probe")]
pub mod probe;

#[cfg(feature = "client")]
pub mod green;

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(any(feature = "ledger", feature = "pipeline", feature = "postgres"))]
pub mod ledger;

#[cfg(feature = "pipeline")]
pub mod pipeline;

#[cfg(feature = "sandbox")]
pub mod sandbox;

#[cfg(feature = "serve")]
pub mod serve;

pub use code::Code;
pub use error::{Error, ErrorKind, RefusalSubject, Retry, UnknownName};
pub use format::{Dimensions, Format};
pub use frames::Coverage;
#[cfg(feature = "stream")]
pub use gate::GateError;
pub use gate::{Gate, Gated, Receipt};
pub use ids::{DataId, InvalidId, RequestId, TaskId};
pub use image_url::{ImageUrl, UrlError};
pub use inspect::{
    Claim, ClaimSource, ColorType, DefectClass, DefectKind, Defects, Depth, Identity, Inspection,
    Inspector, Orientation,
};
pub use problem::ProblemDocument;
#[cfg(feature = "serde")]
pub use requirements::Provenance;
pub use requirements::{ByteSize, Preset, Requirements, Rule, SizeError};
#[cfg(any(feature = "client", feature = "ledger", feature = "postgres"))]
pub use scene::Scene;
pub use verdict::{
    Accepted, CodeCounts, Decision, DownloadSummary, Enforcement, Measure, Missing, Rejected,
    Severity, Summary, Verdict, Violation,
};
