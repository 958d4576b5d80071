//! `greenlight config`: the options in effect.

use std::collections::BTreeMap;

use clap::{Arg, Command};
use serde::Serialize;

use super::{Layers, options};
use crate::cli::{
    args::{Arguments, ConfigOptions, ShowConfigOptions, header, without_password},
    exit::{Exit, Failure},
    printer::{self, PrintedLine, Printer},
    terminal::{Cell, Row, Tone},
};

/// Commands that do no work of their own.
const OTHERS: [&str; 4] = ["config", "completions", "man", "help"];

/// Prints each option with its value and the origin of that.
pub(crate) fn run(options: &ShowConfigOptions, config: &ConfigOptions) -> Result<Exit, Failure> {
    let mut root = Arguments::command_line();
    root.build();
    // The warnings were printed when the arguments were read.
    let layers = Layers::read(&root, config, &mut Vec::new())?;
    let mut printer = Printer::new::<Effective>(&options.print)?;
    let mut printed = Ok(());
    for line in effective(&root, &layers)? {
        printed = printed.and_then(|()| printer.print(&line));
    }
    let printed = printed.and_then(|()| printer.finish());
    printer::ended(printed.map(|()| Exit::Success), || Exit::Success)
}

/// An option, in one line for all commands in which it is the same.
fn effective(root: &Command, layers: &Layers) -> Result<Vec<Effective>, Failure> {
    let mut by_option: BTreeMap<String, Vec<Effective>> = BTreeMap::new();
    let commands = root.get_subcommands();
    for command in commands.filter(|command| !OTHERS.contains(&command.get_name())) {
        let values = layers.of(command, None)?;
        for arg in options(command) {
            let set = values.iter().find(|(set, _)| set.get_id() == arg.get_id());
            let option = arg.get_long().unwrap_or_default();
            let line = Effective {
                option: option.to_owned(),
                command: Some(command.get_name().to_owned()),
                value: match set {
                    Some((_, value)) => {
                        let values = value.values.iter();
                        let shown: Vec<_> = values.map(|value| shown(option, value)).collect();
                        Some(shown.join(","))
                    }
                    None => default(arg),
                },
                origin: set.map_or_else(
                    || "default".to_owned(),
                    |(_, value)| value.origin.to_string(),
                ),
            };
            by_option.entry(option.to_owned()).or_default().push(line);
        }
    }
    let lines = by_option.into_values().flat_map(|mut lines| {
        let is_same = |line: &Effective| {
            lines
                .first()
                .is_some_and(|first| (&first.value, &first.origin) == (&line.value, &line.origin))
        };
        if lines.iter().all(is_same) {
            lines.truncate(1);
            for line in &mut lines {
                line.command = None;
            }
        }
        lines
    });
    Ok(lines.collect())
}

/// The value of an option without secrets: what is printed is often passed on.
fn shown(option: &str, value: &str) -> String {
    match option {
        "header" => match header(value) {
            Ok(header) => header.to_string(),
            Err(_) => "***".to_owned(),
        },
        "key" => "***".to_owned(),
        _ => without_password(value),
    }
}

/// The default, where it is a value.
fn default(arg: &Arg) -> Option<String> {
    let values = arg.get_default_values().iter();
    let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
    let text = values.join(",");
    (!text.is_empty()).then_some(text)
}

/// An option as it is printed.
#[derive(Debug, Serialize)]
struct Effective {
    option: String,
    /// The command that it is for, if not the same for all.
    command: Option<String>,
    value: Option<String>,
    origin: String,
}

const OPTION: usize = 24;
const VALUE: usize = 24;

impl PrintedLine for Effective {
    fn heading() -> Option<Row> {
        let row = [
            Cell::new("OPTION").left(OPTION),
            Cell::new("VALUE").left(VALUE),
            Cell::new("FROM"),
        ];
        Some(row.map(|cell| cell.tone(Tone::Heading)).to_vec())
    }

    fn rows(&self) -> Vec<Row> {
        let option = match &self.command {
            Some(command) => format!("{command}.{}", self.option),
            None => self.option.clone(),
        };
        let tone = if self.origin == "default" {
            Tone::Faint
        } else {
            Tone::Plain
        };
        vec![vec![
            Cell::new(option).left(OPTION).tone(tone),
            Cell::new(self.value.as_deref().unwrap_or("-"))
                .left(VALUE)
                .tone(tone),
            Cell::new(&*self.origin).tone(tone),
        ]]
    }

    fn columns() -> Vec<&'static str> {
        vec!["option", "command", "value", "origin"]
    }

    fn fields(&self) -> Vec<String> {
        vec![
            self.option.clone(),
            self.command.clone().unwrap_or_default(),
            self.value.clone().unwrap_or_default(),
            self.origin.clone(),
        ]
    }
}
