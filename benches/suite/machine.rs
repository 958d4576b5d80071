//! The head of the results.

use std::{env, fs, process::Command, thread};

use serde_json::{Value, json};

use crate::scale::Scale;

/// When, of what and on what this run measured.
pub(crate) fn machine(scale: Scale) -> Value {
    json!({
        "date": jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        "scale": scale.name(),
        "commit": output("git", &["rev-parse", "--short", "HEAD"]),
        "rustc": output("rustc", &["--version"]),
        "processor": processor(),
        "cores": thread::available_parallelism().map_or(1, usize::from),
        "system": format!("{} {}", env::consts::OS, env::consts::ARCH),
    })
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn processor() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split(':').nth(1)?.trim().to_owned())
}
