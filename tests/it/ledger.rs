//! The ledger: conformance, files that cannot be used, several users of one file, and no sequence
//! of events that reaches an illegal state or forgets a task id.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod files;
mod maintenance;
#[cfg(feature = "postgres")]
mod postgres;
mod properties;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use greenlight::{
    ImageUrl, Scene,
    ledger::{Key, Known, Ledger, Location, NewImage, Scope, Source, SqliteLedger, State},
};

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

/// Returns a new path per call; files of earlier runs are removed.
pub(crate) fn fresh_path(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("ledger");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{name}-{}-{count}.db", std::process::id()));
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(format!("{}{suffix}", path.display())));
    }
    path
}

fn scope() -> Scope {
    Scope::new(&[Scene::Porn, Scene::Ad])
        .with_account("account")
        .with_service("green.example.com")
}

fn fresh(name: &str) -> SqliteLedger {
    SqliteLedger::open(&fresh_path(name), &scope()).unwrap()
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds)
}

fn image(number: u32) -> NewImage {
    let url = format!("https://example.com/{number}.png");
    NewImage {
        key: Key::of_url(&scope(), &ImageUrl::parse(&url).unwrap()),
        location: Location::Url(url),
        known: Known::Nothing,
        facts: None,
        deliver_again: false,
        source: Source {
            origin: "list.txt".to_owned(),
            line: number.into(),
            ..Source::default()
        },
    }
}

#[cfg(feature = "conformance")]
#[test]
fn sqlite_passes_the_conformance_suite() {
    for case in greenlight::ledger::conformance::CASES {
        println!("{}", case.name()); // shown when it fails
        let path = fresh_path("conformance");
        let open = || Arc::new(SqliteLedger::open(&path, &scope()).unwrap());
        block_on(case.run([open(), open()]));
    }
}

#[test]
fn ledgers_can_be_shared_between_threads_as_trait_objects() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    let ledger: Arc<dyn Ledger> = Arc::new(fresh("object"));
    shared(&ledger);
    assert!(format!("{ledger:?}").contains("green.example.com"));
}

#[test]
fn states_have_stable_numbers_and_names() {
    for &state in State::ALL {
        assert_eq!(State::from_code(state.code()), Some(state));
        assert_eq!(state.name().parse(), Ok(state));
    }
    let codes: Vec<u8> = State::ALL.iter().map(|state| state.code()).collect();
    assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14]);
    assert_eq!(State::from_code(99), None);
    let error = "lost".parse::<State>().unwrap_err();
    assert_eq!(error.to_string(), "unknown state of an image `lost`");
    let text = serde_json::to_string(&State::ALL).unwrap();
    let read: Vec<State> = serde_json::from_str(&text).unwrap();
    assert_eq!(read, State::ALL);
}

#[test]
fn keys_ignore_parts_that_a_server_never_receives() {
    let key = |url: &str| Key::of_url(&scope(), &ImageUrl::parse(url).unwrap());
    let plain = key("https://example.com/a.png?b=1");
    for same in [
        "https://EXAMPLE.com/a.png?b=1",
        "https://example.com:443/a.png?b=1",
        "https://example.com/a.png?b=1#part",
    ] {
        assert_eq!(key(same), plain, "{same}");
    }
    for other in [
        "http://example.com/a.png?b=1",
        "https://example.com/A.png?b=1",
        "https://example.com/a.png?b=2",
        "https://example.com/a.png",
        "https://example.com:444/a.png?b=1",
    ] {
        assert_ne!(key(other), plain, "{other}");
    }
}

#[test]
fn keys_depend_on_the_scope_but_not_on_scene_order() {
    let url = ImageUrl::parse("https://example.com/a.png").unwrap();
    let key = |scope: &Scope| Key::of_url(scope, &url);
    let base = Scope::new(&[Scene::Ad, Scene::Porn])
        .with_account("account")
        .with_service("service");
    assert_eq!(
        key(&base),
        key(&Scope::new(&[Scene::Porn, Scene::Ad, Scene::Porn])
            .with_account("account")
            .with_service("service"))
    );
    // Stored ledgers have it: SHA-256 of the parts, each after its length.
    assert_eq!(
        key(&base).to_string(),
        "fe3da13cd9ad9666f291ad46301da430d0fd7483ac07b6c48eef8e790eae2c57"
    );
    for other in [
        Scope::new(&[Scene::Ad, Scene::Porn])
            .with_account("accounts")
            .with_service("ervice"),
        Scope::new(&[Scene::Ad, Scene::Porn])
            .with_account("account")
            .with_service("other"),
        Scope::new(&[Scene::Other("adporn".to_owned())])
            .with_account("account")
            .with_service("service"),
        Scope::new(&[Scene::Ad])
            .with_account("account")
            .with_service("service"),
        base.clone().with_policy("v2"),
    ] {
        assert_ne!(key(&other), key(&base), "{other:?}");
    }
    let text = Key::of_text(&base, url.as_str());
    assert_ne!(text, key(&base));
    assert_ne!(text, Key::of_content(&base, &[0; 32]));
}

#[test]
fn a_key_is_a_data_id_and_can_be_parsed() {
    let key = image(1).key;
    let text = key.to_string();
    assert_eq!(text.len(), 64);
    assert_eq!(Key::parse(&text), Some(key));
    assert_eq!(Key::from_bytes(*key.as_bytes()), key);
    for wrong in [
        "",
        "zz",
        &text.replacen(char::is_alphanumeric, "", 1),
        &text.to_uppercase(),
        &text.replace('a', "g"),
    ] {
        assert_eq!(Key::parse(wrong), None, "{wrong}");
    }
}
