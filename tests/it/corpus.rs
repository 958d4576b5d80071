//! Every file of a corpus whose truth is known: format, dimensions, and what a dozen independent
//! readers think of it. Runs when `GREENLIGHT_CORPUS` names the folder.
//!
//! `truth.tsv` holds the readers' consensus; `made.manifest.tsv` the files that were made to a
//! recipe, whose truth by construction wins. `corpus_exceptions.tsv`, here, lists the rows that are
//! not followed, each with its reason.
//!
//! Of six recipes that are called `tolerated` the readers are followed instead, because most of them
//! reject the file or disagree: these are listed in `corpus_exceptions.tsv` too, as `recipe`. Files that
//! most readers reject and that are accepted on purpose are listed as `verdict`: the bounds do not count
//! them, and the rate with them is printed too.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "helpers of a test that prints a table"
)]

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use greenlight::{
    Dimensions, Format, Inspection,
    inspect::{DefectKind, Depth},
};

const EXCEPTIONS: &str = include_str!("corpus_exceptions.tsv");

/// The depths that the table shows, shallow to deep.
const DEPTHS: &[Depth] = &[
    Depth::Header,
    Depth::Structure,
    Depth::Payload,
    #[cfg(feature = "decode")]
    Depth::Decode,
];

/// What must be found of the files that most decoders refuse: at structure depth, in percent.
const FOUND_BY_STRUCTURE: [(Format, f64); 4] = [
    (Format::Png, 98.0),
    (Format::Jpeg, 95.0),
    (Format::Gif, 90.0),
    (Format::Bmp, 98.5),
];

/// The same at payload depth.
const FOUND_BY_PAYLOAD: [(Format, f64); 4] = [
    (Format::Png, 99.5),
    (Format::Jpeg, 99.5),
    (Format::Gif, 99.5),
    (Format::Bmp, 98.5),
];

/// How many percent of the files that most decoders refuse, over all formats, may be accepted at
/// payload and at decode depth.
const CORRUPT_ACCEPTED: f64 = 0.4;

/// How many percent of the files that decoders tolerate may be refused.
const TOLERATED_REFUSED: f64 = 0.3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Truth {
    Clean,
    Tolerated,
    Corrupt,
    /// Corrupt for most readers, and a warning by decision.
    Warned,
    /// Readers disagree, or it is of a format that is not decoded here.
    Open,
}

const TRUTHS: [Truth; 5] = [
    Truth::Clean,
    Truth::Tolerated,
    Truth::Corrupt,
    Truth::Warned,
    Truth::Open,
];

struct Row {
    path: String,
    format: String,
    /// How firm the dimensions are: `agree`, `majority`, `weak`, `-`.
    firmness: String,
    dimensions: Option<Dimensions>,
    truth: Truth,
}

