//! The tests of the public surface, one module a theme.

mod fixtures;
