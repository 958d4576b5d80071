//! The command `greenlight`: sources in, one line each out.
//!
//! Data goes to stdout, everything else to stderr; `terminal` is the only place that prints.

mod args;
mod check;
mod clock;
mod config;
mod doctor;
mod duration;
mod exit;
mod generate;
mod html_report;
mod human;
mod interrupt;
mod ledger;
mod list;
mod log;
mod name;
mod out_file;
mod outcome;
mod pace;
mod parquet_out;
mod plan;
mod printer;
mod report;
mod report_cmd;
mod results;
mod sandbox_cmd;
mod scan;
#[cfg(feature = "serve")]
mod serve_cmd;
mod source;
mod tally;
mod terminal;
#[cfg(feature = "serve")]
mod text_file;

use std::{env, process::ExitCode};

use tokio::runtime;

use args::{Arguments, Command};
use config::NotParsed;
use exit::{Exit, Failure};
use interrupt::Interrupt;
use terminal::MessageOptions;

/// Runs the command with the process's arguments and returns its exit code.
pub(crate) fn run() -> ExitCode {
    let args: Vec<_> = env::args_os().collect();
    let mut warnings = Vec::new();
    let parsed = config::parse(&args, &mut warnings);
    if let Ok(arguments) = &parsed {
        let output = &arguments.output;
        terminal::set_up(MessageOptions {
            color: output.color,
            progress: output.progress,
            is_quiet: output.quiet,
        });
        log::set_up(arguments.log());
    }
    for warning in &warnings {
        terminal::warning(warning);
    }
    let mut arguments = match parsed {
        Ok(arguments) => arguments,
        Err(NotParsed::Answer(answer)) => return terminal::answer(&answer).into(),
        Err(NotParsed::Failure(failure)) => {
            terminal::failure(&failure);
            return Exit::Failed.into();
        }
    };
    let elsewhere = std::mem::take(&mut arguments.elsewhere);
    let exit = start(arguments).unwrap_or_else(|failure| {
        terminal::failure(&failure.with_origins(&elsewhere));
        Exit::Failed
    });
    exit.into()
}

fn start(arguments: Arguments) -> Result<Exit, Failure> {
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start the async runtime: {error}")))?;
    let exit = runtime.block_on(dispatch(arguments));
    // A thread that hangs on a dead file system or a name server must not keep the command alive.
    runtime.shutdown_background();
    exit
}

async fn dispatch(arguments: Arguments) -> Result<Exit, Failure> {
    let interrupt = Interrupt::listen();
    match arguments.command {
        Command::Check(options) => check::run(options, interrupt).await,
        Command::Scan(options) => scan::run(options, interrupt).await,
        Command::Resume(options) => ledger::resume(options, interrupt).await,
        Command::Work(options) => ledger::work(options, interrupt).await,
        Command::Status(options) => ledger::status(options).await,
        Command::Retry(options) => ledger::retry(options).await,
        Command::Dead(options) => ledger::dead(options).await,
        Command::Export(options) => ledger::export(options, interrupt).await,
        Command::Ledger(options) => ledger::maintain(options, interrupt).await,
        Command::Plan(options) => plan::run(options, interrupt).await,
        Command::Results(options) => results::run(options, interrupt).await,
        Command::Report(options) => report_cmd::run(options, interrupt).await,
        Command::Sandbox(options) => sandbox_cmd::run(options, interrupt).await,
        #[cfg(feature = "serve")]
        Command::Serve(options) => serve_cmd::run(*options, interrupt).await,
        Command::Doctor(options) => doctor::run(options, interrupt).await,
        Command::Config(options) => config::run(&options, &arguments.config),
        Command::Completions(options) => generate::completions(&options),
        Command::Man(options) => generate::man(&options),
    }
}
