//! `greenlight completions` and `greenlight man`, made from the arguments.

use std::{fs, io};

use super::{
    args::{Arguments, CompletionsOptions, ManOptions},
    exit::{Exit, Failure, reason},
    printer,
    terminal::Terminal,
};

/// Prints the completions of a shell.
pub(crate) fn completions(options: &CompletionsOptions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    let mut command = Arguments::command_line();
    clap_complete::generate(options.shell, &mut command, "greenlight", &mut script);
    let printed = Terminal::stdout().data(&script);
    printer::ended(printed.map(|()| Exit::Success), || Exit::Success)
}

/// Writes a manual page for the command and for each of its subcommands.
pub(crate) fn man(options: &ManOptions) -> Result<Exit, Failure> {
    let folder = &options.folder;
    let unwritable = |error: io::Error| {
        Failure::new(format!(
            "cannot write to {}: {}",
            folder.display(),
            reason(&error)
        ))
    };
    fs::create_dir_all(folder).map_err(unwritable)?;
    clap_mangen::generate_to(Arguments::command_line(), folder).map_err(unwritable)?;
    Ok(Exit::Success)
}
