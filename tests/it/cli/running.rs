//! `greenlight sandbox`, running.

use std::{
    io::Read,
    process::{Child, ChildStdout, Command},
};

use super::bench::{Bench, Run, read_line};

pub(crate) struct Running<'a> {
    bench: &'a Bench,
    child: Option<Child>,
    stdout: ChildStdout,
    said: String,
    pub(crate) endpoint: String,
    /// The URL of the served folder.
    folder: Option<String>,
}

impl<'a> Running<'a> {
    pub(crate) fn sandbox(bench: &'a Bench, args: &[&str]) -> Self {
        let mut child = bench
            .command(&[&["sandbox"], args].concat())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut said = read_line(&mut stdout);
        let (_, endpoint) = said.split_once(" on ").expect(&said);
        let endpoint = endpoint.to_owned();
        said.push('\n');
        let mut folder = None;
        while args.contains(&"--serve") && folder.is_none() {
            let line = read_line(&mut stdout);
            let url = line.split(' ').find_map(|word| word.strip_suffix("/NAME"));
            folder = url.map(str::to_owned);
            said += &line;
            said.push('\n');
        }
        Self {
            bench,
            child: Some(child),
            stdout,
            endpoint,
            folder,
            said,
        }
    }

    /// The URL of a file in the served folder.
    pub(crate) fn url(&self, file: &str) -> String {
        let folder = self.folder.as_deref().expect("a folder is served");
        format!("{folder}/{file}")
    }

    pub(crate) fn allowed(&self) -> String {
        let (_, port) = self.endpoint.rsplit_once(':').unwrap();
        format!("127.0.0.1/32:{port}")
    }

    /// Returns a command with the sandbox's key in its environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.bench.command(args);
        command
            .env("ALIBABA_CLOUD_ACCESS_KEY_ID", "sandbox-key-id")
            .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "sandbox-key-secret");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let args = [args, &["--endpoint", &self.endpoint]].concat();
        Run::of(self.command(&args).spawn().unwrap())
    }

    /// Returns a scan without a kept ledger, so that scans are independent.
    pub(crate) fn scan(&self, args: &[&str]) -> Run {
        self.run(&[&["scan", "--no-ledger"], args].concat())
    }

    /// Interrupts the sandbox and returns its output.
    #[cfg(unix)]
    pub(crate) fn end(mut self) -> Run {
        let child = self.child.take().unwrap();
        interrupt(&child);
        let mut run = Run::of(child);
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        run.stdout = std::mem::take(&mut self.said) + &rest;
        run
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Sends SIGINT, as Ctrl-C does.
#[cfg(unix)]
pub(crate) fn interrupt(child: &Child) {
    signal(child, "INT");
}

/// Sends a signal by its name.
#[cfg(unix)]
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}
