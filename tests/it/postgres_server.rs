//! A PostgreSQL server for tests: the one that `GREENLIGHT_TEST_POSTGRES` names, or a new one on
//! loopback that ends with this process.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test's helper reads the environment, says what is not tested, and may fail anywhere"
)]

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

/// Runs a server, and again when it is killed, until its standard input ends, which it does with
/// this process even if that is killed.
const SCRIPT: &str = r#"
folder=$1; port=$2
trap 'rm -rf "$folder"' EXIT
initdb -D "$folder/data" -U greenlight -A trust -E UTF8 --no-locale --no-sync >"$folder/log" 2>&1 || exit 1
if [ -e "$folder/key.pem" ]; then
  # TLS only, with a key that no other user can read.
  cp "$folder/key.pem" "$folder/cert.pem" "$folder/data" && chmod 600 "$folder/data/key.pem"
  printf 'hostssl all all 127.0.0.1/32 trust\nlocal all all trust\n' >"$folder/data/pg_hba.conf"
  printf "ssl = on\nssl_cert_file = 'cert.pem'\nssl_key_file = 'key.pem'\n" >>"$folder/data/postgresql.conf"
fi
while ! [ -e "$folder/end" ]; do
  if [ -e "$folder/stopped" ]; then sleep 0.1; continue; fi
  postgres -D "$folder/data" -p "$port" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories="$folder" -c max_connections=300 >>"$folder/log" 2>&1
  sleep 0.2
done &
cat >/dev/null
touch "$folder/end"
kill -INT "$(head -n 1 "$folder/data/postmaster.pid")"
wait
"#;

/// Returns the URL of a new schema, or `None` if no server is available.
pub(crate) fn fresh_url() -> Option<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = server()?;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let separator = if server.contains('?') { '&' } else { '?' };
    let process = std::process::id();
    Some(format!("{server}{separator}schema=test_{process}_{count}"))
}

fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Option<String>> = OnceLock::new();
    SERVER
        .get_or_init(|| {
            let found = std::env::var("GREENLIGHT_TEST_POSTGRES")
                .ok()
                .or_else(|| Some(Server::start("shared")?.leak()));
            if found.is_none() {
                eprintln!(
                    "PostgreSQL: not tested, since GREENLIGHT_TEST_POSTGRES names no server and \
                     none can be started here"
                );
            }
            found
        })
        .as_deref()
}

/// A server that may be killed. Ends when it is dropped.
pub(crate) struct Server {
    folder: PathBuf,
    url: String,
    /// The server lives as long as its standard input.
    supervisor: Child,
}

impl Server {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The same by its Unix socket.
    #[allow(dead_code, reason = "the benchmarks do not")]
    pub(crate) fn socket_url(&self) -> String {
        let (_, port) = self.url.rsplit_once(':').unwrap();
        let (port, database) = port.split_once('/').unwrap();
        let folder = self.folder.display();
        format!("postgres://greenlight@/{database}?host={folder}&port={port}")
    }

    /// Kills the server; another one starts automatically.
    pub(crate) fn kill(&self) {
        let killed = Command::new("kill").args(["-KILL", &self.pid()]).status();
        assert!(killed.unwrap().success());
    }

