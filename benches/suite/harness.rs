//! Measures implementations of the same work in alternating rounds, prints the results, and writes
//! them as JSON.

use std::{
    collections::BTreeMap,
    env,
    hint::black_box,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{kept::Kept, machine::machine};

pub(crate) use crate::scale::Scale;

/// Minimum duration of one side's part of a round. Rounds are short and many, so that interrupted
/// ones do not affect the median.
const ROUND: Duration = Duration::from_micros(300);

/// What a side is, relative to the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Peer,
    /// What the hardware or one pass over the bytes allows.
    Limit,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Ours => "greenlight",
            Self::Peer => "peer",
            Self::Limit => "limit",
        }
    }
}

/// The unit of a value. Only of [`Unit::PerSecond`] more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Nanoseconds,
    PerSecond,
    /// Peak memory.
    Bytes,
    Allocations,
}

impl Unit {
    const fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::PerSecond => "per second",
            Self::Bytes => "bytes",
            Self::Allocations => "allocations",
        }
    }
}

/// One implementation. A measurement is the values of one round.
pub(crate) struct Side<'a> {
    who: String,
    kind: Kind,
    measure: Box<dyn FnMut() -> Vec<f64> + 'a>,
}

impl<'a> Side<'a> {
    pub(crate) fn new(who: &str, kind: Kind, mut measure: impl FnMut() -> f64 + 'a) -> Self {
        Self::many(who, kind, move || vec![measure()])
    }

    /// A side whose rounds have several values, for [`Suite::compare_all`].
    pub(crate) fn many(who: &str, kind: Kind, measure: impl FnMut() -> Vec<f64> + 'a) -> Self {
        Self {
            who: who.to_owned(),
            kind,
            measure: Box::new(measure),
        }
    }

    /// Measures nanoseconds per call, of as many calls as a round needs.
    pub(crate) fn timed<T>(who: &str, kind: Kind, mut run: impl FnMut() -> T + 'a) -> Self {
        let mut calls = 0_u32;
        let mut time = move |calls: u32| {
            let start = Instant::now();
            for _ in 0..calls {
                black_box(run());
            }
            start.elapsed()
        };
        Self::new(who, kind, move || {
            if calls == 0 {
                calls = 1;
                while time(calls) < ROUND {
                    calls *= 2;
                }
            }
            time(calls).as_secs_f64() * 1e9 / f64::from(calls)
        })
    }

    pub(crate) fn ours<T>(run: impl FnMut() -> T + 'a) -> Self {
        Self::timed("greenlight", Kind::Ours, run)
    }

    pub(crate) fn limit<T>(who: &str, run: impl FnMut() -> T + 'a) -> Self {
        Self::timed(who, Kind::Limit, run)
    }
}

/// How many rounds are run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rounds {
    /// As many as fit into the scale's time, for work that takes milliseconds at most.
    Timed,
    Exactly(usize),
}

pub(crate) struct Suite {
    pub(crate) scale: Scale,
    filters: Vec<Filter>,
    is_listing: bool,
    /// The results that a run of some benchmarks keeps.
    kept: Option<Kept>,
    path: Option<PathBuf>,
    records: BTreeMap<String, Value>,
    begun: Instant,
}

/// Selects the benchmarks whose names contain a text.
struct Filter {
    text: String,
    has_matched: bool,
}

impl Filter {
    /// Returns whether a benchmark is selected, possibly by its name with a side.
    fn selects(&self, name: &str) -> bool {
        name.contains(&self.text) || self.text.starts_with(name)
    }
}

