//! Compares the counts that the harness writes as JSON with those in `counts.csv`, or accepts them.
//!
//! Counts depend on the compiler and on the processor's features, which libraries choose their loops by. So
//! the file states both, and counts of another machine are printed but not judged.

use std::{collections::BTreeMap, env, error::Error, fmt::Write as _, fs, io, process::ExitCode};

use serde_json::Value;

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.csv");

/// How much a count may grow, in percent.
const TOLERANCE: u128 = 3;

/// Instructions by name.
type Counts = BTreeMap<String, u64>;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let accept = match env::args().nth(1).as_deref() {
        None => false,
        Some("--accept") => true,
        Some(other) => return Err(format!("the only option is --accept, not {other}").into()),
    };
    let counts = read(io::stdin())?;
    let machine = machine()?;
    if accept {
        fs::write(KEPT, written(&machine, &counts))?;
        println!("{} counts accepted in counts.csv", counts.len());
        return Ok(ExitCode::SUCCESS);
    }
    let (kept_machine, kept) = parse(&fs::read_to_string(KEPT)?)?;
    let grown = compare(&counts, &kept);
    if kept_machine != machine {
        println!("not judged: counts.csv is of {kept_machine}, and this is {machine}");
        return Ok(ExitCode::SUCCESS);
    }
    if grown.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for name in &grown {
        eprintln!("{name}: more than {TOLERANCE} % above counts.csv, or only in one of the two");
    }
    eprintln!(
        "if the growth is meant, run benches/instructions/run --accept and commit counts.csv"
    );
    Ok(ExitCode::FAILURE)
}

/// Reads the harness's output: one JSON object for each benchmark.
fn read(input: impl io::Read) -> Result<Counts, Box<dyn Error>> {
    let mut counts = Counts::new();
    for summary in serde_json::Deserializer::from_reader(input).into_iter::<Value>() {
        let summary = summary?;
        let name = ["function_name", "id"]
            .iter()
            .filter_map(|field| summary[field].as_str())
            .collect::<Vec<_>>()
            .join("/");
        let total = &summary["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"]["new"];
        let total = total
            .as_u64()
            .ok_or_else(|| format!("{name} has no count of instructions"))?;
        counts.insert(name, total);
    }
    if counts.is_empty() {
        return Err("the harness wrote no counts".into());
    }
    Ok(counts)
}

/// Prints each count beside the kept one, and returns the names of those that grew too much or are in one of the
/// two only.
fn compare(counts: &Counts, kept: &Counts) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, count) in counts {
        let Some(before) = kept.get(name) else {
            println!("{name:42} {count:>12}  new");
            wrong.push(name.clone());
            continue;
        };
        let growth = (*count as f64 / *before as f64 - 1.0) * 100.0;
        println!("{name:42} {count:>12} {growth:>+8.2} %");
        // In whole numbers: 3 % is not exact otherwise.
        if u128::from(*count) * 100 > u128::from(*before) * (100 + TOLERANCE) {
            wrong.push(name.clone());
        }
    }
    wrong.extend(
        kept.keys()
            .filter(|name| !counts.contains_key(*name))
            .cloned(),
    );
    wrong
}

/// The compiler and the features of the processor that matter.
fn machine() -> Result<String, Box<dyn Error>> {
    let compiler =
        std::process::Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .arg("--version")
            .output()?;
    let compiler = String::from_utf8(compiler.stdout)?;
    let processor = fs::read_to_string("/proc/cpuinfo")?;
    let flags = processor
        .lines()
        .find(|line| line.starts_with("flags"))
        .unwrap_or_default();
    let mut machine = compiler.trim().to_owned();
    for feature in ["avx2", "avx512f", "pclmulqdq", "sha_ni"] {
        if flags.split_whitespace().any(|flag| flag == feature) {
            write!(machine, " {feature}")?;
        }
    }
    Ok(machine)
}

fn written(machine: &str, counts: &Counts) -> String {
    let mut text = format!("# {machine}\nname,instructions\n");
    for (name, count) in counts {
        text += &format!("{name},{count}\n");
    }
    text
}

fn parse(text: &str) -> Result<(String, Counts), Box<dyn Error>> {
    let mut lines = text.lines();
    let machine = lines.next().and_then(|line| line.strip_prefix("# "));
    let machine = machine.ok_or("counts.csv does not state its machine")?;
    let counts = lines
        .skip(1)
        .map(|line| {
            let (name, count) = line
                .split_once(',')
                .ok_or("counts.csv has a line without a comma")?;
            Ok((name.to_owned(), count.parse()?))
        })
        .collect::<Result<_, Box<dyn Error>>>()?;
    Ok((machine.to_owned(), counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> Counts {
        pairs
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    #[test]
    fn growth_beyond_the_tolerance_and_unknown_names_are_reported() {
        let kept = counts(&[("a", 1_000), ("b", 1_000), ("c", 1_000), ("gone", 1)]);
        let now = counts(&[("a", 1_030), ("b", 1_031), ("c", 10), ("new", 1)]);
        assert_eq!(compare(&now, &kept), ["b", "new", "gone"]);
        assert_eq!(compare(&kept, &kept), [""; 0]);
    }

    #[test]
    fn a_written_file_is_read_again() {
        let counts = counts(&[("inspect/png_payload", 5_259_948), ("roa", 74_732)]);
        let text = written("rustc 1.95.0 avx2", &counts);
        assert_eq!(
            parse(&text).unwrap(),
            ("rustc 1.95.0 avx2".to_owned(), counts)
        );
    }

    #[test]
    fn totals_of_all_threads_are_read() {
        let output = r#"{"function_name":"list","id":"csv_1","profiles":[{"data":{"total":{"metrics":
            {"Ir":{"values":{"new":7,"old":9}}}}}}]}{"function_name":"acs3","profiles":[{"data":{"total":
            {"metrics":{"Ir":{"values":{"new":5}}}}}}]}"#;
        assert_eq!(
            read(output.as_bytes()).unwrap(),
            counts(&[("acs3", 5), ("list/csv_1", 7)])
        );
        assert!(read("".as_bytes()).is_err());
        assert!(read(r#"{"function_name":"list","profiles":[]}"#.as_bytes()).is_err());
    }
}
