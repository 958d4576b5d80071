//! The location of the ledger, and the commands that read it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum, ValueHint};

use super::{DestinationOptions, OnlyOption, PrintOptions};
use crate::{cli::duration, image_url::masked};

/// The default file name of the ledger.
const DEFAULT: &str = "greenlight.db";

/// The location of the ledger.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Service")]
pub(crate) struct LedgerOption {
    /// Ledger of the scan [default: greenlight.db]
    ///
    /// It keeps anything from being paid for twice. `postgres://USER@HOST/DATABASE` names a database
    /// that several machines share.
    #[arg(long, value_name = "FILE|URL", value_hint = ValueHint::FilePath)]
    pub(crate) ledger: Option<PathBuf>,
}

impl LedgerOption {
    pub(crate) fn location(&self) -> LedgerLocation<'_> {
        LedgerLocation::of(self.ledger.as_deref().unwrap_or(Path::new(DEFAULT)))
    }

    /// The location, without a password.
    pub(crate) fn text(&self) -> String {
        match self.location() {
            LedgerLocation::File(path) => path.display().to_string(),
            LedgerLocation::Database(url) => without_password(url),
        }
    }

    /// The option that names the same ledger: ` --ledger FILE`, or nothing.
    pub(crate) fn argument(&self) -> String {
        if self.ledger.is_none() {
            return String::new();
        }
        format!(" --ledger {}", quoted(&self.text()))
    }
}

/// Where a ledger is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LedgerLocation<'a> {
    File(&'a Path),
    /// The URL of a database.
    Database(&'a str),
}

impl<'a> LedgerLocation<'a> {
    pub(crate) fn of(path: &'a Path) -> Self {
        match path.to_str() {
            Some(text) if text.starts_with("postgres://") || text.starts_with("postgresql://") => {
                Self::Database(text)
            }
            _ => Self::File(path),
        }
    }

    /// Whether other machines may use it.
    pub(crate) const fn is_shared(self) -> bool {
        matches!(self, Self::Database(_))
    }
}

/// Returns a value without the secrets of a URL in it. The URL of a database keeps its user and
/// omits the password, which its query may have too (PostgreSQL, "Connection URIs"), so that a command
/// with it works where `PGPASSWORD` or a password file supplies the password.
pub(crate) fn without_password(url: &str) -> String {
    let is_database = LedgerLocation::of(Path::new(url)).is_shared();
    let url = if is_database {
        without_user_password(url)
    } else {
        masked(url).into_owned()
    };
    let Some((start, query)) = url.split_once('?') else {
        return url;
    };
    let shown = query
        .split('&')
        .filter_map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_password(name) => (!is_database).then(|| format!("{name}=***")),
            _ => Some(pair.to_owned()),
        });
    match shown.collect::<Vec<_>>().join("&") {
        query if query.is_empty() => start.to_owned(),
        query => format!("{start}?{query}"),
    }
}

/// Omits the password before the host. The user is masked too if the text does not show where the
/// password begins.
fn without_user_password(url: &str) -> String {
    let shown = masked(url);
    let Some((scheme, host)) = shown.split_once("***@") else {
        return shown.into_owned();
    };
    let secret = scheme.len()..url.len().saturating_sub(host.len() + 1);
    let secret = url.get(secret).unwrap_or_default();
    match secret.split_once(':').map_or(secret, |(user, _)| user) {
        "" => format!("{scheme}{host}"),
        user if user.contains(['/', '?', '#', '@']) => shown.into_owned(),
        user => format!("{scheme}{user}@{host}"),
    }
}

/// Quotes a text for a shell, if it needs quotes there: the query of a URL has `?` and `&`.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain =
        |c: char| c.is_alphanumeric() || "_-./:@%+,=".contains(c) || (cfg!(windows) && c == '\\');
    if text.chars().all(is_plain) {
        text.to_owned()
    } else if cfg!(windows) {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Whether the URL of a database holds a password.
pub(crate) fn has_password(url: &str) -> bool {
    let mut pairs = url
        .split_once('?')
        .map_or("", |(_, query)| query)
        .split('&');
    url::Url::parse(url).is_ok_and(|url| url.password().is_some())
        || pairs.any(|pair| {
            pair.split_once('=')
                .is_some_and(|(name, _)| is_password(name))
        })
}

/// Whether a parameter of a connection is `password`, `sslpassword` or one that is encoded.
fn is_password(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("password") || name.contains('%')
}

/// What is reported of other users of a database.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct ObstacleOption {
    /// Warn of foreign transactions that are open for longer than this
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse_positive, hide_short_help = true, help_heading = "Service")]
    pub(crate) transaction_age: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct StatusOptions {
    #[command(flatten)]
    pub(crate) ledger: LedgerOption,

    #[command(flatten)]
    pub(crate) obstacles: ObstacleOption,

    #[command(flatten)]
    pub(crate) print: PrintOptions,
}

#[derive(Args, Debug)]
pub(crate) struct RetryOptions {
    /// Classes of images to retry [default: every dead image]
    ///
    /// `status` and `dead` print the classes. Separate several by commas, or repeat the option. Classes
    /// of rejected images are possible too, except those whose source is not in the ledger.
    #[arg(
        long = "class",
        value_name = "CLASS",
        value_delimiter = ',',
        help_heading = "Input"
    )]
    pub(crate) classes: Vec<String>,

    #[command(flatten)]
    pub(crate) ledger: LedgerOption,
}

#[derive(Args, Debug)]
pub(crate) struct ExportOptions {
    #[command(flatten)]
    pub(crate) ledger: LedgerOption,

    /// Format of the rows
    #[arg(long, default_value = "jsonl", help_heading = "Output")]
    pub(crate) format: ExportFormat,

    #[command(flatten)]
    pub(crate) to: DestinationOptions,

    #[command(flatten)]
    pub(crate) only: OnlyOption,
}

#[derive(Args, Debug)]
pub(crate) struct DeadOptions {
    #[command(flatten)]
    pub(crate) ledger: LedgerOption,

    #[command(flatten)]
    pub(crate) print: PrintOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    Jsonl,
    Csv,
    Parquet,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_ledger_omits_the_password_only() {
        for (given, shown) in [
            ("postgres://me@db/x", "postgres://me@db/x"),
            ("postgres://me:s3cret@db/x", "postgres://me@db/x"),
            (
                "postgresql://me:s3cret@db:5433/x",
                "postgresql://me@db:5433/x",
            ),
            ("postgres://:s3cret@db/x", "postgres://db/x"),
            ("postgres://me:s3cret@a:1,b:2/x", "postgres://me@a:1,b:2/x"),
            ("postgres://me:s3/c@ret@db/x", "postgres://me@db/x"),
            ("postgres://[s3/cret@db/x", "'postgres://***@db/x'"),
            ("postgres://db/x?password=s3cret", "postgres://db/x"),
            (
                "postgres://db/x?schema=a&password=s3cret&user=me",
                "'postgres://db/x?schema=a&user=me'",
            ),
            ("images.db", "images.db"),
            ("my images.db", "'my images.db'"),
        ] {
            let option = LedgerOption {
                ledger: Some(PathBuf::from(given)),
            };
            let shown = shown.replace('\'', if cfg!(windows) { "\"" } else { "'" });
            assert_eq!(option.argument(), format!(" --ledger {shown}"), "{given}");
        }
    }
}
