//! The connection parameters: a URL, completed by libpq's files and environment variables.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Config as Driver, Host, SslMode as DriverMode};

use super::environment::Environment;
use crate::{
    error::{Error, ErrorKind},
    sanitize::harmless,
};

/// The default schema.
const SCHEMA: &str = "greenlight";

/// How long a connection to one address may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a server may acknowledge nothing before its connection is closed, where the system
/// supports that, and how long a connection is idle before the server has to acknowledge a packet.
const LOST: Duration = Duration::from_secs(30);

/// The TLS modes of libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SslMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "disable" => Some(Self::Disable),
            // `allow` prefers plain text in libpq; treating it as `prefer` is at least as secure.
            "allow" | "prefer" => Some(Self::Prefer),
            "require" => Some(Self::Require),
            "verify-ca" => Some(Self::VerifyCa),
            "verify-full" => Some(Self::VerifyFull),
            _ => None,
        }
    }
}

/// The parameters of a connection, and the schema that contains the ledger.
#[derive(Clone)]
pub(super) struct Config {
    pub(super) driver: Driver,
    pub(super) schema: String,
    pub(super) ssl: SslMode,
    pub(super) roots: Option<PathBuf>,
}

impl Config {
    /// Parses a URL. Missing parameters are read from the service file, the environment, the
    /// password file and libpq's defaults, in this order.
    pub(super) fn parse(url: &str, environment: &Environment) -> Result<Self, Error> {
        let (rest, mut own) = split(url)?;
        if own.service.is_none() {
            own.service = environment.get("PGSERVICE");
        }
        let mut driver: Driver = rest.parse().map_err(|_| wrong("it is malformed"))?;
        let service = match &own.service {
            Some(name) => environment.service(name)?,
            None => Vec::new(),
        };
        let setting = |key: &str, variable: &str| {
            let found = service.iter().find(|(name, _)| name == key);
            let found = found.map(|(_, value)| value.clone());
            found.or_else(|| environment.get(variable))
        };
        complete(&mut driver, &setting)?;
        let mode = own.sslmode.or_else(|| setting("sslmode", "PGSSLMODE"));
        let ssl = match mode {
            Some(text) => SslMode::parse(&text).ok_or_else(|| {
                let text = harmless(&text, 40);
                wrong(&format!("`{text}` is not an sslmode"))
            })?,
            None => default_mode(&driver),
        };
        // As in libpq (PostgreSQL, "sslmode"), it does not matter for a Unix socket.
        let ssl = if is_reached_by_socket(&driver) {
            SslMode::Disable
        } else {
            ssl
        };
        let roots = own.sslrootcert;
        let roots = roots.or_else(|| setting("sslrootcert", "PGSSLROOTCERT"));
        driver.ssl_mode(match ssl {
            SslMode::Disable => DriverMode::Disable,
            SslMode::Prefer => DriverMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => DriverMode::Require,
        });
        if driver.get_password().is_none() {
            let passfile = own.passfile.or_else(|| setting("passfile", "PGPASSFILE"));
            let password = match setting("password", "PGPASSWORD") {
                Some(password) => Some(password),
                None => environment.passfile(passfile.as_deref().map(Path::new), &driver)?,
            };
            password.map(|password| driver.password(password));
        }
        let schema = own.schema.unwrap_or_else(|| SCHEMA.to_owned());
        check_schema(&schema)?;
        set_limits(&mut driver);
        Ok(Self {
            driver,
            schema,
            ssl,
            // libpq's `system` names the roots of the system (PostgreSQL, "sslrootcert"); here they
            // are built in.
            roots: roots.filter(|file| file != "system").map(PathBuf::from),
        })
    }

    /// How long a server may be silent before a new connection is tried.
    pub(super) fn silence_limit(&self) -> Duration {
        self.driver
            .get_connect_timeout()
            .copied()
            .unwrap_or(CONNECT)
    }

    /// How long it may take until a connection can be used, which libpq's `connect_timeout`
    /// includes. The driver applies that to each address, and ends it when the system has accepted
    /// the connection, which it does for a server whose processes are stopped.
    pub(super) fn connect_limit(&self) -> Duration {
        let hosts: u32 = self.driver.get_hosts().iter().map(addresses).sum();
        let given = u32::try_from(self.driver.get_hostaddrs().len()).unwrap_or(u32::MAX);
        self.silence_limit().saturating_mul(hosts.max(given))
    }
}

/// The most addresses of a host that an attempt to connect has time for.
fn addresses(host: &Host) -> u32 {
    match host {
        Host::Tcp(name) if name.parse::<std::net::IpAddr>().is_err() => 3,
        Host::Tcp(_) => 1,
        #[cfg(unix)]
        Host::Unix(_) => 1,
    }
}

/// The parameters of the URL that the driver does not support.
#[derive(Default)]
struct Own {
    schema: Option<String>,
    sslmode: Option<String>,
    sslrootcert: Option<String>,
    passfile: Option<String>,
    service: Option<String>,
}

