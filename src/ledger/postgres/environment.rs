//! libpq's environment variables, service file and password file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tokio_postgres::config::{Config as Driver, Host};

use crate::error::{Error, ErrorKind};

/// The environment variables of the process, or those of a test.
#[derive(Debug, Default)]
pub(super) struct Environment {
    /// Replaces the variables of the process, for tests.
    variables: Option<Vec<(String, String)>>,
}

impl Environment {
    #[cfg(test)]
    pub(super) fn of(variables: &[(&str, &str)]) -> Self {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            variables: Some(variables.iter().map(owned).collect()),
        }
    }

    /// Returns the value of a variable; `None` if it is empty.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        if let Some(variables) = &self.variables {
            let found = variables.iter().find(|(found, _)| found == name);
            return found.map(|(_, value)| value.clone());
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "libpq's variables are read here only"
        )]
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn home(&self, name: &str) -> Option<PathBuf> {
        self.get("HOME").map(|home| Path::new(&home).join(name))
    }

    /// Returns the settings of a service in `~/.pg_service.conf` or the file in `PGSERVICEFILE`
    /// (PostgreSQL, "The Connection Service File").
    pub(super) fn service(&self, name: &str) -> Result<Vec<(String, String)>, Error> {
        let own = self.get("PGSERVICEFILE").map(PathBuf::from);
        let own = own.or_else(|| self.home(".pg_service.conf"));
        let system = self.get("PGSYSCONFDIR").map(PathBuf::from);
        let system = system.map(|folder| folder.join("pg_service.conf"));
        for file in own.into_iter().chain(system) {
            let Ok(text) = fs::read_to_string(&file) else {
                continue;
            };
            if let Some(settings) = section(&text, name) {
                return Ok(settings);
            }
        }
        let message = format!("no service file has a service `{name}`");
        Err(Error::new(ErrorKind::Usage, message))
    }

    /// Returns the password in `~/.pgpass` or the named file (PostgreSQL, "The Password File").
    pub(super) fn passfile(
        &self,
        named: Option<&Path>,
        driver: &Driver,
    ) -> Result<Option<String>, Error> {
        let file = named.map(Path::to_owned).or_else(|| self.home(".pgpass"));
        let Some(file) = file else {
            return Ok(None);
        };
        let Ok(text) = fs::read_to_string(&file) else {
            return Ok(None);
        };
        // After the file could be read, because a missing one is no fault.
        check_private(&file)?;
        Ok(password(&text, driver))
    }
}

/// Rejects a file that other users can read. libpq ignores such a file with a warning.
fn check_private(file: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(file).map(|found| found.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o077 != 0) {
            let message = format!(
                "the password file {} can be read by other users: give it the mode 0600",
                file.display()
            );
            return Err(Error::new(ErrorKind::Credentials, message));
        }
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

fn section(text: &str, name: &str) -> Option<Vec<(String, String)>> {
    let heading = format!("[{name}]");
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| *line == heading)?;
    let settings = lines.take_while(|line| !line.starts_with('['));
    let settings = settings.filter(|line| !line.starts_with('#'));
    let settings = settings.filter_map(|line| line.split_once('='));
    Some(
        settings
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect(),
    )
}

fn password(text: &str, driver: &Driver) -> Option<String> {
    let host = match driver.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        // libpq looks up a socket in a default folder under the name `localhost`.
        #[cfg(unix)]
        Some(Host::Unix(path)) if path != Path::new("/var/run/postgresql") => {
            path.to_string_lossy().into_owned()
        }
        _ => "localhost".to_owned(),
    };
    let port = driver.get_ports().first().copied().unwrap_or(5432);
    let user = driver.get_user().unwrap_or_default();
    let wanted = [
        host,
        port.to_string(),
        driver.get_dbname().unwrap_or(user).to_owned(),
        user.to_owned(),
    ];
    let matches = |line: &&str| {
        let fields = fields(line);
        fields.len() == 5
            && fields
                .iter()
                .zip(&wanted)
                .all(|(field, wanted)| field == "*" || field == wanted)
    };
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let line = lines.clone().find(matches)?;
    fields(line).pop()
}

/// Splits a line at colons; a backslash escapes the next character.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        let last = fields.len() - 1;
        match c {
            ':' if fields.len() < 5 => fields.push(String::new()),
            '\\' => fields[last].extend(characters.next()),
            c => fields[last].push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_by_the_first_line_that_matches() {
        let driver: Driver = "postgres://me@db:5433/images".parse().unwrap();
        let text =
            "# db:*:*:*:comment\nother:5433:images:me:no\ndb:5433:*:me:a\\:b\\\\c:d\n*:*:*:*:late";
        assert_eq!(password(text, &driver).as_deref(), Some("a:b\\c:d"));
        let driver: Driver = "postgres://you@db/images".parse().unwrap();
        assert_eq!(password(text, &driver).as_deref(), Some("late"));
        assert_eq!(password("db:5432:images:me:x", &driver), None);
    }

    #[test]
    fn a_service_is_a_section_of_its_file() {
        let text = "[one]\nhost=a\n# host=c\n\n[two]\n host = b \nport=1\n";
        let settings = section(text, "two").unwrap();
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(settings, [own("host", "b"), own("port", "1")]);
        assert_eq!(section(text, "three"), None);
    }
}
