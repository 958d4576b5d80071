//! The file `greenlight.toml`: its location and its valid contents.

use std::{
    env,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use clap::{Arg, ArgAction, Command, ValueHint};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::options;
use crate::{
    cli::{
        args::{has_password, header},
        exit::{Failure, reason},
        name::nearest,
        terminal,
    },
    local_file,
};

const NAME: &str = "greenlight.toml";

/// Maximum size of a configuration file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Parts of names that users give to secrets.
const SECRETS: [&str; 4] = ["secret", "access-key", "token", "password"];

/// Options that name files, addresses and destinations. The working folder may hold a file that
/// came with images from elsewhere, and its author must not choose what is read, overwritten or
/// sent where.
const REACHING: [&str; 14] = [
    "allow-address",
    "callback-url",
    "credentials",
    "endpoint",
    "files-under",
    "html",
    "images",
    "listen",
    "output",
    "serve",
    "token-file",
    "webhook",
    "webhook-address",
    "webhook-secret-file",
];

/// The settings of a file, checked against the options that there are.
#[derive(Debug)]
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    settings: Vec<Setting>,
}

/// The values of one option.
#[derive(Debug)]
pub(super) struct Setting {
    /// The command whose table it is in; none at the top, for all commands.
    command: Option<String>,
    option: String,
    pub(super) values: Vec<String>,
    pub(super) line: usize,
}

impl ConfigFile {
    /// Reads the file that the user names.
    pub(super) fn named(path: &Path, root: &Command) -> Result<Self, Failure> {
        let unreadable = |error| {
            let message = format!("cannot read {}: {}", path.display(), reason(&error));
            Failure::new(message).hint("--config names a TOML file with options")
        };
        let text = File::open(path).and_then(read).map_err(unreadable)?;
        Self::parse(path.to_owned(), &text, root)
    }

    /// Reads the file that is found from the working directory upward, else that of the user.
    pub(super) fn found(
        root: &Command,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, Failure> {
        let here = env::current_dir().unwrap_or_default();
        let upward = here.ancestors().map(|folder| (folder.join(NAME), false));
        for (path, is_of_user) in upward.chain(of_user().map(|path| (path, true))) {
            // Opened before the owner is checked, and read through the same handle, so that the
            // file cannot be replaced in between.
            let Ok(file) = local_file::open(&path) else {
                continue;
            };
            if !is_trusted(&path, &file) {
                warnings.push(format!(
                    "ignoring {}: it can be written by another user; --config reads it nevertheless",
                    path.display()
                ));
                continue;
            }
            let text = read(file).map_err(|error| {
                Failure::new(format!(
                    "cannot read {}: {}",
                    path.display(),
                    reason(&error)
                ))
            })?;
            let file = Self::parse(path, &text, root)?;
            if !is_of_user {
                file.check_reach()?;
            }
            return Ok(Some(file));
        }
        Ok(None)
    }

    /// Returns an error for a setting that only a file chosen by the user may have.
    fn check_reach(&self) -> Result<(), Failure> {
        let is_reaching = |setting: &&Setting| match &*setting.option {
            "ledger" => setting.values.iter().any(|value| value.contains("://")),
            option => REACHING.contains(&option),
        };
        let Some(setting) = self.settings.iter().find(is_reaching) else {
            return Ok(());
        };
        let (path, line, option) = (self.path.display(), setting.line, &setting.option);
        let message =
            format!("{path} line {line}: `{option}` is not read from a file in a working folder");
        Err(Failure::new(message).hint(
            "set it in the file of your configuration folder, or name this file with --config",
        ))
    }

    fn parse(path: PathBuf, text: &str, root: &Command) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let fail =
            |line: usize, message: String| Failure::new(format!("{shown} line {line}: {message}"));
        let line_at = |offset: usize| {
            let before = text.get(..offset).unwrap_or_default();
            before.matches('\n').count() + 1
        };
        let table = DeTable::parse(text).map_err(|error| {
            let line = line_at(error.span().map_or(0, |span| span.start));
            fail(line, error.message().to_owned())
        })?;
        let mut settings = Vec::new();
        for (key, value) in table.get_ref() {
            let line = line_at(key.span().start);
            if let (Some(command), DeValue::Table(table)) =
                (root.find_subcommand(&**key.get_ref()), value.get_ref())
            {
                for (key, value) in table {
                    let line = line_at(key.span().start);
                    let setting = setting(&[command], key.get_ref(), value, &path, line);
                    let setting = setting.map_err(|failure| failure.at(fail, line))?;
                    settings.push(Setting {
                        command: Some(command.get_name().to_owned()),
                        ..setting
                    });
                }
                continue;
            }
            let all: Vec<_> = root.get_subcommands().collect();
            let setting = setting(&all, key.get_ref(), value, &path, line);
            settings.push(setting.map_err(|failure| failure.at(fail, line))?);
        }
        Ok(Self { path, settings })
    }

    /// The setting of an option for a command: of the command's own table, else of all commands.
    pub(super) fn get(&self, command: &str, option: &str) -> Option<&Setting> {
        let of = |own: Option<&str>| {
            let mut settings = self.settings.iter();
            settings.find(|found| found.command.as_deref() == own && found.option == option)
        };
        of(Some(command)).or_else(|| of(None))
    }
}

