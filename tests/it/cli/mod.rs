//! The command, run as a process.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod api;
mod bench;
mod check;
mod doctor;
mod ledger;
mod list;
mod messages;
mod options;
mod printing;
mod reports;
mod running;
mod scan;
#[cfg(all(unix, feature = "serve"))]
mod serve;
#[cfg(all(unix, feature = "serve", feature = "postgres"))]
mod serve_database;
#[cfg(all(unix, feature = "serve"))]
mod serve_killed;
mod service;
mod site;
mod written;
