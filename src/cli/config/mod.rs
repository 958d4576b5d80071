//! Options from the environment and from a file: the option itself decides, then `GREENLIGHT_*`,
//! then `greenlight.toml`, then the default.
//!
//! Values from elsewhere become the defaults of clap's arguments, so that everything else about an
//! option is defined once.

mod file;
mod show;

use std::{collections::BTreeSet, env, ffi::OsString};

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches as _, parser::ValueSource};

use self::file::ConfigFile;
pub(crate) use self::show::run;
use super::{
    args::{Arguments, ConfigOptions},
    exit::Failure,
};

/// Options that describe the list, and have no meaning without one.
const OF_LISTS: [&str; 6] = [
    "list-format",
    "column",
    "data-id-column",
    "delimiter",
    "rows-per-byte",
    "files-under",
];

const PREFIX: &str = "GREENLIGHT_";

/// Minimum similarity of a name that is reported as a misspelled one: one letter of five is wrong.
const MISSPELLED: f64 = 0.8;

/// Why there are no arguments.
pub(crate) enum NotParsed {
    /// Help, the version, or what is wrong with the arguments.
    Answer(clap::Error),
    Failure(Failure),
}

impl From<clap::Error> for NotParsed {
    fn from(error: clap::Error) -> Self {
        Self::Answer(error)
    }
}

impl From<Failure> for NotParsed {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Reads the arguments, and the other options from the environment and the file. Adds what the user
/// should know, to be printed when the arguments have decided whether and how.
pub(crate) fn parse(args: &[OsString], warnings: &mut Vec<String>) -> Result<Arguments, NotParsed> {
    let mut built = Arguments::command_line();
    built.build();
    warnings.extend(misspelled(&built));
    // Errors are ignored here, because a required option may still come from the environment or the
    // file; the second pass reports the rest.
    let explicit = built
        .clone()
        .ignore_errors(true)
        .try_get_matches_from(args)?;
    let mut command = Arguments::command_line();
    let mut elsewhere = Vec::new();
    if let Some((name, matches)) = explicit.subcommand()
        && let Some(found) = built.find_subcommand(name)
    {
        let layers = Layers::read(
            &built,
            &ConfigOptions {
                config: matches.try_get_one("config").ok().flatten().cloned(),
                no_config: matches
                    .try_get_one("no_config")
                    .is_ok_and(|off| off == Some(&true)),
            },
            warnings,
        )?;
        for (arg, value) in layers.of(found, Some(matches))? {
            let long = arg.get_long().unwrap_or_default();
            elsewhere.push((long.to_owned(), value.origin.to_string()));
            let values: Vec<clap::builder::OsStr> =
                value.values.into_iter().map(Into::into).collect();
            let set = |arg: Arg| arg.required(false).default_values(values);
            command = if arg.is_global_set() {
                command.mut_arg(arg.get_id().as_str(), set)
            } else {
                command.mut_subcommand(name, |sub| sub.mut_arg(arg.get_id().as_str(), set))
            };
        }
    }
    let mut arguments = Arguments::from_arg_matches(&command.try_get_matches_from(args)?)?;
    arguments.elsewhere = elsewhere;
    Ok(arguments)
}

/// A value from elsewhere than the command line.
#[derive(Clone, Debug)]
pub(super) struct Value {
    values: Vec<String>,
    origin: Origin,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Environment(String),
    /// The file and the line.
    File(String, usize),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Environment(name) => f.write_str(name),
            Self::File(path, line) => write!(f, "{path} line {line}"),
        }
    }
}

/// The sources of values with a lower precedence than the command line.
pub(super) struct Layers {
    file: Option<ConfigFile>,
}

impl Layers {
    /// Reads the file, unless the arguments or the environment name another or none.
    pub(super) fn read(
        root: &Command,
        options: &ConfigOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Self, Failure> {
        let is_off =
            options.no_config || variable("no-config").is_some_and(|value| value == "true");
        let named = options.config.clone();
        let named = named.or_else(|| variable("config").map(Into::into));
        let file = match named {
            _ if is_off => None,
            Some(path) => Some(ConfigFile::named(&path, root)?),
            None => ConfigFile::found(root, warnings)?,
        };
        Ok(Self { file })
    }

    /// The values for a command that its arguments do not override: by being given, or by excluding
    /// the option.
    pub(super) fn of<'a>(
        &self,
        command: &'a Command,
        matches: Option<&ArgMatches>,
    ) -> Result<Vec<(&'a Arg, Value)>, Failure> {
        let is_given = |arg: &Arg| {
            matches.is_some_and(|matches| {
                matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
            })
        };
        let mut set: Vec<&Arg> = command
            .get_arguments()
            .filter(|arg| is_given(arg))
            .collect();
        let mut values: Vec<(&Arg, Value)> = Vec::new();
        for layer in [in_environment, Self::in_file] {
            let mut added = Vec::new();
            for arg in options(command) {
                let is_overridden = set
                    .iter()
                    .any(|other| other.get_id() == arg.get_id() || excludes(command, arg, other));
                if is_overridden || is_of_no_list(arg, &set) {
                    continue;
                }
                if let Some(value) = layer(self, command, arg) {
                    check(command, arg, &value)?;
                    added.push(arg);
                    values.push((arg, value));
                }
            }
            // Within one layer, neither of two excluding options takes precedence.
            set.extend(added);
        }
        // A flag that is false equals an absent one.
        values.retain(|(arg, value)| !is_flag(arg) || value.values == ["true"]);
        Ok(values)
    }

