//! The commands with progress in a real terminal (tmux), interrupted.

use std::{
    process::{Command, Output},
    thread,
    time::Duration,
};

use greenlight::sandbox::Sandbox;

#[cfg(feature = "postgres")]
use crate::postgres_server::fresh_url;

use super::{
    super::{
        bench::Bench,
        scan::KEY,
        site::{Page, Site},
    },
    Service,
};

const WIDTHS: [u16; 4] = [60, 110, 160, 200];

/// A terminal in which a command runs. Dropping it ends both.
struct Screen {
    socket: String,
}

impl Screen {
    /// Runs the command, and prints its exit code at the end.
    fn run(name: &str, width: u16, command: &Command) -> Self {
        let screen = Self {
            socket: format!("greenlight-{}-{name}-{width}", std::process::id()),
        };
        let script = format!(
            "trap : INT; {}; echo exit $?; exec sleep 600",
            line(command)
        );
        let size = ["-x", &width.to_string(), "-y", "24"];
        let args = [
            &["-f", "/dev/null", "new-session", "-d"],
            &size[..],
            &[&script],
        ]
        .concat();
        let output = screen.tmux(&args);
        assert!(output.status.success(), "{output:?}");
        screen
    }

    fn tmux(&self, args: &[&str]) -> Output {
        Command::new("tmux")
            .args(["-u", "-L", &self.socket])
            .args(args)
            .env("LC_ALL", "C.UTF-8")
            .env_remove("TMUX")
            .output()
            .unwrap()
    }

