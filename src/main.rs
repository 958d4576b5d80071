//! The command `greenlight`.

fn main() {}
