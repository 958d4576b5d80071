//! What to check, and how.

use std::{
    ffi::{OsStr, OsString},
    net::SocketAddr,
    path::PathBuf,
};

use clap::{Args, ValueEnum, ValueHint};

use super::{OnlyOption, PrintOptions, ReachOptions, RequirementOptions, number::whole};
use crate::{
    cli::{
        exit::{Failure, reason},
        interrupt::Interrupt,
        list::{Columns, List, ListFormat},
        source::Sources,
        terminal,
    },
    local_file::Folders,
    probe::Probe,
};
use greenlight::{Depth, Requirements};

/// What to check, how, and what is printed.
#[derive(Args, Debug)]
pub(crate) struct CheckOptions {
    #[command(flatten)]
    pub(crate) input: InputOptions,

    #[command(flatten)]
    pub(crate) how: CheckSettings,

    #[command(flatten)]
    pub(crate) print: PrintOptions,

    #[command(flatten)]
    pub(crate) only: OnlyOption,
}

/// Which images there are.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Input")]
pub(crate) struct InputOptions {
    /// Files, folders and http or https URLs
    ///
    /// Of a folder every regular file, recursively; hidden files and links are skipped.
    #[arg(value_name = "SOURCE", help_heading = "Arguments", value_hint = ValueHint::AnyPath)]
    pub(crate) sources: Vec<OsString>,

    /// Read sources from a list; - is standard input
    ///
    /// In text, one source per line; blank lines and lines that begin with # are skipped. The extensions
    /// .csv, .tsv, .json, .jsonl, .ndjson and .parquet name other formats.
    #[arg(long, value_name = "FILE|-", value_hint = ValueHint::FilePath)]
    pub(crate) from: Option<OsString>,

    /// Allow lines of the list to name files below a folder; may be repeated
    ///
    /// By default lines name http and https URLs only. Links are followed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, hide_short_help = true)]
    pub(crate) files_under: Vec<PathBuf>,

    /// Format of the list [default: that of its file extension, else text]
    #[arg(
        long,
        value_name = "FORMAT",
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub(crate) list_format: Option<ListFormat>,

    /// Character that separates fields of a CSV or TSV list, or `tab` [default: detected]
    ///
    /// It is detected in the first line; for .tsv the default is a tab.
    #[arg(long, value_name = "CHAR", value_parser = delimiter, hide_short_help = true)]
    pub(crate) delimiter: Option<u8>,

    /// Maximum number of rows of a Parquet list for each of its bytes [default: 16]
    ///
    /// For each of these rows 128 bytes of text are read.
    #[arg(long, value_name = "N", value_parser = whole(1_u32..=u32::MAX), hide_short_help = true)]
    pub(crate) rows_per_byte: Option<u32>,

    /// Whether the list's columns of an earlier check are read.
    #[arg(skip)]
    pub(crate) with_checks: bool,

    /// Column of the list with the sources
    ///
    /// By default `url`, `image_url`, `source` or `link`, in any case, or the only column of a Parquet
    /// file or field of an object. A table's first line has to hold a known name.
    #[arg(long, value_name = "NAME")]
    pub(crate) column: Option<String>,

    /// Column of the list with your own data ids, which scan prints
    ///
    /// Letters, digits, _, - and ., at most 128 of them; check validates them only.
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) data_id_column: Option<String>,
}

/// How images are checked.
#[derive(Args, Debug)]
#[command(next_help_heading = "Requirements")]
pub(crate) struct CheckSettings {
    /// Depth of the examination
    ///
    /// header: format and dimensions; structure: to the end, with checksums, markers and frames; payload:
    /// the coded pixels too, without decoding them; decode: a decoder as a second opinion, which holds the
    /// whole file in memory.
    #[arg(long, default_value = "structure", hide_possible_values = true)]
    pub(crate) depth: DepthName,

    #[command(flatten)]
    pub(crate) required: RequirementOptions,

    #[command(flatten)]
    pub(crate) reach: ReachOptions,
}

impl CheckSettings {
    /// The requirements that the user sets, on top of `default` if no preset is named.
    pub(crate) fn requirements(&self, default: &Requirements) -> Result<Requirements, Failure> {
        self.required.build(default)
    }

    /// The probe that the options ask for, for these requirements. It may also reach `own`, an address of
    /// this command's.
    pub(crate) fn probe(
        &self,
        requirements: &Requirements,
        own: Option<SocketAddr>,
    ) -> Result<Probe, Failure> {
        if let Some(warning) = self.reach.warning() {
            terminal::warning(&warning);
        }
        let probe = Probe::builder()
            .deadline(requirements.download_time())
            .depth(self.depth.into())
            .mode(self.reach.probe.into())
            .concurrency(usize::from(self.reach.concurrency));
        self.reach
            .set_up(probe, own)?
            .build()
            .map_err(|error| Failure::new(error.report()))
    }
}