    fn read(&self, options: &[&str]) -> String {
        let output = self.tmux(&[&["capture-pane", "-p"], options].concat());
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// Waits until the screen shows the text.
    fn wait_for(&self, text: &str) -> String {
        for _ in 0..2_400 {
            let screen = self.read(&[]);
            if screen.contains(text) {
                return screen;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("no `{text}` in:\n{}", self.read(&[]));
    }

    /// Interrupts the command once it shows its progress, and returns the lines that it leaves; lines
    /// that the terminal wrapped are joined.
    fn interrupt(&self, shown: &str, exit: &str) -> String {
        self.wait_for(shown);
        self.tmux(&["send-keys", "C-c"]);
        let left = self.wait_for(exit);
        assert!(!left.contains(['█', '░']), "bars are left:\n{left}");
        let cursor = self.tmux(&["display-message", "-p", "#{cursor_flag} #{cursor_x}"]);
        assert_eq!(
            cursor.stdout, b"1 0\n",
            "a visible cursor at a line's start:\n{left}"
        );
        self.read(&["-J"])
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

/// Returns the command as a shell command line.
fn line(command: &Command) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut words = vec!["cd".to_owned()];
    words.push(quoted(command.get_current_dir().unwrap().to_str().unwrap()));
    words.push("&& env -i TERM=\"$TERM\"".to_owned());
    words.extend(command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}={}", name.to_str()?, quoted(value?.to_str()?)))
    }));
    let program = std::iter::once(command.get_program()).chain(command.get_args());
    words.extend(program.map(|word| quoted(word.to_str().unwrap())));
    words.join(" ")
}

#[expect(clippy::print_stdout, reason = "says that a test was not run")]
fn has_tmux() -> bool {
    let found = Command::new("tmux").arg("-V").output().is_ok();
    if !found {
        println!("tmux is not installed: the commands were not run in a terminal");
    }
    found
}

#[test]
fn an_interrupted_check_or_plan_leaves_its_message_only() {
    if !has_tmux() {
        return;
    }
    let bench = Bench::new("screen-check");
    let slow = Page::image("image/png", "").after(Duration::from_secs(60));
    let site = Site::start([("/slow.png", slow)]);
    bench.write(
        "list.txt",
        format!("ftp://one\n{}\nftp://two\n", site.url("/slow.png")),
    );
    for width in WIDTHS {
        // How many lines are done by then depends on the load.
        for command in ["check", "plan"] {
            let allowed = site.allowed();
            let args = [
                command,
                "--from",
                "list.txt",
                "--timeout",
                "60s",
                "--allow-address",
                &allowed,
            ];
            let screen = Screen::run(command, width, &bench.command(&args));
            let left = screen.interrupt("checked ", "exit 130");
            let last = left.lines().rev().nth(1).unwrap_or_default();
            assert!(last.starts_with("error: interrupted: "), "{width}:\n{left}");
        }
    }
}

/// The second interruption ends a scan that waits for the answer to a request.
#[test]
fn a_scan_that_is_interrupted_twice_leaves_no_bars() {
    if !has_tmux() {
        return;
    }
    let bench = Bench::new("screen-twice");
    bench.fixture("png/rgb.png", "good.png");
    let image = std::fs::read(bench.path("good.png")).unwrap();
    let slow = Page::image("application/json", "").after(Duration::from_secs(60));
    let site = Site::start([("/good.png", Page::image("image/png", image))]);
    let service = Site::start([("/green/image/asyncscan", slow)]);
    let (image, endpoint, allowed) = (site.url("/good.png"), service.url(""), site.allowed());
    let args = [
        "scan",
        &image,
        "--endpoint",
        &endpoint,
        "--allow-address",
        &allowed,
        "--timeout",
        "30s",
    ];
    let screen = Screen::run("twice", 80, bench.command(&args).envs(KEY));
    service.wait_for_a_request();
    screen.tmux(&["send-keys", "C-c"]);
    screen.interrupt("waiting for the answers", "exit 130");
}

#[test]
fn an_interrupted_scan_or_resume_leaves_its_whole_hint() {
    if !has_tmux() {
        return;
    }
    let service = Service::with("screen-scan", Sandbox::builder().polls(u32::MAX));
    service.list("list.txt", 40);
    for width in WIDTHS {
        for command in ["scan", "resume"] {
            let ledger = format!("{width}.db");
            let from: &[&str] = if command == "scan" {
                &["--from", "list.txt"]
            } else {
                &[]
            };
            let args = [&[command, "--ledger", &ledger], from].concat();
            let screen = Screen::run(command, width, &service.command(&args));
            let left = screen.interrupt("decided ", "exit 130");
            let expected = format!(
                "0 sources
error: interrupted: 0 done and printed, the rest is kept
hint: `greenlight resume --ledger {ledger} --endpoint {}` continues where this ended; pass this scan's \
other options too, where it has them
exit 130",
                service.sandbox.endpoint()
            );
            assert_eq!(
                left.replace(" \n", "\n"),
                expected,
                "{command} at {width} columns"
            );
        }
    }
}

#[test]
fn interrupted_results_leave_nothing() {
    if !has_tmux() {
        return;
    }
    let bench = Bench::new("screen-results");
    let site = Site::start([(
        "/green/image/results",
        Page::image("application/json", "").after(Duration::from_secs(60)),
    )]);
    for width in WIDTHS {
        let mut command = bench.command(&["results", "task-1", "--endpoint", &site.url("")]);
        command
            .env("ALIBABA_CLOUD_ACCESS_KEY_ID", "id")
            .env("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret");
        let screen = Screen::run("results", width, &command);
        let left = screen.interrupt("fetched ", "exit 130");
        assert_eq!(
            left,
            "error: interrupted: 0 of 1 results were fetched\nexit 130"
        );
    }
}

#[cfg(feature = "postgres")]
#[test]
fn interrupted_work_leaves_nothing() {
    if !has_tmux() {
        return;
    }
    let Some(url) = fresh_url() else { return };
    let service = Service::with("screen-work", Sandbox::builder().polls(u32::MAX));
    service.list("list.txt", 40);
    let mut scan = service.command(&["scan", "--from", "list.txt", "--ledger", &url]);
    let mut scan = scan.spawn().unwrap();
    service.wait_for_shared(&url, "sources", 40);
    super::super::running::interrupt(&scan);
    scan.wait().unwrap();
    for width in WIDTHS {
        let screen = Screen::run("work", width, &service.command(&["work", "--ledger", &url]));
        let left = screen.interrupt("decided ", "exit 0");
        assert_eq!(left, "exit 0", "{width}");
    }
}

#[test]
fn a_table_fits_80_columns_and_wraps_at_40() {
    if !has_tmux() {
        return;
    }
    let bench = Bench::new("screen-table");
    bench.fixture("png/rgb.png", "in/good.png");
    let long = "in/a-folder/with-a-name/that-is-long/photo-1.png";
    bench.fixture("jpeg/too-small.jpg", long);
    for width in [40, 80, 160] {
        let screen = Screen::run("table", width, &bench.command(&["check", "in"]));
        screen.wait_for("exit 1");
        let shown = screen.read(&[]);
        let joined = screen.read(&["-J"]);
        let rows = |text: &str| text.lines().count();
        if width >= 80 {
            assert_eq!(
                rows(&shown),
                rows(&joined),
                "the terminal breaks no line at {width}:\n{shown}"
            );
        }
        // A name is never broken by the command, so that it can be copied.
        assert!(joined.contains(long), "{width}:\n{joined}");
        assert!(shown.contains("image/too-small:"), "{width}:\n{shown}");
        let is_in_columns = shown.contains("DECISION       FORMAT         PIXELS");
        assert_eq!(is_in_columns, width >= 80, "{width}:\n{shown}");
    }
}