    /// Stops the server until [`start_again`](Self::start_again).
    #[allow(dead_code, reason = "the benchmarks do not")]
    pub(crate) fn stop(&self) {
        let (state, pid) = (self.state(), self.pid());
        std::fs::write(self.folder.join("stopped"), "").unwrap();
        let asked = Command::new("kill").args(["-INT", &pid]).status();
        assert!(asked.unwrap().success());
        for _ in 0..600 {
            if !state.exists() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("PostgreSQL does not stop");
    }

    /// Starts the server again after [`stop`](Self::stop).
    #[allow(dead_code, reason = "the benchmarks do not")]
    pub(crate) fn start_again(&self) {
        std::fs::remove_file(self.folder.join("stopped")).unwrap();
    }

    /// Stops the processes of the server, which then neither respond nor end, until the result is
    /// dropped. The system still accepts connections and acknowledges data for them.
    #[allow(dead_code, reason = "the benchmarks do not")]
    pub(crate) fn freeze(&self) -> Frozen {
        let frozen = Frozen(self.pid());
        frozen.signal("STOP");
        frozen
    }

    /// The file that names the first process, while the server runs.
    fn state(&self) -> PathBuf {
        self.folder.join("data/postmaster.pid")
    }

    fn pid(&self) -> String {
        let state = std::fs::read_to_string(self.state()).unwrap();
        state.lines().next().unwrap().to_owned()
    }

    fn leak(self) -> String {
        let url = self.url.clone();
        // Its standard input stays open as long as this process.
        std::mem::forget(self);
        url
    }

    /// Starts a server whose data are in memory if there is such a folder, for tests, which do not lose power.
    pub(crate) fn start(name: &str) -> Option<Self> {
        Self::start_in(name, &["/dev/shm", "/tmp"], |_| {})
    }

    /// Starts a server whose commits are durable.
    #[allow(dead_code, reason = "the benchmarks need it")]
    pub(crate) fn start_on_disk(name: &str) -> Option<Self> {
        let folder = std::env::temp_dir();
        Self::start_in(name, &[folder.to_str()?], |_| {})
    }

    /// Starts a server with this certificate and key that accepts only TLS connections.
    pub(crate) fn start_with_tls(name: &str, certificate: &str, key: &str) -> Option<Self> {
        Self::start_in(name, &["/dev/shm", "/tmp"], |folder| {
            std::fs::write(folder.join("cert.pem"), certificate).unwrap();
            std::fs::write(folder.join("key.pem"), key).unwrap();
        })
    }

    fn start_in(name: &str, bases: &[&str], prepare: impl FnOnce(&Path)) -> Option<Self> {
        let path = programs()?;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let base = bases.iter().map(Path::new).find(|folder| folder.is_dir())?;
        let folder = base.join(format!("greenlight-postgres-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        prepare(&folder);
        let supervisor = supervisor(&folder, port, &path)?;
        let state = folder.join("data/postmaster.pid");
        for _ in 0..600 {
            let state = std::fs::read_to_string(&state).unwrap_or_default();
            if state.lines().any(|line| line.trim() == "ready") {
                let url = format!("postgres://greenlight@127.0.0.1:{port}/postgres");
                return Some(Self {
                    folder,
                    url,
                    supervisor,
                });
            }
            thread::sleep(Duration::from_millis(50));
        }
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        panic!("PostgreSQL did not start: {log}");
    }
}

/// A server whose processes are stopped.
pub(crate) struct Frozen(String);

impl Frozen {
    /// Signals the first process, which starts all others, before those.
    fn signal(&self, name: &str) {
        let script = r#"kill -"$1" "$2" && pkill -"$1" -P "$2""#;
        let sent = Command::new("sh")
            .args(["-c", script, "sh", name, &self.0])
            .status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.signal("CONT");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        drop(self.supervisor.wait());
    }
}

/// The folder of `initdb` and `postgres`: the newest of Debian's, or one in `PATH`.
fn programs() -> Option<PathBuf> {
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    debian.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = debian.into_iter().rev().chain(std::env::split_paths(&path));
    folders.find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// PostgreSQL refuses to run as the superuser, so another user runs it.
fn supervisor(folder: &Path, port: u16, programs: &Path) -> Option<Child> {
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", programs.display());
    let mut command = Command::new("sh");
    command
        .args(["-c", SCRIPT, "sh"])
        .arg(folder)
        .arg(port.to_string())
        .env("PATH", path)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    #[cfg(unix)]
    {
        use std::os::unix::{
            fs::{MetadataExt as _, PermissionsExt as _, chown},
            process::CommandExt as _,
        };
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        if std::fs::metadata(folder).unwrap().uid() == 0 {
            let (user, group) = account()?;
            chown(folder, Some(user), Some(group)).unwrap();
            command.uid(user).gid(group);
        }
    }
    command.spawn().ok()
}

/// Returns the user and group of an account other than the superuser's.
#[cfg(unix)]
fn account() -> Option<(u32, u32)> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let find = |name: &str| {
        let line = accounts
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody"))
}
