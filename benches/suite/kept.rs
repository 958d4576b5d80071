//! The file of results, which may be of several runs.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

use serde_json::Value;

/// Results by name. One that was measured in another run than `machine` describes has a `machine` of
/// its own, so that a run never describes what it did not measure.
#[derive(Debug)]
pub(crate) struct Kept {
    machine: Value,
    results: BTreeMap<String, Value>,
}

impl Kept {
    /// The results of one run.
    pub(crate) const fn new(machine: Value, results: BTreeMap<String, Value>) -> Self {
        Self { machine, results }
    }

    /// Reads a file of results, if there is one.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, String> {
        let in_file = |error: &dyn std::fmt::Display| {
            format!(
                "{}: {error}; remove this file, or restore it",
                path.display()
            )
        };
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text)
                .map(Some)
                .map_err(|error| in_file(&error)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(in_file(&error)),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let machine = document["machine"].clone();
        if !machine.is_object() {
            return Err("no object `machine`".to_owned());
        }
        let records = document["results"].as_array().ok_or("no list `results`")?;
        let mut results = BTreeMap::new();
        for record in records {
            let name = record["name"].as_str().ok_or("a result without `name`")?;
            if results.insert(name.to_owned(), record.clone()).is_some() {
                return Err(format!("two results `{name}`"));
            }
        }
        Ok(Self { machine, results })
    }

    /// Adds the results of a run that measured some of the benchmarks. The others stay as they are.
    pub(crate) fn add(&mut self, machine: Value, results: BTreeMap<String, Value>) {
        for (name, mut result) in results {
            if machine != self.machine {
                result["machine"] = machine.clone();
            }
            self.results.insert(name, result);
        }
        // The head describes at least one result.
        if !self.results.is_empty() && self.results.values().all(|one| one["machine"].is_object()) {
            for result in self.results.values_mut() {
                if result["machine"] == machine
                    && let Some(fields) = result.as_object_mut()
                {
                    fields.remove("machine");
                }
            }
            self.machine = machine;
        }
    }

    /// One result per line, so that changes of a committed file can be read.
    pub(crate) fn document(&self) -> String {
        let results: Vec<_> = self.results.values().map(Value::to_string).collect();
        format!(
            "{{\"machine\":{},\n\"results\":[\n{}\n]}}\n",
            self.machine,
            results.join(",\n")
        )
    }

    /// Replaces the file when the new one is complete.
    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        let in_file = |error| format!("{}: {error}", path.display());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(in_file)?;
        }
        let part = path.with_extension("part");
        fs::write(&part, self.document()).map_err(in_file)?;
        fs::rename(&part, path).map_err(in_file)
    }
}
