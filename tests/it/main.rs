//! The tests of the public surface, one module per topic.

mod accuracy;
mod bench_kept;
mod bench_report;
mod bmp;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "containers")]
mod containers;
mod corpus;
#[cfg(feature = "cli")]
mod corpus_check;
#[cfg(feature = "payload")]
mod costly;
mod crashes;
#[cfg(feature = "payload")]
mod damage;
#[cfg(feature = "serde")]
mod enforcement;
#[cfg(feature = "serde")]
mod facts;
mod figures;
mod fixtures;
mod gate;
mod glance;
#[cfg(feature = "client")]
mod green;
#[cfg(feature = "client")]
mod green_callback;
#[cfg(feature = "client")]
mod green_credentials;
#[cfg(feature = "client")]
mod green_faults;
#[cfg(feature = "client")]
mod green_outcome;
#[cfg(all(feature = "client", feature = "sandbox"))]
mod green_sandbox;
#[cfg(feature = "client")]
mod green_server;
#[cfg(feature = "client")]
mod green_sign;
#[cfg(all(feature = "client", feature = "tracing"))]
mod green_trace;
#[cfg(feature = "client")]
mod green_upload;
#[cfg(all(feature = "client", feature = "sandbox"))]
mod green_v2;
#[cfg(feature = "cli")]
mod html_report;
mod image_url;
#[cfg(feature = "stream")]
mod images;
mod imports;
mod inspect;
#[cfg(feature = "decode")]
mod inspect_decode;
#[cfg(feature = "stream")]
mod inspect_stream;
mod jpeg;
#[cfg(feature = "ledger")]
mod ledger;
#[cfg(all(
    feature = "ledger",
    feature = "pipeline",
    feature = "postgres",
    feature = "sandbox"
))]
mod pipeline;
#[cfg(all(feature = "ledger", feature = "postgres"))]
mod postgres_server;
#[cfg(feature = "probe")]
mod probe;
#[cfg(feature = "probe")]
mod probe_accepts;
#[cfg(feature = "probe")]
mod probe_accepts_odd;
#[cfg(feature = "probe")]
mod probe_address;
#[cfg(feature = "probe")]
mod probe_hostile;
#[cfg(feature = "probe")]
mod probe_names;
#[cfg(feature = "probe")]
mod probe_network;
#[cfg(feature = "probe")]
mod probe_server;
#[cfg(feature = "probe")]
mod probe_tls;
mod requirements;
#[cfg(feature = "serde")]
mod requirements_json;
#[cfg(feature = "sandbox")]
mod sandbox;
#[cfg(all(feature = "client", feature = "sandbox"))]
mod sandbox_sign;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "axum")]
mod upload;
#[cfg(feature = "stream")]
mod upload_gate;
#[cfg(feature = "axum")]
mod wire;
