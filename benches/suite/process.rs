//! Child processes: servers and contenders whose memory is measured alone.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
};

/// The first argument of a child.
pub(crate) const CHILD: &str = "child-process";

/// A child that runs until its standard input ends.
pub(crate) struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    /// Returns the next line that the child prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    pub(crate) fn memory(&self, field: &str) -> f64 {
        memory(&self.child.id().to_string(), field).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg(CHILD).args(arguments);
    command
}

/// Blocks until the parent ends this server.
pub(crate) fn wait_for_parent() {
    std::io::stdin().lines().for_each(drop);
}

/// Runs a child and returns the numbers that it prints.
pub(crate) fn numbers(arguments: &[&str]) -> Vec<f64> {
    let output = command(arguments)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?} failed");
    let output = String::from_utf8(output.stdout).unwrap();
    let numbers = output.split_whitespace().map(str::parse::<f64>);
    numbers.collect::<Result<_, _>>().unwrap()
}

/// Returns a field of a process's status in bytes, for example its peak memory, `VmHWM`; on Linux only.
pub(crate) fn memory(process: &str, field: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024.0)
}

/// Returns the peak memory of this process in bytes.
pub(crate) fn peak_memory() -> f64 {
    memory("self", "VmHWM").unwrap_or(f64::NAN)
}

/// Returns the CPU seconds of the child processes that have ended.
pub(crate) fn children_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    // cutime and cstime, in hundredths of a second (proc(5)).
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    (ticks(13).unwrap_or(f64::NAN) + ticks(14).unwrap_or(f64::NAN)) / 100.0
}