    fn in_file(&self, command: &Command, arg: &Arg) -> Option<Value> {
        let file = self.file.as_ref()?;
        let setting = file.get(command.get_name(), arg.get_long()?)?;
        Some(Value {
            values: setting.values.clone(),
            origin: Origin::File(file.path.display().to_string(), setting.line),
        })
    }
}

/// The value in the environment.
fn in_environment(_: &Layers, _: &Command, arg: &Arg) -> Option<Value> {
    let name = arg.get_long()?;
    let text = variable(name)?;
    let values = match arg.get_action() {
        // A comma may be part of a header or a folder's name.
        ArgAction::Append => {
            let between = arg.get_value_delimiter().unwrap_or('\n');
            text.split(between).map(str::to_owned).collect()
        }
        _ => vec![text],
    };
    Some(Value {
        values,
        origin: Origin::Environment(variable_name(name)),
    })
}

/// The options of a command that the environment and a file can set.
pub(super) fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| {
        let is_ours = !matches!(arg.get_long(), None | Some("config" | "no-config"));
        let sets = matches!(
            arg.get_action(),
            ArgAction::Set | ArgAction::Append | ArgAction::SetTrue | ArgAction::Count
        );
        is_ours && sets
    })
}

/// Warns of variables that no option has, but that are spelled almost like one. Other programs,
/// such as the upload example, have variables with the same prefix, so an unknown name alone is no
/// error.
fn misspelled(root: &Command) -> Vec<String> {
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut names = names
        .filter(|name| name.starts_with(PREFIX))
        .collect::<Vec<_>>();
    // Usually there is none, and the names of all options need not be collected.
    if names.is_empty() {
        return Vec::new();
    }
    let all = root.get_subcommands().flat_map(Command::get_arguments);
    let known: BTreeSet<_> = all.filter_map(Arg::get_long).map(variable_name).collect();
    names.retain(|name| !known.contains(name));
    let warnings = names.iter().filter_map(|name| {
        let scored = known
            .iter()
            .map(|known| (likeness(known, name), known))
            .filter(|(likeness, _)| *likeness >= MISSPELLED);
        let (_, near) = scored.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
        Some(format!(
            "{name} is ignored: no option has this variable; did you mean {near}?"
        ))
    });
    warnings.collect()
}

/// The share of equal letters of two variables, without their prefix.
fn likeness(one: &str, other: &str) -> f64 {
    let [one, other] = [one, other].map(|name| name.strip_prefix(PREFIX).unwrap_or(name));
    strsim::normalized_damerau_levenshtein(one, other)
}

fn variable_name(option: &str) -> String {
    let option = option.replace('-', "_").to_ascii_uppercase();
    format!("{PREFIX}{option}")
}

/// An empty variable equals an unset one.
fn variable(option: &str) -> Option<String> {
    let value = env::var_os(variable_name(option))?;
    let value = value.to_string_lossy().into_owned();
    (!value.is_empty()).then_some(value)
}

fn is_flag(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue)
}

/// Whether one of two options cannot be given with the other.
fn excludes(command: &Command, one: &Arg, other: &Arg) -> bool {
    let says = |one: &Arg, other: &Arg| {
        let conflicts = command.get_arg_conflicts_with(one);
        conflicts.iter().any(|arg| arg.get_id() == other.get_id())
    };
    says(one, other) || says(other, one)
}

/// Whether the option describes a list and the sources are named without one.
fn is_of_no_list(arg: &Arg, set: &[&Arg]) -> bool {
    let is_set = |id: &str| set.iter().any(|arg| arg.get_id() == id);
    let is_of_list = arg.get_long().is_some_and(|long| OF_LISTS.contains(&long));
    is_of_list && is_set("sources") && !is_set("from")
}

/// Reads the value as the option itself would.
fn check(command: &Command, arg: &Arg, value: &Value) -> Result<(), Failure> {
    let long = arg.get_long().unwrap_or_default();
    let wrong = |message: &str| Failure::new(format!("{}: {message}", value.origin));
    if is_flag(arg) {
        return match value.values.as_slice() {
            [value] if value == "true" || value == "false" => Ok(()),
            _ => Err(wrong(&format!("`{long}` expects true or false"))),
        };
    }
    if matches!(arg.get_action(), ArgAction::Count) {
        return match value.values.as_slice() {
            [value] if value.parse::<u8>().is_ok() => Ok(()),
            _ => Err(wrong(&format!("`{long}` expects a small number"))),
        };
    }
    let given = value.values.iter().map(|value| format!("--{long}={value}"));
    let args = std::iter::once(command.get_name().to_owned()).chain(given);
    // Parsed alone, so that an error names the file's line and not the command line.
    let lenient = command.clone().mut_args(|arg| arg.required(false));
    match lenient.try_get_matches_from(args) {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = error.to_string();
            let lines = text.lines().take_while(|line| !line.is_empty());
            let line = lines.map(str::trim).collect::<Vec<_>>().join(" ");
            let line = line.replace(&format!("'{arg}'"), &format!("`{long}`"));
            Err(wrong(line.trim_start_matches("error: ")))
        }
    }
}
