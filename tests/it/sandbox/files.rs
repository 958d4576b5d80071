//! Local files under URLs.

use std::{fs, path::PathBuf, time::Duration};

use greenlight::{ErrorKind, sandbox::Sandbox};

use super::{
    raw::{Answer, Request},
    start,
};

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/images")
}

/// Creates an empty folder with this name below the build folder.
fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the build's folder can be written");
    folder
}

async fn get(sandbox: &Sandbox, target: &str) -> Answer {
    Request::new("GET", target).ask(sandbox).await
}

/// Returns the part of a URL after the authority.
fn target(sandbox: &Sandbox, url: &str) -> String {
    url.strip_prefix(&sandbox.endpoint())
        .expect("its own URL")
        .to_owned()
}

/// Returns the request target of a file in the served folder.
fn below(sandbox: &Sandbox, path: &str) -> String {
    let url = sandbox.folder_url().expect("a folder is served");
    target(sandbox, &format!("{url}/{path}"))
}

#[tokio::test]
async fn a_folder_is_served_under_a_path_that_cannot_be_guessed() {
    let sandbox = start(Sandbox::builder().serve(fixtures())).await;
    let other = start(Sandbox::builder().serve(fixtures())).await;
    let secret = below(&sandbox, "png/rgb.png");
    assert_eq!(get(&sandbox, &secret).await.status, 200);
    for guess in [
        "/files/png/rgb.png".to_owned(),
        "/files//png/rgb.png".to_owned(),
        secret.replace("/files/", "/files/0"),
        below(&other, "png/rgb.png"),
    ] {
        assert_eq!(get(&sandbox, &guess).await.status, 404, "{guess}");
    }
}

#[tokio::test]
async fn files_of_the_folder_are_served() {
    let sandbox = start(Sandbox::builder().serve(fixtures())).await;
    let bytes = fs::read(fixtures().join("png/rgb.png")).unwrap();
    for file in [PathBuf::from("png/rgb.png"), fixtures().join("png/rgb.png")] {
        let url = sandbox.url_for(file).unwrap();
        let answer = get(&sandbox, &target(&sandbox, &url)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("image/png"));
        assert_eq!(
            answer.header("content-length"),
            Some(&*bytes.len().to_string())
        );
        assert_eq!(answer.body, bytes);
    }
}

#[tokio::test]
async fn empty_and_large_files_arrive_complete() {
    let folder = scratch("large");
    fs::write(folder.join("empty"), []).unwrap();
    let large: Vec<u8> = (0..1_000_003_u32).map(|at| at.to_le_bytes()[1]).collect();
    fs::write(folder.join("large.bin"), &large).unwrap();
    let sandbox = start(Sandbox::builder().serve(&folder)).await;
    let answer = get(&sandbox, &below(&sandbox, "large.bin")).await;
    assert!(answer.body == large);
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    let answer = get(&sandbox, &below(&sandbox, "empty")).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.header("content-length"), Some("0"));
}

#[tokio::test]
async fn names_round_trip_through_urls() {
    let folder = scratch("names");
    let sub = folder.join("with space");
    fs::create_dir_all(&sub).unwrap();
    let names = [
        "100%.png",
        "a?b#c.png",
        "头像.png",
        "plus+and&.png",
        "..dots..png",
    ];
    for name in names {
        fs::write(sub.join(name), name).unwrap();
    }
    let sandbox = start(Sandbox::builder().serve(&folder)).await;
    for name in &names[..4] {
        let url = sandbox.url_for(sub.join(name)).unwrap();
        assert!(url.is_ascii());
        let answer = get(&sandbox, &target(&sandbox, &url)).await;
        assert_eq!(answer.text(), *name, "{url}");
    }
    assert!(sandbox.url_for(sub.join(names[4])).is_err(), "hidden");
}

