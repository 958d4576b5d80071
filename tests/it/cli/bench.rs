//! Runs the command in a separate folder per test.

use std::{
    fmt, fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

/// A folder that is empty when the test starts.
pub(crate) struct Bench {
    dir: PathBuf,
}

/// The output and exit code of a run of the command.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("cli")
            .join(name);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("the test's folder can be made");
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Copies a fixture image.
    pub(crate) fn fixture(&self, image: &str, name: &str) {
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images");
        self.write(name, fs::read(images.join(image)).unwrap());
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_greenlight"));
        command
            .args(args)
            .current_dir(&self.dir)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(args).spawn().unwrap())
    }

    pub(crate) fn run_with_input(&self, args: &[&str], input: impl AsRef<[u8]>) -> Run {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.as_ref().to_vec();
        let writer = thread::spawn(move || {
            // The command may exit before it has read all input.
            let _ = stdin.write_all(&input);
        });
        let run = Run::of(child);
        writer.join().unwrap();
        run
    }
}

impl Run {
    pub(crate) fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Returns each line of stdout as a JSON value.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }

    /// Returns one key of every line.
    pub(crate) fn texts(&self, key: &str) -> Vec<String> {
        self.json()
            .iter()
            .map(|line| line[key].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Returns the output with a variable text replaced.
    pub(crate) fn with(mut self, text: &str, name: &str) -> Self {
        self.stdout = self.stdout.replace(text, name);
        self.stderr = self.stderr.replace(text, name);
        self
    }

    /// Returns the output with loopback ports replaced.
    pub(crate) fn without_ports(mut self) -> Self {
        for text in [&mut self.stdout, &mut self.stderr] {
            for host in ["127.0.0.1:", "127.0.0.1/32:", "0.0.0.0:"] {
                *text = mask_numbers(text, host);
            }
            *text = without_secrets(text);
        }
        self
    }

    /// Returns the output without the version, requirements and time of each check.
    pub(crate) fn without_provenance(mut self) -> Self {
        let mut parts = self.stdout.split(",\"version\":");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (_, rest) = part.split_once(",\"checked_at\":").expect(part);
            text.push_str(rest.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
        self.stdout = text;
        self
    }

    /// Returns CSV without the columns of the version, requirements and time of each check.
    pub(crate) fn without_csv_provenance(mut self) -> Self {
        self.stdout = without_csv_provenance(&self.stdout);
        self
    }

    /// Returns the output with the numbers after each occurrence of `key` replaced.
    pub(crate) fn without_numbers_after(mut self, key: &str) -> Self {
        self.stdout = mask_numbers(&self.stdout, key);
        self
    }
}

/// Returns the text without the random part of the sandbox's paths.
fn without_secrets(text: &str) -> String {
    let mut parts = text.split("/files/");
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        masked.push_str("/files/");
        let rest = part.trim_start_matches(|c: char| c.is_ascii_hexdigit());
        let has_secret = part.len() - rest.len() == 32;
        masked.push_str(
            rest.strip_prefix('/')
                .filter(|_| has_secret)
                .unwrap_or(part),
        );
    }
    masked
}

fn mask_numbers(text: &str, key: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(key) {
        masked.push_str(before);
        masked.push_str(key);
        masked.push('N');
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    masked.push_str(rest);
    masked
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => writeln!(f, "exit: {code}")?,
            None => writeln!(f, "exit: by a signal")?,
        }
        writeln!(f, "----- stdout -----\n{}", self.stdout)?;
        write!(f, "----- stderr -----\n{}", self.stderr)
    }
}

/// Reads to the end of the next line, one byte at a time.
pub(crate) fn read_line(from: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while from.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

/// Removes the columns `version`, `requirements` and `checked_at` from CSV.
pub(crate) fn without_csv_provenance(text: &str) -> String {
    let header = ",version,requirements,checked_at";
    assert!(text.contains(header), "{text}");
    let text = text.replacen(header, "", 1);
    let version = concat!(",", env!("CARGO_PKG_VERSION"), ",");
    let mut parts = text.split(version);
    let mut left = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (fingerprint, rest) = part.split_once(',').expect(part);
        assert_eq!(fingerprint.len(), 16, "{part}");
        left.push_str(rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    left
}
