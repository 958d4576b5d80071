//! The commands that keep a ledger, or read one.

mod dead;
mod export;
mod lines;
mod location;
mod lock;
mod maintain;
mod obstacles;
mod outage;
mod place;
mod progress;
mod reach;
mod retry;
mod row;
mod run;
#[cfg(feature = "serve")]
mod serve;
mod setup;
mod status;
mod work;

#[cfg(feature = "serve")]
pub(crate) use self::serve::{Moderating, moderate};
pub(crate) use self::{
    dead::run as dead,
    export::{page, run as export},
    lines::{Lines, located},
    location::open_to_read,
    maintain::run as maintain,
    outage::Outages,
    place::LedgerPlace,
    retry::run as retry,
    run::{resume, scan},
    status::run as status,
    work::run as work,
};
