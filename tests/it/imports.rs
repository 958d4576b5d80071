//! Checks the imports in the source against the table of modules in ARCHITECTURE.md.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The modules, low to high: a module may import itself and the modules before it.
const ORDER: [&str; 26] = [
    "sanitize",
    "ids",
    "error",
    "scene",
    "local_file",
    "format",
    "inspect",
    "frames",
    "image_url",
    "code",
    "download",
    "verdict",
    "problem",
    "requirements",
    "gate",
    "later",
    "spawned",
    "probe",
    "green",
    "ledger",
    "pipeline",
    "accept",
    "sandbox",
    "axum",
    "serve",
    "cli",
];

/// Names that a module must never use, in any layer.
const NEVER: [(&str, &[&str]); 7] = [
    (
        "green/sign",
        &["tokio::", "reqwest::", "SystemTime::now", "Instant::now"],
    ),
    (
        "green/wire",
        &["tokio::", "reqwest::", "SystemTime::now", "Instant::now"],
    ),
    (
        "format/",
        &["std::net", "std::fs", "tokio::", "reqwest::", "std::time"],
    ),
    (
        "requirements/",
        &[
            "std::net",
            "std::fs",
            "tokio::",
            "reqwest::",
            "SystemTime::now",
            "Instant::now",
        ],
    ),
    (
        "probe/address",
        &["tokio::", "hyper", "std::time", "std::fs"],
    ),
    ("sandbox/", &["green::sign", "green::wire", "reqwest::"]),
    ("ledger/", &["reqwest::", "hyper", "TcpStream"]),
];

#[test]
fn modules_import_only_lower_modules() {
    let exports = root_exports();
    let mut wrong = Vec::new();
    let mut edges = 0;
    for (file, code) in sources() {
        let Some(module) = module_of(&file) else {
            continue;
        };
        let rank = rank(&module).unwrap_or_else(|| panic!("{module} is not in the table"));
        for name in crate_names(&code) {
            let target = exports.get(&name).cloned().unwrap_or(name);
            if target == module {
                continue;
            }
            let Some(target_rank) = self::rank(&target) else {
                wrong.push(format!(
                    "{} names crate::{target}, which is not in the table",
                    file.display()
                ));
                continue;
            };
            edges += 1;
            if target_rank > rank {
                wrong.push(format!(
                    "{} ({module}) names {target}, which is above it",
                    file.display()
                ));
            }
        }
    }
    assert!(
        edges > 20,
        "only {edges} imports were found: the reader of `use` lines is broken"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_modules_use_no_socket_clock_or_runtime() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let path = file.to_string_lossy().replace('\\', "/");
        for (part, never) in NEVER {
            if path.starts_with(part) {
                wrong.extend(
                    never
                        .iter()
                        .filter(|name| code.contains(**name))
                        .map(|name| format!("{path} names {name}")),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_probe_and_the_client_open_connections() {
    let opens = [
        "TcpStream::connect",
        "TcpSocket::",
        "reqwest::Client",
        "UdpSocket::",
    ];
    // The sandbox's callbacks check the address themselves and connect to loopback only.
    let callbacks = Path::new("sandbox").join("callback.rs");
    let offenders: BTreeSet<_> = sources()
        .into_iter()
        .filter(|(file, _)| *file != callbacks)
        .filter(|(_, code)| opens.iter().any(|call| code.contains(call)))
        .map(|(file, _)| module_of(&file).unwrap_or_default())
        .collect();
    let allowed = BTreeSet::from(["probe".to_owned(), "green".to_owned()]);
    assert!(
        offenders.is_subset(&allowed),
        "connections are opened in {offenders:?}"
    );
    assert!(
        !offenders.is_empty(),
        "no module opens a connection: the search is wrong"
    );
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == module)
}

/// Returns every source file below `src`, by its relative path, without comments and doc examples.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file can be read");
                let code = text
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .collect::<Vec<_>>()
                    .join("\n");
                let inside = path
                    .strip_prefix(&root)
                    .expect("it lies below src")
                    .to_owned();
                found.push((inside, code));
            }
        }
    }
    found
}

/// Returns the top-level module of a file; `None` for the crate's root and the binary.
fn module_of(file: &Path) -> Option<String> {
    let first = file
        .components()
        .next()?
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    let module = first.strip_suffix(".rs").unwrap_or(&first).to_owned();
    (!matches!(module.as_str(), "lib" | "main")).then_some(module)
}

/// Returns the names after `crate::` anywhere in the code, with `use` groups expanded.
fn crate_names(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, prefix) in code.match_indices("crate::") {
        let (before, rest) = code.split_at(at);
        let before = before.chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = rest.strip_prefix(prefix).unwrap_or(rest);
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group_names(group)),
            None => names.extend(leading_name(rest)),
        }
    }
    names
}

/// Returns the first name of every item in a `use` group.
fn group_names(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut item = String::new();
    let mut names = Vec::new();
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.extend(leading_name(&std::mem::take(&mut item))),
            _ if depth == 0 => item.push(c),
            _ => {}
        }
    }
    names.extend(leading_name(&item));
    names
}

fn leading_name(path: &str) -> Option<String> {
    let name: String = path
        .trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!name.is_empty() && name != "self").then_some(name)
}

/// Returns the names that the crate's root reexports, with their modules.
fn root_exports() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let code = fs::read_to_string(root).expect("the crate's root can be read");
    let mut exports = BTreeMap::new();
    for statement in code.split(';') {
        let Some((_, path)) = statement.split_once("pub use ") else {
            continue;
        };
        let Some((module, names)) = path.split_once("::") else {
            continue;
        };
        for name in group_names(names.trim_start_matches('{')) {
            exports.insert(name, module.to_owned());
        }
    }
    assert!(
        exports.contains_key("Verdict"),
        "the root's exports were not understood: {exports:?}"
    );
    exports
}