/// Splits the URL into one that the driver can parse and the parameters that it does not support.
fn split(url: &str) -> Result<(String, Own), Error> {
    let is_known = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    if !is_known {
        return Err(wrong("it does not begin with postgres://"));
    }
    let (head, query) = url.split_once('?').unwrap_or((url, ""));
    let mut own = Own::default();
    let mut others = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let slot = match name {
            "schema" => &mut own.schema,
            "sslmode" => &mut own.sslmode,
            "sslrootcert" => &mut own.sslrootcert,
            "passfile" => &mut own.passfile,
            "service" => &mut own.service,
            _ => {
                others.push(pair);
                continue;
            }
        };
        let value = percent_decode_str(value).decode_utf8();
        let value = value.map_err(|_| wrong("it is not UTF-8"))?;
        *slot = Some(value.into_owned());
    }
    let mut rest = head.to_owned();
    if !others.is_empty() {
        rest.push('?');
        rest.push_str(&others.join("&"));
    }
    Ok((rest, own))
}

/// Adds the parameters that are missing in the URL.
fn complete(
    driver: &mut Driver,
    setting: &dyn Fn(&str, &str) -> Option<String>,
) -> Result<(), Error> {
    if driver.get_hosts().is_empty() && driver.get_hostaddrs().is_empty() {
        let hosts = setting("host", "PGHOST").unwrap_or_else(default_host);
        for host in hosts.split(',') {
            driver.host(host);
        }
    }
    if driver.get_ports().is_empty()
        && let Some(ports) = setting("port", "PGPORT")
    {
        for port in ports.split(',') {
            let port = port
                .parse()
                .map_err(|_| wrong("its port is not a number"))?;
            driver.port(port);
        }
    }
    if driver.get_user().is_none() {
        let user = setting("user", "PGUSER").or_else(|| setting("", "USER"));
        user.map(|user| driver.user(user));
    }
    if driver.get_dbname().is_none()
        && let Some(name) = setting("dbname", "PGDATABASE")
    {
        driver.dbname(name);
    }
    Ok(())
}

/// Returns libpq's default: the folder that most packages use, or else PostgreSQL's own default.
fn default_host() -> String {
    let folders = ["/var/run/postgresql", "/tmp"];
    let found = folders
        .iter()
        .find(|folder| cfg!(unix) && Path::new(folder).join(".s.PGSQL.5432").exists());
    found.map_or_else(|| "localhost".to_owned(), |&folder| folder.to_owned())
}

/// Sets the limits that the URL does not set. The driver and libpq have none of their own, and those
/// of the system are minutes for an attempt to connect, a quarter of an hour for data without an
/// acknowledgment, and two hours for an idle connection.
fn set_limits(driver: &mut Driver) {
    if driver.get_connect_timeout().is_none() {
        driver.connect_timeout(CONNECT);
    }
    if driver.get_tcp_user_timeout().is_none() {
        driver.tcp_user_timeout(LOST);
    }
    if driver.get_keepalives_idle() == Driver::new().get_keepalives_idle() {
        driver.keepalives_idle(LOST);
    }
    if driver.get_keepalives_interval().is_none() {
        driver.keepalives_interval(Duration::from_secs(10));
    }
}

fn is_reached_by_socket(driver: &Driver) -> bool {
    let mut hosts = driver.get_hosts().iter();
    #[cfg(unix)]
    let is_socket = |host: &Host| matches!(host, Host::Unix(_));
    #[cfg(not(unix))]
    let is_socket = |_: &Host| false;
    driver.get_hostaddrs().is_empty() && hosts.len() > 0 && hosts.all(is_socket)
}

/// Returns the default mode: no encryption for a local server, else `verify-full`. libpq's default,
/// `prefer`, can be downgraded by an attacker on the network.
fn default_mode(driver: &Driver) -> SslMode {
    let is_local = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    let are_local = driver.get_hosts().iter().all(is_local)
        && driver
            .get_hostaddrs()
            .iter()
            .all(std::net::IpAddr::is_loopback);
    if are_local {
        SslMode::Prefer
    } else {
        SslMode::VerifyFull
    }
}

/// Accepts only names that need no quoting in SQL.
fn check_schema(schema: &str) -> Result<(), Error> {
    let begins = |c: char| c.is_ascii_lowercase() || c == '_';
    // PostgreSQL cuts names after 63 bytes, and reserves those that begin with `pg_`.
    let fits = (1..=63).contains(&schema.len())
        && schema.starts_with(begins)
        && schema.chars().all(|c| begins(c) || c.is_ascii_digit())
        && !schema.starts_with("pg_");
    if fits {
        return Ok(());
    }
    let schema = harmless(schema, 80);
    Err(wrong(&format!(
        "its schema must be lower-case letters, digits and `_`, at most 63: `{schema}`"
    )))
}

fn wrong(what: &str) -> Error {
    // The URL is omitted because it may contain a password.
    Error::new(ErrorKind::Usage, format!("URL of a database: {what}"))
}

