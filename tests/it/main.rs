//! The tests of the public surface, one module a theme.

mod fixtures;
mod gate;
mod image_url;
mod imports;
mod requirements;
mod corpus;