#[test]
fn the_corpus_is_read_as_a_dozen_independent_readers_read_it() {
    let Some(root) = std::env::var_os("GREENLIGHT_CORPUS").map(PathBuf::from) else {
        println!("skipped: GREENLIGHT_CORPUS names no folder");
        return;
    };
    let rows = read_rows(&root);
    assert!(rows.len() > 2000, "truth.tsv is cut: {} rows", rows.len());
    let mut complaints = Vec::new();
    let mut tallies: HashMap<(Format, Truth), Tally> = HashMap::new();
    let mut kinds: BTreeMap<DefectKind, Carriers> = BTreeMap::new();
    for row in &rows {
        let bytes = fs::read(root.join(&row.path)).unwrap();
        let inspections: Vec<_> = DEPTHS
            .iter()
            .map(|depth| Inspection::at(*depth, &bytes))
            .collect();
        for inspection in &inspections {
            compare(row, inspection, &mut complaints);
        }
        if let Some(format) = measured(&row.format) {
            let tally = tallies.entry((format, row.truth)).or_default();
            tally.note(&row.path, &inspections, format);
            for (kind, _) in inspections.last().unwrap().defects().iter() {
                kinds.entry(kind).or_default().note(row.truth);
            }
        }
    }
    print_table(&tallies);
    print_kinds(&kinds);
    check_rates(&tallies, &mut complaints);
    assert!(
        complaints.is_empty(),
        "{} complaints:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

/// How many files carry a kind of defect.
#[derive(Default)]
struct Carriers {
    good: usize,
    disputed: usize,
    corrupt: usize,
}

impl Carriers {
    const fn note(&mut self, truth: Truth) {
        match truth {
            Truth::Clean | Truth::Tolerated => self.good += 1,
            Truth::Corrupt | Truth::Warned => self.corrupt += 1,
            Truth::Open => self.disputed += 1,
        }
    }
}

fn print_kinds(kinds: &BTreeMap<DefectKind, Carriers>) {
    println!("defect at the deepest         default   good  disputed  corrupt");
    for (kind, carriers) in kinds {
        let default = if kind.is_tolerated() {
            "warn"
        } else {
            "reject"
        };
        println!(
            "{:<29}{default:<8}{:>6}{:>10}{:>9}",
            kind.name(),
            carriers.good,
            carriers.disputed,
            carriers.corrupt
        );
    }
}

/// How many files there are, and by which depth how many of them are refused.
#[derive(Default)]
struct Tally {
    files: usize,
    refused: [usize; DEPTHS.len()],
    /// Refused by the deepest.
    refused_paths: Vec<String>,
    passed_paths: Vec<String>,
}

impl Tally {
    fn note(&mut self, path: &str, inspections: &[Inspection], format: Format) {
        self.files += 1;
        let refused: Vec<_> = inspections
            .iter()
            .map(|inspection| is_refused(inspection, format))
            .collect();
        for (count, refused) in self.refused.iter_mut().zip(&refused) {
            *count += usize::from(*refused);
        }
        if refused.last() == Some(&true) {
            let defects = inspections.last().unwrap().defects();
            self.refused_paths.push(format!("{path}: {defects:?}"));
        } else {
            self.passed_paths.push(path.to_owned());
        }
    }

    fn percent(&self, depth: usize) -> f64 {
        percent(self.refused[depth], self.files)
    }
}

fn percent(part: usize, of: usize) -> f64 {
    100.0 * f64::from(u32::try_from(part).unwrap()) / f64::from(u32::try_from(of.max(1)).unwrap())
}

/// Whether a defect that is not tolerated by default is among them, or the format is not seen.
fn is_refused(inspection: &Inspection, format: Format) -> bool {
    inspection.format() != Some(format)
        || inspection
            .defects()
            .iter()
            .any(|(kind, _)| !kind.is_tolerated())
}

fn compare(row: &Row, inspection: &Inspection, complaints: &mut Vec<String>) {
    let seen = inspection.format();
    let right = match row.format.as_str() {
        // Without its footer a TGA is not known by name.
        "tga" => seen.is_none_or(|format| format == Format::Tga),
        "none" => seen.is_none_or(|format| !is_measured(format)),
        name => match named(name) {
            Some(format) => seen == Some(format),
            None => seen.is_none(),
        },
    };
    if !right && !is_excepted(&row.path, "format") {
        complaints.push(format!(
            "{}: format {seen:?}, truth {}",
            row.path, row.format
        ));
    }
    let firm = matches!(row.firmness.as_str(), "agree" | "majority");
    let known = seen.is_some_and(is_measured) && firm;
    if known && inspection.dimensions() != row.dimensions && !is_excepted(&row.path, "dimensions") {
        complaints.push(format!(
            "{}: {:?} at {:?}, truth {:?} ({})",
            row.path,
            inspection.dimensions(),
            inspection.depth(),
            row.dimensions,
            row.firmness,
        ));
    }
}

fn check_rates(tallies: &HashMap<(Format, Truth), Tally>, complaints: &mut Vec<String>) {
    let deepest = DEPTHS.len() - 1;
    for ((format, truth), tally) in tallies {
        let refused = match truth {
            Truth::Clean | Truth::Warned => tally.percent(deepest) > 0.0,
            Truth::Tolerated => tally.percent(deepest) > TOLERATED_REFUSED,
            Truth::Corrupt | Truth::Open => false,
        };
        if refused {
            for path in &tally.refused_paths {
                complaints.push(format!("{format}, {truth:?}, but refused: {path}"));
            }
        }
    }
    for (index, depth) in DEPTHS.iter().enumerate().skip(2) {
        let (files, accepted) = count_accepted(tallies, &[Truth::Corrupt], index);
        let rate = percent(accepted, files);
        let (all, all_accepted) = count_accepted(tallies, &[Truth::Corrupt, Truth::Warned], index);
        println!(
            "corrupt accepted at {}: {rate:.2} % ({accepted} of {files}); with those that are a warning by \
             decision: {:.2} % ({all_accepted} of {all})",
            depth.name(),
            percent(all_accepted, all),
        );
        if rate > CORRUPT_ACCEPTED {
            complaints.push(format!("{rate:.2} % of the corrupt accepted at {depth:?}"));
        }
    }
    for (depth, bounds) in [(1, &FOUND_BY_STRUCTURE[..]), (2, &FOUND_BY_PAYLOAD)] {
        for &(format, least) in bounds {
            let corrupt = &tallies[&(format, Truth::Corrupt)];
            if corrupt.percent(depth) < least {
                complaints.push(format!(
                    "{format}: {:.1} % of the corrupt found at {:?}, at least {least} %: {:#?}",
                    corrupt.percent(depth),
                    DEPTHS[depth],
                    corrupt.passed_paths
                ));
            }
        }
    }
}

/// Counts the files of these truths, and those of them that are accepted at a depth.
fn count_accepted(
    tallies: &HashMap<(Format, Truth), Tally>,
    truths: &[Truth],
    depth: usize,
) -> (usize, usize) {
    let counted = tallies
        .iter()
        .filter(|((_, truth), _)| truths.contains(truth));
    counted.fold((0, 0), |(files, accepted), (_, tally)| {
        (
            files + tally.files,
            accepted + tally.files - tally.refused[depth],
        )
    })
}

fn print_table(tallies: &HashMap<(Format, Truth), Tally>) {
    print!("{:<24}files", "refused of");
    for depth in DEPTHS {
        print!("{:>10}", depth.name());
    }
    println!();
    for format in [Format::Png, Format::Jpeg, Format::Gif, Format::Bmp] {
        for truth in TRUTHS {
            let Some(tally) = tallies.get(&(format, truth)) else {
                continue;
            };
            print!(
                "{:<10}{:<12}{:>6}",
                format.name(),
                format!("{truth:?}"),
                tally.files
            );
            for depth in 0..DEPTHS.len() {
                print!("  {:>6.2} %", tally.percent(depth));
            }
            println!();
        }
    }
}

fn is_excepted(path: &str, what: &str) -> bool {
    EXCEPTIONS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .any(|line| {
            let mut fields = line.split('\t');
            fields.next() == Some(path) && fields.next() == Some(what)
        })
}

/// The format that the truth's name stands for, if it is one of those that are known by name.
fn named(name: &str) -> Option<Format> {
    Some(match name {
        "heif" | "hevc" => Format::Heic,
        "jxl" => Format::JpegXl,
        "cur" => Format::Ico,
        "ppm" => Format::Pnm,
        "jpeg2000" => Format::Jpeg2000,
        "h264" => Format::Mp4,
        name => *Format::ALL.iter().find(|format| format.name() == name)?,
    })
}

fn is_measured(format: Format) -> bool {
    matches!(
        format,
        Format::Png | Format::Jpeg | Format::Gif | Format::Bmp | Format::Webp
    )
}

fn measured(name: &str) -> Option<Format> {
    named(name).filter(|format| is_measured(*format))
}

fn read_rows(root: &Path) -> Vec<Row> {
    let made = read_made(root);
    let truth = fs::read_to_string(root.join("truth.tsv")).unwrap();
    let rows = truth.lines().skip(1).map(|line| {
        let fields: Vec<_> = line.split('\t').collect();
        let truth = match fields[7] {
            "clean" => Truth::Clean,
            "tolerated" => Truth::Tolerated,
            "corrupt" => Truth::Corrupt,
            _ => Truth::Open,
        };
        let mut row = Row {
            path: fields[0].to_owned(),
            format: fields[3].to_owned(),
            firmness: fields[6].to_owned(),
            dimensions: dimensions(fields[5]),
            truth,
        };
        if let Some(made) = row
            .path
            .strip_prefix("made/")
            .and_then(|file| made.get(file))
        {
            made.correct(&mut row);
        }
        if row.truth == Truth::Corrupt && is_excepted(&row.path, "verdict") {
            row.truth = Truth::Warned;
        }
        row
    });
    rows.filter(|row| !is_excepted(&row.path, "skip")).collect()
}

/// A file made to a recipe.
struct Made {
    format: String,
    dimensions: Option<Dimensions>,
    status: String,
}

impl Made {
    /// Replaces the readers' consensus by what the recipe says.
    fn correct(&self, row: &mut Row) {
        // Of some corrupt files readers return no size at all.
        if row.firmness != "-" {
            row.dimensions = self.dimensions;
            self.dimensions
                .map_or("-", |_| "agree")
                .clone_into(&mut row.firmness);
        }
        // Files of formats that are not scanned are all called "none".
        if self.status != "refused" {
            row.format.clone_from(&self.format);
        }
        match self.status.as_str() {
            "valid" => row.truth = Truth::Clean,
            "tolerated" if !is_excepted(&row.path, "recipe") => row.truth = Truth::Tolerated,
            "corrupt" => row.truth = Truth::Corrupt,
            _ => {}
        }
    }
}

fn read_made(root: &Path) -> HashMap<String, Made> {
    let manifest = fs::read_to_string(root.join("made.manifest.tsv")).unwrap();
    manifest
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<_> = line.split('\t').collect();
            let made = Made {
                format: fields[1].to_owned(),
                dimensions: dimensions(fields[2]),
                status: fields[3].to_owned(),
            };
            (fields[0].to_owned(), made)
        })
        .collect()
}

fn dimensions(text: &str) -> Option<Dimensions> {
    let (width, height) = text.split_once('x')?;
    Some(Dimensions::new(width.parse().ok()?, height.parse().ok()?))
}
