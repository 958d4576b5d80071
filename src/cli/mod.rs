//! The command `greenlight`: sources in, one line each out.
//!
//! Data goes to stdout, everything else to stderr; `terminal` is the only place that prints.

mod args;
mod check;
mod clock;
mod duration;
mod exit;
mod html_report;
mod human;
mod interrupt;
mod ledger;
mod list;
mod out_file;
mod outcome;
mod parquet_out;
mod plan;
mod printer;
mod report;
mod report_cmd;
mod results;
mod sandbox_cmd;
mod scan;
mod source;
mod terminal;

use std::process::ExitCode;

use clap::Parser;
use tokio::runtime;

use args::{Arguments, Command};
use exit::{Exit, Failure};
use interrupt::Interrupt;

/// Runs the command with the process's arguments and returns its exit code.
pub(crate) fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => return terminal::answer(&answer).into(),
    };
    let exit = start(arguments.command).unwrap_or_else(|failure| {
        terminal::failure(&failure);
        Exit::Failed
    });
    exit.into()
}

fn start(command: Command) -> Result<Exit, Failure> {
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the async runtime: {error}")))?;
    let exit = runtime.block_on(dispatch(command));
    // A thread that hangs on a dead file system or a name server must not keep the command alive.
    runtime.shutdown_background();
    exit
}

async fn dispatch(command: Command) -> Result<Exit, Failure> {
    let interrupt = Interrupt::listen();
    match command {
        Command::Check(options) => check::run(options, interrupt).await,
        Command::Scan(options) => scan::run(options, interrupt).await,
        Command::Resume(options) => ledger::resume(options.settings, interrupt).await,
        Command::Work(options) => ledger::work(options, interrupt).await,
        Command::Status(options) => ledger::status(options).await,
        Command::Retry(options) => ledger::retry(options).await,
        Command::Dead(options) => ledger::dead(options).await,
        Command::Export(options) => ledger::export(options, interrupt).await,
        Command::Plan(options) => plan::run(options, interrupt).await,
        Command::Results(options) => results::run(options, interrupt).await,
        Command::Report(options) => report_cmd::run(options, interrupt).await,
        Command::Sandbox(options) => sandbox_cmd::run(options, interrupt).await,
    }
}
