//! The tests of the public surface, one module a theme.

mod fixtures;
mod gate;
#[cfg(feature = "client")]
mod green;
#[cfg(feature = "client")]
mod green_server;
#[cfg(feature = "client")]
mod green_sign;
mod image_url;
mod imports;
mod requirements;
mod corpus;
#[cfg(feature = "stream")]
mod images;
#[cfg(feature = "stream")]
mod upload_gate;