/// Formats the URL without the password.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.driver.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.driver.get_ports();
        for (index, host) in self.driver.get_hosts().iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(name) if name.contains(':') => write!(f, "[{name}]")?,
                Host::Tcp(name) => f.write_str(name)?,
                #[cfg(unix)]
                Host::Unix(path) => {
                    f.write_str(&path.to_string_lossy().replace('/', "%2F"))?;
                }
            }
            if let Some(port) = ports.get(index).or_else(|| ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        if let Some(name) = self.driver.get_dbname() {
            write!(f, "/{name}")?;
        }
        if self.schema != SCHEMA {
            write!(f, "?schema={}", self.schema)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Config({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str, environment: &Environment) -> Result<Config, String> {
        Config::parse(url, environment).map_err(|error| error.to_string())
    }

    #[test]
    fn the_url_wins_over_the_environment() {
        let environment = Environment::of(&[
            ("PGHOST", "other.example.com"),
            ("PGUSER", "other"),
            ("PGPORT", "5555"),
            ("PGPASSWORD", "secret"),
            ("PGSSLMODE", "require"),
        ]);
        let given = "postgres://me@db.example.com:1234/images?schema=mine&sslmode=verify-ca";
        let found = config(given, &environment).unwrap();
        assert_eq!(
            found.to_string(),
            "postgres://me@db.example.com:1234/images?schema=mine"
        );
        assert_eq!(found.ssl, SslMode::VerifyCa);
        assert_eq!(found.driver.get_password(), Some(&b"secret"[..]));
        let found = config("postgres:///images", &environment).unwrap();
        assert_eq!(
            found.to_string(),
            "postgres://other@other.example.com:5555/images"
        );
        assert_eq!(found.ssl, SslMode::Require);
        assert!(!format!("{found:?}").contains("secret"));
    }

    #[test]
    fn a_lost_connection_is_noticed_within_a_minute() {
        let environment = Environment::of(&[]);
        let limits = |url: &str| {
            let driver = config(url, &environment).unwrap().driver;
            let [unacknowledged, connect] = [
                driver.get_tcp_user_timeout().copied(),
                driver.get_connect_timeout().copied(),
            ]
            .map(|limit| limit.map(|limit| limit.as_secs()));
            (
                connect,
                unacknowledged,
                driver.get_keepalives_idle().as_secs(),
            )
        };
        assert_eq!(limits("postgres://u@db/d"), (Some(10), Some(30), 30));
        let interval = config("postgres://u@db/d", &environment).unwrap();
        let interval = interval.driver.get_keepalives_interval();
        assert_eq!(interval, Some(Duration::from_secs(10)));
        let given = "postgres://u@db/d?connect_timeout=1&tcp_user_timeout=2&keepalives_idle=3";
        assert_eq!(limits(given), (Some(1), Some(2), 3));
    }

    #[test]
    fn each_address_has_time_to_respond() {
        let environment = Environment::of(&[]);
        for (url, wanted) in [
            ("postgres://u@192.0.2.1/d", 10),
            ("postgres://u@%2Frun%2Fpostgresql/d", 10),
            ("postgres://u@192.0.2.1,192.0.2.2/d?connect_timeout=2", 4),
            ("postgres://u@db/d", 30),
            ("postgres:///d?hostaddr=192.0.2.1&host=db", 30),
            ("postgres:///d?hostaddr=192.0.2.1,192.0.2.2", 20),
        ] {
            let found = config(url, &environment).unwrap().connect_limit();
            assert_eq!(found, Duration::from_secs(wanted), "{url}");
        }
    }

    #[test]
    fn tls_is_checked_unless_the_server_is_local() {
        let environment = Environment::of(&[]);
        let mode = |url: &str| config(url, &environment).unwrap().ssl;
        for local in ["postgres://u@localhost/d", "postgres://u@127.0.0.1/d"] {
            assert_eq!(mode(local), SslMode::Prefer, "{local}");
        }
        for socket in [
            "postgres://u@%2Frun%2Fpostgresql/d",
            "postgres://u@/d?host=/run/postgresql&sslmode=require",
        ] {
            assert_eq!(mode(socket), SslMode::Disable, "{socket}");
        }
        for remote in ["postgres://u@db/d", "postgres://u@10.0.0.1/d"] {
            assert_eq!(mode(remote), SslMode::VerifyFull, "{remote}");
        }
        assert_eq!(mode("postgres://u@db/d?sslmode=disable"), SslMode::Disable);
    }

    #[test]
    fn errors_never_repeat_a_password() {
        let environment = Environment::of(&[]);
        for wrong in [
            "mysql://u:hunter2@db/d",
            "postgres://u:hunter2@db:port/d",
            "postgres://u:hunter2@db/d?sslmode=hunter",
            "postgres://u:hunter2@db/d?schema=Robert'",
            "postgres://u:hunter2@db/d?schema=pg_temp",
            "postgres://u:hunter2@db/d?unknown=1",
        ] {
            let error = config(wrong, &environment).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