#[tokio::test]
async fn a_range_of_a_file_is_served() {
    let folder = scratch("ranges");
    fs::write(folder.join("digits"), "0123456789").unwrap();
    let sandbox = start(Sandbox::builder().serve(&folder)).await;
    for (asked, status, range, body) in [
        ("bytes=0-3", 206, "bytes 0-3/10", "0123"),
        ("bytes=4-", 206, "bytes 4-9/10", "456789"),
        ("bytes=-3", 206, "bytes 7-9/10", "789"),
        ("bytes=-99", 206, "bytes 0-9/10", "0123456789"),
        ("bytes=9-99999999999999999999", 206, "bytes 9-9/10", "9"),
        ("bytes=10-", 416, "bytes */10", ""),
        ("bytes=-0", 416, "bytes */10", ""),
        ("bytes=3-1", 200, "", "0123456789"),
        ("bytes=0-1,3-4", 200, "", "0123456789"),
        ("bytes=-", 200, "", "0123456789"),
        ("bytes=+1-2", 200, "", "0123456789"),
        ("pixels=0-3", 200, "", "0123456789"),
    ] {
        let request = Request::new("GET", &below(&sandbox, "digits")).with("range", asked);
        let answer = request.ask(&sandbox).await;
        assert_eq!((answer.status, answer.text()), (status, body), "{asked}");
        assert_eq!(
            answer.header("content-range").unwrap_or_default(),
            range,
            "{asked}"
        );
    }
    let head = Request::new("HEAD", &below(&sandbox, "digits"))
        .ask(&sandbox)
        .await;
    assert_eq!(head.header("content-length"), Some("10"));
    assert_eq!(head.header("accept-ranges"), Some("bytes"));
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn hidden_and_outside_files_are_not_served() {
    let outside = scratch("outside");
    let folder = outside.join("served");
    fs::create_dir_all(folder.join(".git")).unwrap();
    fs::create_dir_all(folder.join("sub")).unwrap();
    for name in [
        "secret",
        "served/.hidden",
        "served/.git/config",
        "served/sub/seen",
    ] {
        fs::write(outside.join(name), "text").unwrap();
    }
    #[cfg(unix)]
    for (to, name) in [("secret", "link"), ("served/.hidden", "shown"), ("", "up")] {
        std::os::unix::fs::symlink(outside.join(to), folder.join(name)).unwrap();
    }
    let sandbox = start(Sandbox::builder().serve(&folder)).await;
    assert_eq!(
        get(&sandbox, &below(&sandbox, "sub/seen")).await.status,
        200
    );
    for path in [
        "../secret",
        "%2e%2e/secret",
        "sub/../../secret",
        "sub/..%2f..%2fsecret",
        "sub%2fseen",
        "sub//seen",
        "sub/",
        "sub",
        "",
        "/etc/passwd",
        ".hidden",
        "%2ehidden",
        ".git/config",
        "link",
        "shown",
        "up/secret",
        "missing",
        "seen%00",
        "%ff",
        "sub\\seen",
    ] {
        let answer = get(&sandbox, &below(&sandbox, path)).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    for file in ["../secret", ".hidden", "missing", "", ".git/config", "link"] {
        let error = sandbox.url_for(file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{file}");
    }
}

#[tokio::test]
async fn without_a_folder_no_files_are_served() {
    let sandbox = start(Sandbox::builder()).await;
    assert_eq!(get(&sandbox, "/files/png/rgb.png").await.status, 404);
    assert!(sandbox.url_for("png/rgb.png").is_err());
    let missing = Sandbox::builder()
        .serve(fixtures().join("missing"))
        .start()
        .await;
    assert_eq!(missing.unwrap_err().kind(), ErrorKind::Io);
}

#[tokio::test]
async fn a_published_file_may_be_outside_the_folder() {
    let sandbox = start(Sandbox::builder()).await;
    let file = fixtures().join("gif/sexy-in-its-name.gif");
    let url = sandbox.publish(&file).unwrap();
    assert!(url.ends_with("/sexy-in-its-name.gif"), "{url}");
    let answer = get(&sandbox, &target(&sandbox, &url)).await;
    assert_eq!(answer.header("content-type"), Some("image/gif"));
    assert!(answer.body == fs::read(&file).unwrap());
    let own = target(&sandbox, &url);
    let (own, _) = own.rsplit_once("/0/").unwrap();
    for path in [
        "/published/1/a.gif",
        "/published/0",
        "/published/-1/a",
        "/published/x/a",
        "/published/0/sexy-in-its-name.gif",
        "/published//0/sexy-in-its-name.gif",
        "/published/00000000000000000000000000000000/0/sexy-in-its-name.gif",
        &format!("{own}/1/a.gif"),
        &format!("{own}/-1/a.gif"),
        own,
    ] {
        assert_eq!(get(&sandbox, path).await.status, 404, "{path}");
    }
    let other = start(Sandbox::builder()).await;
    let other_url = other.publish(&file).unwrap();
    assert_ne!(
        target(&sandbox, &url),
        target(&other, &other_url),
        "the path of another run is not the path of this"
    );
    let error = sandbox.publish(fixtures().join("missing")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
}

/// Opening a pipe without a writer would block.
#[cfg(unix)]
#[tokio::test]
async fn a_pipe_in_the_folder_is_skipped() {
    let folder = scratch("pipe");
    let made = std::process::Command::new("mkfifo")
        .arg(folder.join("pipe.png"))
        .status();
    assert!(made.unwrap().success());
    let sandbox = start(Sandbox::builder().serve(&folder)).await;
    let pipe = below(&sandbox, "pipe.png");
    let answer = tokio::time::timeout(Duration::from_secs(10), get(&sandbox, &pipe));
    assert_eq!(answer.await.expect("an answer").status, 404);
}

/// A web page whose host name resolves to loopback must not read files.
#[tokio::test]
async fn files_are_served_only_under_the_sandboxs_own_names() {
    let sandbox = start(Sandbox::builder().serve(fixtures())).await;
    let file = fixtures().join("png/rgb.png");
    let port = sandbox.address().port();
    for url in [
        sandbox.url_for(&file).unwrap(),
        sandbox.publish(&file).unwrap(),
    ] {
        let path = target(&sandbox, &url);
        for (host, status) in [
            (format!("127.0.0.1:{port}"), 200),
            (format!("localhost:{port}"), 200),
            ("LOCALHOST".to_owned(), 200),
            ("images.localhost".to_owned(), 200),
            ("[::1]".to_owned(), 200),
            ("attacker.example".to_owned(), 421),
            (format!("attacker.example:{port}"), 421),
            ("localhost.attacker.example".to_owned(), 421),
            ("127.0.0.1.attacker.example".to_owned(), 421),
            ("127.0.0.1@attacker.example".to_owned(), 421),
            (String::new(), 421),
        ] {
            let request = Request::new("GET", &path).with("host", &host);
            let answer = request.ask(&sandbox).await;
            assert_eq!(answer.status, status, "{host}");
        }
    }
}