/// Whether standard input is a pipe or a file, not a terminal or the null device.
#[cfg(unix)]
fn stdin_is_piped() -> bool {
    use rustix::fs::FileType;
    let found = rustix::fs::fstat(std::io::stdin());
    let kind = found.map(|found| FileType::from_raw_mode(found.st_mode));
    matches!(
        kind,
        Ok(FileType::Fifo | FileType::RegularFile | FileType::Socket)
    )
}

#[cfg(not(unix))]
fn stdin_is_piped() -> bool {
    use std::io::IsTerminal as _;
    !std::io::stdin().is_terminal()
}

fn delimiter(text: &str) -> Result<u8, &'static str> {
    match text.as_bytes() {
        _ if text == "tab" || text == "\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err("write one ASCII character, or tab"),
    }
}

impl InputOptions {
    /// Opens the list, if there is one, and lines up all sources. Returns `None` if the user interrupts
    /// that: opening a FIFO waits for a process that writes to it.
    pub(crate) async fn sources(
        &self,
        interrupt: &mut Interrupt,
    ) -> Result<Option<Sources>, Failure> {
        let input = self.clone();
        let opening = tokio::task::spawn_blocking(move || input.open());
        tokio::select! {
            biased;
            () = interrupt.wait() => {
                terminal::failure(&Failure::new("interrupted: the list was not opened"));
                Ok(None)
            }
            opened = opening => match opened {
                Ok(opened) => opened.map(Some),
                Err(failed) => std::panic::resume_unwind(failed.into_panic()),
            },
        }
    }

    /// The same, on a thread that may wait.
    pub(crate) fn open(&self) -> Result<Sources, Failure> {
        let from = self.from.as_deref().or_else(|| self.standard_input());
        let is_dash = self.from.is_none() && self.sources == ["-"];
        let given = if is_dash {
            Vec::new()
        } else {
            self.sources.clone()
        };
        if given.iter().any(|source| source == "-") {
            return Err(
                Failure::new("`-`, a list on standard input, has to be the only source").hint(
                    "next to other sources, name standard input with --from -; a file of this name is ./-",
                ),
            );
        }
        if given.is_empty() && from.is_none() {
            return Err(Failure::new("no sources are given")
                .hint("name files, folders or URLs, or a list of them with --from FILE"));
        }
        if from.is_none() && self.describes_a_list() {
            return Err(Failure::new("these options need a list, and none is given")
                .hint("name one with --from <FILE|->"));
        }
        let columns = Columns {
            source: self.column.clone(),
            data_id: self.data_id_column.clone(),
            delimiter: self.delimiter,
            rows_per_byte: self.rows_per_byte,
            checks: self.with_checks,
        };
        let list = from.map(|name| List::open(name, self.list_format, columns));
        let list = list.transpose()?;
        Ok(Sources::new(given, list, self.folders()?))
    }

    /// `-` if standard input is to be read without `--from`: it is the only argument, or there is
    /// none and something is piped in.
    pub(crate) fn standard_input(&self) -> Option<&OsStr> {
        let is_asked = match self.sources.as_slice() {
            [] => stdin_is_piped(),
            [only] => only == "-",
            _ => false,
        } && self.from.is_none();
        is_asked.then_some(OsStr::new("-"))
    }

    const fn describes_a_list(&self) -> bool {
        self.list_format.is_some()
            || self.column.is_some()
            || self.data_id_column.is_some()
            || self.delimiter.is_some()
            || self.rows_per_byte.is_some()
            || !self.files_under.is_empty()
    }

    /// The folders that a list may name files below.
    fn folders(&self) -> Result<Folders, Failure> {
        Folders::new(&self.files_under).map_err(|error| {
            let folders: Vec<_> = self.files_under.iter().map(|path| path.display()).collect();
            let folders = folders
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ");
            Failure::new(format!("cannot use {folders}: {}", reason(&error)))
                .hint("--files-under expects a folder that exists")
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DepthName {
    Header,
    Structure,
    Payload,
    Decode,
}

impl From<DepthName> for Depth {
    fn from(name: DepthName) -> Self {
        match name {
            DepthName::Header => Self::Header,
            DepthName::Structure => Self::Structure,
            DepthName::Payload => Self::Payload,
            DepthName::Decode => Self::Decode,
        }
    }
}