impl Suite {
    /// Reads the arguments, and the results that will be kept.
    pub(crate) fn new(arguments: Vec<String>) -> Result<Self, String> {
        let scale = env::var_os("GREENLIGHT_BENCH").unwrap_or_default();
        let scale = Scale::named(&scale.to_string_lossy())?;
        let (options, filters): (Vec<_>, Vec<_>) = arguments
            .into_iter()
            .partition(|argument| argument.starts_with('-'));
        if let Some(other) = options.iter().find(|option| *option != "--list") {
            return Err(format!("no such option: {other}; --help lists them"));
        }
        let is_listing = !options.is_empty();
        let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let path = scale.file().map(|file| target.with_file_name(file));
        let kept = match &path {
            Some(path) if !filters.is_empty() && !is_listing => Kept::read(path)?,
            _ => None,
        };
        let filters = filters.into_iter().map(|text| Filter {
            text,
            has_matched: false,
        });
        Ok(Self {
            scale,
            filters: filters.collect(),
            is_listing,
            kept,
            path,
            records: BTreeMap::new(),
            begun: Instant::now(),
        })
    }

    /// Returns whether only the names are wanted.
    pub(crate) const fn is_listing(&self) -> bool {
        self.is_listing
    }

    /// Returns whether the benchmark, whose name does not contain a side yet, is to run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let mut filters = self.filters.iter();
        self.filters.is_empty() || filters.any(|filter| filter.selects(name))
    }

    /// Runs all sides in alternating rounds, if the name is wanted. The first side is the library's.
    ///
    /// Only consecutive measurements of a round are compared, because other load varies between
    /// rounds: the ratio is the median of the rounds' ratios, and above 1 where the library is better.
    pub(crate) fn compare(
        &mut self,
        name: &str,
        unit: Unit,
        bytes: Option<usize>,
        rounds: Rounds,
        sides: Vec<Side<'_>>,
    ) {
        self.compare_all(&[(name, unit)], bytes, rounds, sides);
    }

    /// The same for runs that give several values, one for each name.
    pub(crate) fn compare_all(
        &mut self,
        names: &[(&str, Unit)],
        bytes: Option<usize>,
        rounds: Rounds,
        mut sides: Vec<Side<'_>>,
    ) {
        if !names.iter().any(|(name, _)| self.wants(name)) {
            return;
        }
        for filter in &mut self.filters {
            filter.has_matched |= names.iter().any(|(name, _)| filter.selects(name));
        }
        if self.is_listing {
            for (name, _) in names {
                for side in &sides {
                    println!("{name}/{}", side.who);
                }
            }
            return;
        }
        let measured = self.rounds(rounds, &mut sides);
        for (at, (name, unit)) in names.iter().enumerate() {
            for (side, rounds) in sides.iter().zip(&measured) {
                let pairs = rounds.iter().zip(&measured[0]);
                let pairs = pairs.map(|(theirs, ours)| (theirs[at], ours[at]));
                self.record(name, *unit, bytes, side, &pairs.collect::<Vec<_>>());
            }
        }
    }

    /// Records a side's values, each paired with the library's of the same round.
    fn record(
        &mut self,
        name: &str,
        unit: Unit,
        bytes: Option<usize>,
        side: &Side<'_>,
        pairs: &[(f64, f64)],
    ) {
        let ratios = pairs.iter().map(|(theirs, ours)| match unit {
            Unit::PerSecond => ours / theirs,
            // Nothing is as much as nothing.
            _ if *theirs + *ours <= 0.0 => 1.0,
            _ => theirs / ours,
        });
        let ratio = quantile(ratios.collect(), 0.5);
        let values: Vec<_> = pairs.iter().map(|(theirs, _)| *theirs).collect();
        let [low, value, high] = [0.25, 0.5, 0.75].map(|part| quantile(values.clone(), part));
        if value.is_nan() {
            // This side has no value of this name.
            return;
        }
        let name = format!("{name}/{}", side.who);
        println!("{name:<64} {:>14}  {ratio:>8.2}", shown(value, unit, bytes));
        let record = json!({
            "name": name,
            "kind": side.kind.name(),
            "unit": unit.name(),
            "value": rounded(value),
            "low": rounded(low),
            "high": rounded(high),
            "ratio": ratio.is_finite().then(|| rounded(ratio)),
            "rounds": values.len(),
            "bytes": bytes,
        });
        self.records.insert(name, record);
    }

    fn rounds(&self, rounds: Rounds, sides: &mut [Side<'_>]) -> Vec<Vec<Vec<f64>>> {
        let (least, most) = match (rounds, self.scale) {
            (_, Scale::Once) => (1, 1),
            (Rounds::Exactly(rounds), _) => (rounds, rounds),
            (Rounds::Timed, Scale::Quick) => (3, 101),
            (Rounds::Timed, _) => (5, 301),
        };
        let budget = match self.scale {
            Scale::Once | Scale::Quick => Duration::from_millis(150),
            Scale::Full | Scale::Long => Duration::from_millis(1200),
        };
        if matches!(rounds, Rounds::Timed) && self.scale > Scale::Once {
            // Finds the number of calls, and fills caches.
            for side in &mut *sides {
                (side.measure)();
            }
        }
        let mut measured = vec![Vec::new(); sides.len()];
        let start = Instant::now();
        let count = sides.len();
        for round in 0..most {
            if round >= least && start.elapsed() > budget {
                break;
            }
            // Each side is the first one in turn.
            for at in (0..count).map(|at| (at + round) % count) {
                measured[at].push((sides[at].measure)());
            }
        }
        measured
    }

    /// Writes the results. If only some were selected, the others are kept.
    pub(crate) fn finish(self) -> Result<(), String> {
        let unmatched = self.unmatched();
        if !self.is_listing && !self.records.is_empty() {
            self.write()?;
        }
        unmatched.map_or(Ok(()), Err)
    }

    /// Returns an error that names the filters without a benchmark.
    fn unmatched(&self) -> Option<String> {
        let filters = self.filters.iter().filter(|filter| !filter.has_matched);
        let texts: Vec<_> = filters.map(|filter| format!("`{}`", filter.text)).collect();
        (!texts.is_empty()).then(|| {
            format!(
                "no benchmark of scale {} matches {}\n\
                 hint: list the names: cargo bench --all-features --bench suite -- --list",
                self.scale.name(),
                texts.join(" or "),
            )
        })
    }

    fn write(self) -> Result<(), String> {
        let (measured, elapsed) = (self.records.len(), self.begun.elapsed().as_secs_f64());
        let reason = match self.path {
            None => "nothing was measured",
            Some(_) if cfg!(debug_assertions) => "they are of a build without optimizations",
            Some(_) => "",
        };
        let Some(path) = self.path.filter(|_| reason.is_empty()) else {
            println!("\n{measured} results in {elapsed:.0} s, not written: {reason}");
            return Ok(());
        };
        let machine = machine(self.scale);
        let kept = match self.kept {
            Some(mut kept) => {
                kept.add(machine, self.records);
                kept
            }
            None => Kept::new(machine, self.records),
        };
        kept.write(&path)?;
        println!(
            "\n{measured} results in {elapsed:.0} s, written to {}",
            path.display()
        );
        Ok(())
    }
}

fn shown(value: f64, unit: Unit, bytes: Option<usize>) -> String {
    match (unit, bytes) {
        (Unit::Nanoseconds, Some(bytes)) => format!("{:.0} MB/s", bytes as f64 * 1e3 / value),
        (Unit::Nanoseconds, None) if value < 1e4 => format!("{value:.1} ns"),
        (Unit::Nanoseconds, None) => format!("{:.1} µs", value / 1e3),
        (Unit::PerSecond, _) => format!("{value:.0} /s"),
        (Unit::Bytes, _) if value < 1e6 => format!("{value:.0} bytes"),
        (Unit::Bytes, _) => format!("{:.2} MB", value / 1e6),
        (Unit::Allocations, _) => format!("{value:.0} allocations"),
    }
}

/// Four significant digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap()
}

pub(crate) fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part).round() as usize]
}
