//! The arguments of `check`: the sources, the checks and the output.

use std::{
    ffi::{OsStr, OsString},
    net::SocketAddr,
    path::PathBuf,
};

use clap::{Args, ValueEnum};

use super::{ReachOptions, RequirementOptions};
use crate::{
    cli::{
        exit::{Failure, reason},
        interrupt::Interrupt,
        list::{Columns, List, ListFormat},
        source::Sources,
        terminal,
    },
    inspect::Depth,
    local_file::Folders,
    probe::{Mode, Probe},
    requirements::Requirements,
};

/// The options of `check`.
#[derive(Args, Debug)]
pub(crate) struct CheckOptions {
    #[command(flatten)]
    pub(crate) input: InputOptions,

    #[command(flatten)]
    pub(crate) how: CheckSettings,
}

/// The images' sources.
#[derive(Args, Clone, Debug)]
pub(crate) struct InputOptions {
    /// Files, folders (every regular file in them, recursively; hidden ones and links are skipped)
    /// and http or https URLs
    #[arg(value_name = "SOURCE")]
    pub(crate) sources: Vec<OsString>,

    /// Read further sources from a list, or from standard input for -: text with one per line (blank
    /// lines and lines that begin with # are skipped), .csv, .tsv, .json, .jsonl, .ndjson or .parquet
    #[arg(long, value_name = "FILE|-")]
    pub(crate) from: Option<OsString>,

    /// Allow lines of the list to name files and folders below DIR, following links; by default they
    /// name http and https URLs only; may be repeated
    #[arg(long, value_name = "DIR")]
    pub(crate) files_under: Vec<PathBuf>,

    /// The list's format; jsonl reads JSON lines and arrays [default: by the extension, else text]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) list_format: Option<ListFormat>,

    /// The character that separates fields in CSV or TSV, or tab [default: found from the first line,
    /// a tab in TSV]
    #[arg(long, value_name = "CHAR", value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,

    /// The most rows that a .parquet list may have for each of its bytes; one that declares more is
    /// refused [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rows_per_byte: Option<u32>,

    /// The list's column that holds the sources [default: `url`, `image_url`, `source` or `link`,
    /// in any case; or the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) column: Option<String>,

    /// The list's column that holds a data id of your own for each source, which scan prints:
    /// letters, digits, _, - and ., at most 128 (check validates it and prints none)
    #[arg(long, value_name = "NAME")]
    pub(crate) data_id_column: Option<String>,
}

/// How images are checked and results printed.
#[derive(Args, Debug)]
pub(crate) struct CheckSettings {
    /// How far files are read: the header for format and dimensions; the structure to the end,
    /// which finds truncation and corruption and counts frames; the coded pixels too (payload); a
    /// decoder as a second opinion, which holds the whole file (decode)
    #[arg(long, default_value = "structure")]
    pub(crate) depth: DepthName,

    /// How URLs are read: the whole file, or only as far as format, dimensions and size take
    /// (an accepted URL is then not known to download in time)
    #[arg(long, value_name = "MODE", default_value = "full")]
    pub(crate) probe: ProbeMode,

    /// Output format: a table, one JSON object per line, or CSV with a header line
    #[arg(long, default_value = "human")]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) csv: CsvOption,

    /// Images that are checked concurrently: at most 8 from one host, and at most one file per
    /// processor
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) concurrency: u16,

    #[command(flatten)]
    pub(crate) required: RequirementOptions,

    #[command(flatten)]
    pub(crate) reach: ReachOptions,
}

impl CheckSettings {
    pub(crate) fn requirements(&self) -> Requirements {
        self.required.build()
    }

    /// The probe that the options ask for, which may also reach `own`, an address of this command's.
    pub(crate) fn probe(&self, own: Option<SocketAddr>) -> Result<Probe, Failure> {
        if let Some(warning) = self.reach.warning() {
            terminal::warning(&warning);
        }
        let probe = Probe::builder()
            .deadline(self.requirements().download_time())
            .depth(self.depth.into())
            .mode(self.probe.into())
            .concurrency(usize::from(self.concurrency));
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProbeMode {
    Full,
    Header,
}

impl From<ProbeMode> for Mode {
    fn from(mode: ProbeMode) -> Self {
        match mode {
            ProbeMode::Full => Self::Full,
            ProbeMode::Header => Self::Header,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Jsonl,
    Csv,
}

/// How cells of CSV are written.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct CsvOption {
    /// Write cells of CSV unchanged; by default one that begins with =, +, -, @, a tab or a carriage
    /// return is prefixed with ', because spreadsheets would run it as a formula
    #[arg(long)]
    pub(crate) csv_raw: bool,
}

/// The entry that allows one address and port alone.
pub(crate) fn entry_of(address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    match address {
        SocketAddr::V4(_) => format!("{ip}/32:{port}"),
        SocketAddr::V6(_) => format!("[{ip}]/128:{port}"),
    }
}
