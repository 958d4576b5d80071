//! A program that is run for each file.

use std::{
    ffi::OsString,
    io,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// The program and its arguments, one of which contains `{}`.
#[derive(Debug)]
pub(crate) struct Program {
    words: Vec<String>,
}

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Whether the exit code is 0.
    Exited { is_success: bool },
    /// By a signal.
    Crashed,
    /// It was killed at the time limit.
    TimedOut(Duration),
}

impl Program {
    /// Splits a command at spaces, with the quotes and backslashes of a POSIX shell.
    ///
    /// # Errors
    ///
    /// If a quote is not closed, or no argument has `{}`: the program would not see the file.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let words = shlex::split(text).ok_or(format!("`{text}`: a quote is not closed"))?;
        if !words.iter().skip(1).any(|word| word.contains("{}")) {
            return Err(format!(
                "`{text}`: no argument has `{{}}`, which is replaced by the path of the file"
            ));
        }
        Ok(Self { words })
    }

    /// Runs the program on a file, without input and output, and kills it at the time limit.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub(crate) fn run(&self, path: &Path, limit: Duration) -> Result<Ended, String> {
        let mut words = self.words.iter();
        let program = words.next().map_or("", String::as_str);
        let mut command = Command::new(program);
        command
            .args(words.map(|word| with_path(word, path)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // A process group of its own, so that the processes that it starts are killed with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .map_err(|error| format!("`{program}` cannot be started: {error}"))?;
        let start = Instant::now();
        loop {
            let status = child.try_wait();
            if let Some(status) = status.map_err(|error| format!("`{program}`: {error}"))? {
                return Ok(match status.code() {
                    Some(code) => Ended::Exited {
                        is_success: code == 0,
                    },
                    None => Ended::Crashed,
                });
            }
            let elapsed = start.elapsed();
            if elapsed >= limit {
                let killed = kill(&mut child).and_then(|()| child.wait());
                killed.map_err(|error| format!("`{program}` cannot be killed: {error}"))?;
                return Ok(Ended::TimedOut(elapsed));
            }
            // So short that it adds at most a twentieth to the time of the program.
            let pause = elapsed / 20;
            sleep(pause.clamp(Duration::from_micros(20), Duration::from_millis(20)));
        }
    }
}

#[cfg(unix)]
fn kill(child: &mut Child) -> io::Result<()> {
    use rustix::process::{Pid, Signal, kill_process_group};
    Ok(kill_process_group(Pid::from_child(child), Signal::KILL)?)
}

#[cfg(not(unix))]
fn kill(child: &mut Child) -> io::Result<()> {
    child.kill()
}

/// Replaces each `{}`. A path need not be Unicode.
fn with_path(word: &str, path: &Path) -> OsString {
    let mut argument = OsString::new();
    for (at, part) in word.split("{}").enumerate() {
        if at > 0 {
            argument.push(path);
        }
        argument.push(part);
    }
    argument
}
