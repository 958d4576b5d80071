//! The commands that keep a ledger, each run as a process against a sandbox in the test.

mod commands;
mod counts;
mod crash;
mod earlier;
mod enforce;
#[cfg(feature = "postgres")]
mod far;
mod input;
#[cfg(feature = "postgres")]
mod machines;
mod maintain;
mod refused;
mod report;
mod scan;
#[cfg(unix)]
mod screen;
#[cfg(feature = "postgres")]
mod shared;
#[cfg(all(unix, feature = "postgres"))]
mod unreachable;
#[cfg(unix)]
mod written;

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Child, Command},
    thread,
    time::Duration,
};

use greenlight::sandbox::{Sandbox, SandboxBuilder};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{
    bench::{Bench, Run},
    scan::{KEY, images},
};

/// A sandbox that serves the folder `in` of a test, and the command that is pointed at it.
pub(super) struct Service {
    pub(super) bench: Bench,
    pub(super) sandbox: Sandbox,
    /// The runtime of the sandbox.
    _runtime: Runtime,
}

impl Service {
    pub(super) fn new(name: &str) -> Self {
        Self::with(name, Sandbox::builder())
    }

    pub(super) fn with(name: &str, sandbox: SandboxBuilder) -> Self {
        let bench = images(name);
        let runtime = Runtime::new().unwrap();
        let sandbox = sandbox.serve(bench.path("in")).start();
        Self {
            sandbox: runtime.block_on(sandbox).unwrap(),
            bench,
            _runtime: runtime,
        }
    }

    pub(super) fn url(&self, file: &str) -> String {
        self.sandbox.url_for(file).unwrap()
    }

    /// Returns distinct URLs of one valid image.
    pub(super) fn good(&self, count: usize) -> Vec<String> {
        let url = self.url("good.png");
        (0..count).map(|number| format!("{url}?{number}")).collect()
    }

    /// Writes a list of distinct URLs of one valid image.
    pub(super) fn list(&self, name: &str, count: usize) -> Vec<String> {
        let urls = self.good(count);
        self.bench.write(name, urls.join("\n"));
        urls
    }

    /// Returns the command with the options for the sandbox, without delays.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        self.command_at(&self.sandbox.endpoint(), args)
    }

    /// Returns the command with the options for another service on loopback.
    pub(super) fn command_at(&self, endpoint: &str, args: &[&str]) -> Command {
        let mut command = self.command_without_rate(endpoint, args);
        command.args(["--rate", "1000"]);
        command
    }

    fn command_without_rate(&self, endpoint: &str, args: &[&str]) -> Command {
        let allowed = format!("127.0.0.1/32:{}", self.sandbox.address().port());
        let key = self.sandbox.credentials();
        let mut command = self.bench.command(args);
        command
            .args(["--endpoint", endpoint, "--allow-address", &allowed])
            .args(["--poll", "50ms", "--timeout", "30s"])
            .env(KEY[0].0, key.id())
            .env(KEY[1].0, key.secret());
        command
    }

    pub(super) fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(args).spawn().unwrap())
    }

    /// Runs `status`, which needs no key, while other commands may be running.
    pub(super) fn status(&self) -> Value {
        self.try_status().unwrap()
    }

    fn try_status(&self) -> Result<Value, String> {
        let run = self.bench.run(&["status", "--format", "jsonl"]);
        match run.code {
            Some(0) => Ok(run.json().remove(0)),
            _ => Err(run.to_string()),
        }
    }

    /// Waits until a count of the status reaches `least`.
    pub(super) fn wait_for(&self, count: &str, least: u64) {
        let mut last = Err("it never began".to_owned());
        for _ in 0..6_000 {
            // The other process may not have created the ledger yet.
            last = self.try_status();
            let is_there = |status: &Value| status[count].as_u64().unwrap() >= least;
            if last.as_ref().is_ok_and(is_there) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{count} never reached {least}: {last:?}");
    }
}

impl Run {
    /// Returns stderr without progress lines.
    pub(super) fn said(&self) -> String {
        let lines = self.stderr.lines();
        let said = lines.filter(|line| !line.starts_with("progress: "));
        said.fold(String::new(), |said, line| said + line + "\n")
    }

    /// Returns stderr without progress lines, which depend on timing.
    pub(super) fn without_progress(mut self) -> Self {
        self.stderr = self.said();
        self
    }
}

/// Kills a process with SIGKILL and returns what it had printed.
fn kill(mut child: Child) -> String {
    child.kill().unwrap();
    let mut printed = String::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_string(&mut printed).unwrap();
    child.wait().unwrap();
    printed
}

/// Returns the sources of complete lines: the last one may be truncated.
fn sources(lines: &str) -> Vec<String> {
    let whole = lines.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect(line);
            line["source"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// Overwrites a part of a file.
fn damage(path: &Path, from: usize, bytes: &[u8]) {
    let mut file = fs::read(path).unwrap();
    file[from..from + bytes.len()].copy_from_slice(bytes);
    fs::write(path, file).unwrap();
}
