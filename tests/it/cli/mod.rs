//! The command, run as a process.

mod bench;
mod check;
mod list;
mod messages;
mod printing;
mod running;
mod scan;
mod site;