/// What is wrong with a setting.
struct Wrong {
    message: String,
    hint: Option<String>,
}

impl Wrong {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    fn at(self, fail: impl Fn(usize, String) -> Failure, line: usize) -> Failure {
        let failure = fail(line, self.message);
        match self.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// Reads one setting. The key is an option of one of the commands at least.
fn setting(
    commands: &[&Command],
    key: &str,
    value: &Spanned<DeValue<'_>>,
    path: &Path,
    line: usize,
) -> Result<Setting, Wrong> {
    let secret = Wrong {
        message: format!("`{key}` holds a secret, which is not read from a file"),
        hint: Some(
            "keys come from the environment, or from the sources that --credentials names"
                .to_owned(),
        ),
    };
    let mut all = commands.iter().flat_map(|command| options(command));
    let Some(arg) = all.find(|arg| arg.get_long() == Some(key)) else {
        let name = key.replace('_', "-");
        if SECRETS.iter().any(|part| name.contains(part)) {
            return Err(secret);
        }
        let names = commands.iter().flat_map(|command| options(command));
        let names = names.filter_map(Arg::get_long);
        let names = names.chain(commands.iter().map(|command| command.get_name()));
        let message = format!("unknown option `{key}`");
        return Err(Wrong::new(match nearest(&name, names) {
            Some(near) => format!("{message}: did you mean `{near}`?"),
            None => message,
        }));
    };
    let values = values(value.get_ref(), arg).map_err(Wrong::new)?;
    // A file may be committed or copied; a secret in it would be, too.
    if key == "key" || values.iter().any(|value| is_secret(key, value)) {
        return Err(secret);
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let values = values.into_iter().map(|value| located(value, arg, folder));
    Ok(Setting {
        command: None,
        option: key.to_owned(),
        values: values.collect(),
        line,
    })
}

/// Whether the value of an ordinary option holds a secret.
fn is_secret(key: &str, value: &str) -> bool {
    match key {
        "header" => header(value).is_ok_and(|header| header.is_secret()),
        "ledger" => has_password(value),
        _ => false,
    }
}

fn values(value: &DeValue<'_>, arg: &Arg) -> Result<Vec<String>, String> {
    let key = arg.get_long().unwrap_or_default();
    if let DeValue::Array(array) = value {
        if !matches!(arg.get_action(), ArgAction::Append) {
            return Err(format!("`{key}` expects one value, not an array"));
        }
        return array
            .iter()
            .map(|value| scalar(value.get_ref(), arg))
            .collect();
    }
    scalar(value, arg).map(|value| vec![value])
}

fn scalar(value: &DeValue<'_>, arg: &Arg) -> Result<String, String> {
    let key = arg.get_long().unwrap_or_default();
    let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
    match value {
        DeValue::Boolean(value) if is_flag => Ok(value.to_string()),
        _ if is_flag => Err(format!("`{key}` expects true or false")),
        DeValue::String(value) => Ok(value.clone().into_owned()),
        DeValue::Integer(value) => Ok(value.to_string()),
        DeValue::Float(value) => Ok(value.to_string()),
        _ => Err(format!("`{key}` expects a string or a number")),
    }
}

/// A relative path is relative to the file, so that it means the same in every folder below.
fn located(value: String, arg: &Arg, folder: &Path) -> String {
    let is_path = matches!(
        arg.get_value_hint(),
        ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath
    );
    if !is_path || value == terminal::STDOUT || value.contains("://") {
        return value;
    }
    // A folder that is not UTF-8 cannot be joined with text: then the path is left as it is.
    folder
        .join(&value)
        .into_os_string()
        .into_string()
        .unwrap_or(value)
}

fn read(file: File) -> io::Result<String> {
    let mut text = String::new();
    let mut file = file.take(MAX_FILE + 1);
    file.read_to_string(&mut text)?;
    if file.limit() == 0 {
        return Err(io::Error::other(format!("more than {MAX_FILE} bytes")));
    }
    Ok(text)
}

/// The file of the user, in the folder for configuration (XDG base directory specification; on
/// Windows the roaming application data).
fn of_user() -> Option<PathBuf> {
    let absolute = |name| {
        let folder = env::var_os(name).map(PathBuf::from);
        folder.filter(|folder| folder.is_absolute())
    };
    let folder = if cfg!(windows) {
        absolute("APPDATA")
    } else {
        absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))
    };
    Some(folder?.join("greenlight").join(NAME))
}

/// Whether only the user and root can write the file: another user may have put one into a folder
/// that all can write, such as /tmp, to have files overwritten or requests sent elsewhere.
#[cfg(unix)]
fn is_trusted(path: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid().as_raw();
    let is_owned = |found: fs::Metadata| [0, user].contains(&found.uid());
    // Of a link both: the file is the user's, and the user leads there.
    let is_writable_by_all = |mode: u32| mode & 0o002 != 0;
    let mode = file.metadata().map(|found| found.mode());
    file.metadata().is_ok_and(is_owned)
        && fs::symlink_metadata(path).is_ok_and(is_owned)
        && mode.is_ok_and(|mode| !is_writable_by_all(mode))
}

#[cfg(not(unix))]
fn is_trusted(_: &Path, _: &File) -> bool {
    true
}
