//! Counts allocations for hostile bytes: none at header and structure depth, and a bounded amount for
//! a response of the service. A separate test binary, because the counting allocator is the whole
//! program's.

use std::{
    fs,
    path::{Path, PathBuf},
};

use allocation_counter::measure;
use greenlight::{Depth, Inspection, Inspector};

fn files_in(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is committed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_in(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn header_and_structure_depth_do_not_allocate() {
    let mut paths = Vec::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    files_in(&fixtures.join("images"), &mut paths);
    assert!(paths.len() > 80, "{} fixtures", paths.len());
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        for depth in [Depth::Header, Depth::Structure] {
            let whole = measure(|| {
                let _ = Inspection::at(depth, &bytes);
            });
            assert_eq!(whole.count_total, 0, "{} at {depth:?}", path.display());
            let in_chunks = measure(|| {
                let mut inspector = Inspector::new(depth);
                for chunk in bytes.chunks(100) {
                    inspector.push(chunk);
                }
                let _ = inspector.finish();
            });
            assert_eq!(in_chunks.count_total, 0, "{} in chunks", path.display());
        }
    }
}

/// The memory of payload depth does not depend on declared sizes.
#[test]
fn memory_of_payload_depth_does_not_depend_on_size() {
    let mut paths = Vec::new();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    files_in(&fixtures.join("images"), &mut paths);
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        let taken = measure(|| {
            let _ = Inspection::at(Depth::Payload, &bytes);
        });
        assert!(
            taken.bytes_max < 256 * 1024,
            "{}: {} bytes",
            path.display(),
            taken.bytes_max
        );
    }
}

/// A response of maximum size from a hostile or defective service: a tree of tiny objects, for which
/// JSON uses the most memory.
#[cfg(feature = "client")]
#[test]
fn the_memory_of_a_response_is_bounded() {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
    };

    use greenlight::{
        TaskId,
        green::{Client, Credentials, Secret},
    };

    const LENGTH: usize = 2 << 20;
    for element in [
        r#"{"results":[{"a":0}]}"#,
        r#"{"a":0}"#,
        "[]",
        r#"{"results":[[],[],[],[],[]]}"#,
    ] {
        let count = (LENGTH - 100) / (element.len() + 1);
        // The maximum number of values, and as many as fit; as elements, and in one element.
        for count in [45_000 / element.matches(['{', '[']).count(), count] {
            let many = vec![element; count].join(",");
            let one = format!(r#"{{"taskId":"a","results":[{many}]}}"#);
            for data in [&many, &one] {
                let body = format!(r#"{{"code":200,"data":[{data}]}}"#);
                assert!(body.len() <= LENGTH);
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let endpoint = format!("http://{}", listener.local_addr().unwrap());
                let server = std::thread::spawn(move || {
                    let (mut stream, _) = listener.accept().unwrap();
                    let mut request = Vec::new();
                    let mut buffer = [0; 1_024];
                    while !request.ends_with(br#"["a"]"#) {
                        let count = stream.read(&mut buffer).unwrap();
                        request.extend_from_slice(&buffer[..count]);
                    }
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                    stream.write_all(head.as_bytes()).unwrap();
                    stream.write_all(body.as_bytes()).unwrap();
                });
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                let client = Client::builder()
                    .endpoint(&endpoint)
                    .credentials(Credentials::new(
                        "LTAIexample",
                        Secret::new("example-secret"),
                    ))
                    .max_attempts(1)
                    .build()
                    .unwrap();
                let tasks = [TaskId::parse("a").unwrap()];
                let taken = measure(|| {
                    let _ = runtime.block_on(client.results(&tasks));
                });
                server.join().unwrap();
                // A tree of one-field objects takes 632 bytes for every 8 of its text: one of too many values
                // is not made.
                assert!(
                    taken.bytes_max < 80 << 20,
                    "{element}: {} bytes",
                    taken.bytes_max
                );
            }
        }
    }
}
