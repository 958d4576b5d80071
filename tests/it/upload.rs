//! The axum extractors, over real sockets.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]
#![expect(clippy::disallowed_methods, reason = "the client's side, on loopback")]

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    middleware,
    response::Response,
    routing::post,
};
use greenlight::{
    Code, Enforcement, Requirements,
    axum::{ImageBody, ImageField, Problem, SmallReads, Upload, UploadPolicy},
};
use proptest::prelude::*;

use crate::{
    images::{gif, jpeg, png},
    wire::{FORM, Reply, chunked, form, head, header, image_form, read, try_read},
};

/// A server on loopback that ends with the test.
struct Server {
    addr: SocketAddr,
    /// The results of the handlers, in order.
    seen: mpsc::Receiver<Result<(), Problem>>,
    _runtime: tokio::runtime::Runtime,
}

type Seen = State<mpsc::Sender<Result<(), Problem>>>;

async fn field(State(seen): Seen, image: Result<ImageField, Problem>) -> Result<String, Problem> {
    let stored = match image {
        Ok(ImageField(image)) => store(image).await,
        Err(problem) => Err(problem),
    };
    let _ = seen.send(stored.as_ref().map(|_| ()).map_err(Problem::clone));
    stored
}

async fn body(State(seen): Seen, image: Result<ImageBody, Problem>) -> Result<String, Problem> {
    let stored = match image {
        Ok(ImageBody(image)) => store(image).await,
        Err(problem) => Err(problem),
    };
    let _ = seen.send(stored.as_ref().map(|_| ()).map_err(Problem::clone));
    stored
}

/// Discards the image, and records what it would have stored.
async fn store(mut image: Upload) -> Result<String, Problem> {
    let name = image.file_name().unwrap_or("-").to_owned();
    let mut stored = Vec::new();
    while let Some(chunk) = image.chunk().await? {
        stored.extend_from_slice(&chunk);
    }
    let accepted = image.finish().await?;
    let warnings: Vec<_> = accepted
        .warnings()
        .iter()
        .map(|w| w.code().name())
        .collect();
    Ok(describe(&name, &stored, &warnings.join(" ")))
}

fn describe(name: &str, bytes: &[u8], warnings: &str) -> String {
    let crc = crc32fast::hash(bytes);
    format!("{name}: {} bytes, {crc:08x} [{warnings}]", bytes.len())
}

/// Another layer with a limit of 1,000 bytes.
async fn limit(request: Request) -> Request {
    request.map(|body| axum::body::Body::new(http_body_util::Limited::new(body, 1_000)))
}

fn serve(policy: UploadPolicy) -> Server {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let (sender, seen) = mpsc::channel();
    let app = Router::new()
        .route("/field", post(field))
        .route("/body", post(body))
        .layer(policy.layer())
        .route("/default", post(body))
        .route(
            "/limited",
            post(field).layer(middleware::map_request(limit)),
        )
        .with_state(sender);
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let addr = listener.local_addr().unwrap();
    runtime.spawn(async move { axum::serve(SmallReads::new(listener), app).await });
    Server {
        addr,
        seen,
        _runtime: runtime,
    }
}

fn serve_async() -> Server {
    serve(UploadPolicy::new(Requirements::ASYNC))
}

impl Server {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
            .set_write_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// Writes the whole request before it reads.
    fn send(&self, request: &[u8]) -> Reply {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        read(&mut stream)
    }

    fn post_form(&self, form: &[u8]) -> Reply {
        self.send(&[head("/field", FORM, form.len()).as_bytes(), form].concat())
    }

    fn post_body(&self, image: &[u8]) -> Reply {
        self.send(&[head("/body", "image/png", image.len()).as_bytes(), image].concat())
    }
}

#[test]
fn a_valid_image_arrives_unchanged() {
    let server = serve_async();
    let image = png(300, 300, 100_000);
    let in_form = describe("photo.png", &image, "");
    let in_body = describe("-", &image, "");

    assert_eq!(server.post_form(&image_form(&image)).body, in_form);
    assert_eq!(server.post_body(&image).body, in_body);
    for size in [50, 1_000, 70_000] {
        let request = chunked("/field", FORM, &image_form(&image), size);
        assert_eq!(server.send(&request).body, in_form);
        let request = chunked("/body", "image/png", &image, size);
        assert_eq!(server.send(&request).body, in_body);
    }
}

#[test]
fn a_valid_image_arrives_unchanged_in_single_bytes() {
    let server = serve_async();
    let image = jpeg(100);
    let form = image_form(&image);
    let mut stream = server.connect();
    for byte in [head("/field", FORM, form.len()).as_bytes(), &form].concat() {
        stream.write_all(&[byte]).unwrap();
    }
    let reply = read(&mut stream);
    let expected = describe("photo.png", &image, "image/type-mismatch");
    assert_eq!((reply.status, reply.body), (200, expected));
}

#[test]
fn a_larger_image_than_axums_default_limit_arrives() {
    let server = serve_async();
    let image = jpeg(19 << 20);
    let reply = server.post_form(&image_form(&image));
    let expected = describe("photo.png", &image, "image/type-mismatch");
    assert_eq!((reply.status, reply.body), (200, expected));
    let warned = jpeg(20_500_000);
    let reply = server.post_body(&warned);
    assert!(reply.body.contains("image/too-large"), "{}", reply.body);
    assert_eq!(reply.status, 200);
}

#[test]
fn the_default_policy_is_that_of_the_asynchronous_scan() {
    let server = serve(UploadPolicy::new(Requirements::SYNC));
    let image = png(300, 300, 6 << 20);
    let request = [
        head("/default", "image/png", image.len()).as_bytes(),
        &image,
    ]
    .concat();
    assert_eq!(server.send(&request).status, 200);
    assert_eq!(server.post_body(&image).code(), "image/too-large");
}

#[test]
fn each_violation_has_its_status_and_its_code() {
    let good = png(300, 300, 1_000);
    let mut corrupt = good.clone();
    corrupt[30] ^= 1; // the header's checksum
    let mut trailing = good.clone();
    trailing.extend([0; 100]);
    let mut large = png(300, 300, 5 << 20);
    let table: [(&str, &[u8], u16); 11] = [
        (
            "image/not-an-image",
            b"no image, however long one looks at it",
            415,
        ),
        (
            "image/format-unsupported",
            b"II*\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            415,
        ),
        ("image/empty", b"", 422),
        ("image/too-small", &gif(10, 10), 422),
        ("image/too-small", &png(300, 255, 0), 422),
        ("image/side-too-long", &png(30_001, 256, 0)[..1_000], 422),
        ("image/too-many-pixels", &gif(2_049, 2_049), 422),
        ("image/truncated", &good[..good.len() - 20], 422),
        ("image/corrupt", &corrupt, 422),
        ("image/trailing-bytes", &trailing, 422),
        ("image/too-large", &large, 413),
    ];
    let strict = Requirements::SYNC
        .with_enforcement(greenlight::DefectKind::TrailingBytes, Enforcement::Reject);
    let server = serve(UploadPolicy::new(strict));
    for (code, image, status) in table {
        let form = image_form(image);
        let replies = [
            server.post_form(&form),
            server.post_body(image),
            server.send(&chunked("/field", FORM, &form, 4_000)),
            server.send(&chunked("/body", "image/png", image, 4_000)),
        ];
        for reply in replies {
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (status, code),
                "{reply:?}"
            );
            let media_type = header(&reply.head, "content-type");
            assert_eq!(media_type, Some("application/problem+json"));
        }
    }

    // The response contains the measure and the limit.
    large.truncate((5 << 20) + 1);
    let reply = server.post_body(&large);
    let document: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(document["status"], 413);
    assert_eq!(document["title"], "Payload Too Large");
    assert_eq!(document["type"], "about:blank");
    let violation = &document["violations"][0];
    assert_eq!(violation["measured"], (5 << 20) + 1);
    assert_eq!(violation["limit"], 5 << 20);
    assert_eq!(violation["severity"], "reject");
}

#[test]
fn a_claim_that_the_bytes_contradict_can_be_rejected() {
    let strict = Requirements::ASYNC.with_enforcement(Code::ImageTypeMismatch, Enforcement::Reject);
    let server = serve(UploadPolicy::new(strict));
    let reply = server.post_form(&form(&[(
        r#"name="image"; filename="a.jpg""#,
        &png(300, 300, 0),
    )]));
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (415, "image/type-mismatch")
    );
}

#[test]
fn other_fields_are_skipped_up_to_their_limit() {
    let server = serve(UploadPolicy::new(Requirements::ASYNC).with_field("photo"));
    let image = png(300, 300, 0);
    let caption = vec![b'x'; 30_000];
    let fields: [(&str, &[u8]); 4] = [
        (r#"name="csrf""#, b"token"),
        (r#"name="image"; filename="not this one.png""#, &caption),
        (r#"name="photo"; filename="p.png""#, &image),
        (r#"name="caption""#, &caption),
    ];
    let reply = server.post_form(&form(&fields));
    assert_eq!(
        (reply.status, reply.body),
        (200, describe("p.png", &image, ""))
    );

    let long = vec![b'x'; 66_000];
    for place in [0, 3] {
        let mut fields = fields;
        fields[place].1 = &long;
        let reply = server.post_form(&form(&fields));
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (413, "upload/too-large")
        );
    }
    // Endless empty fields are limited too.
    let reply = server.post_form(&form(&vec![(r#"name="""#, b"".as_slice()); 1_400]));
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (413, "upload/too-large")
    );
}

#[test]
fn the_form_limit_covers_all_but_the_image() {
    let image = png(300, 300, 1_000);
    let good = image_form(&image);
    let rest = good.len() - image.len();
    let server = serve(UploadPolicy::new(Requirements::ASYNC).with_other_bytes(15_000));
    let filler = vec![b'x'; 16_000];
    let part = |fill: usize, value: usize| {
        let field = form(&[(r#"name="a""#, b"".as_slice())]);
        let head = field.strip_suffix(b"\r\n\r\n\r\n--xYzZY--\r\n").unwrap();
        let (x, value) = (&filler[..fill], &filler[..value]);
        [head, b"\r\nX-Pad: ", x, b"\r\n\r\n", value, b"\r\n"].concat()
    };
    let free = 15_000 - rest;
    let padded = |pad: usize| {
        let boundary = good.strip_prefix(b"--xYzZY").unwrap();
        [b"--xYzZY", &[b' '; 16_000][..pad], boundary].concat()
    };
    let names = part(0, 0).len();
    let table = [
        // Headers of fields, which may be long.
        ([part(free - names, 0), good.clone()].concat(), 200),
        ([part(free - names - 5, 6), good.clone()].concat(), 413),
        ([part(8_000, 0), part(8_000, 0), good.clone()].concat(), 413),
        // The preamble before the first boundary.
        ([&filler[..8_000], b"\r\n", &good].concat(), 200),
        (
            [&filler[..8_000], b"\r\n", &part(6_000, 0), &good].concat(),
            200,
        ),
        (
            [&filler[..8_000], b"\r\n", &part(8_000, 0), &good].concat(),
            413,
        ),
        // Padding of boundaries.
        (padded(8_000), 200),
        ([part(8_000, 0), padded(8_000)].concat(), 413),
        // The epilogue after the form.
        ([good.clone(), filler[..8_000].to_vec()].concat(), 200),
        (
            [good.clone(), filler.clone(), filler[..8_000].to_vec()].concat(),
            413,
        ),
    ];
    for (at, (form, status)) in table.into_iter().enumerate() {
        for request in [
            [head("/field", FORM, form.len()).as_bytes(), &form].concat(),
            chunked("/field", FORM, &form, 500),
        ] {
            let reply = server.send(&request);
            assert_eq!(reply.status, status, "{at}: {reply:?}");
            if status == 413 {
                assert_eq!(reply.code(), "upload/too-large", "{at}");
            }
        }
    }
    // The number of fields is limited even if each is empty.
    let server = serve_async();
    let flood = [part(16_000, 0).repeat(500), good.clone()].concat();
    let reply = server.post_form(&flood);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (413, "upload/too-large")
    );
}

#[test]
fn a_malformed_form_gets_a_clear_response() {
    let image = png(300, 300, 1_000);
    let good = image_form(&image);
    let two = form(&[(r#"name="image""#, &image), (r#"name="image""#, &image)]);
    let no_name = form(&[("filename=x", &image)]);
    let endless_header = [b"--xYzZY\r\nX: ".to_vec(), vec![b'x'; 20_000]].concat();
    let table: [(&str, &str, &[u8]); 12] = [
        ("upload/not-multipart", "", &good),
        ("upload/not-multipart", "image/png", &image),
        ("upload/not-multipart", "multipart/form-data", &good),
        (
            "upload/not-multipart",
            "multipart/mixed; boundary=xYzZY",
            &good,
        ),
        (
            "upload/malformed",
            "multipart/form-data; boundary=other",
            &[good.clone(), vec![0; 20_000]].concat(),
        ),
        (
            "upload/malformed",
            "multipart/form-data; boundary=other",
            &good[..100],
        ),
        ("upload/malformed", FORM, &good[..good.len() - 10]),
        ("upload/malformed", FORM, b""),
        ("upload/malformed", FORM, &no_name),
        ("upload/malformed", FORM, &endless_header),
        (
            "upload/missing-field",
            FORM,
            &form(&[(r#"name="other""#, b"x")]),
        ),
        ("upload/two-fields", FORM, &two),
    ];
    let server = serve_async();
    for (code, content_type, form) in table {
        for request in [
            [head("/field", content_type, form.len()).as_bytes(), form].concat(),
            chunked("/field", content_type, form, 500),
        ] {
            let reply = server.send(&request);
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (400, code),
                "{reply:?}"
            );
        }
    }
}

#[test]
fn a_wrong_length_gets_a_clear_response() {
    let server = serve_async();
    let form = image_form(&png(300, 300, 1_000));
    // Shorter than the form: the rest is read as the next request.
    let short = [head("/field", FORM, form.len() - 10).as_bytes(), &form].concat();
    let reply = server.send(&short);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (400, "upload/malformed")
    );
    // Longer: the client shuts down its writing side and still reads.
    let mut stream = server.connect();
    let long = [head("/field", FORM, form.len() + 10).as_bytes(), &form].concat();
    stream.write_all(&long).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    if let Some(reply) = try_read(&mut stream) {
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (400, "upload/incomplete")
        );
    }
    let [_, seen] = [(); 2].map(|()| server.seen.recv().unwrap());
    assert!(matches!(seen, Err(Problem::Incomplete { .. })), "{seen:?}");
}

#[test]
fn an_aborted_upload_is_not_accepted() {
    let server = serve_async();
    let image = png(300, 300, 1_000_000);
    let form = image_form(&image);
    for (path, bytes) in [("/field", &form), ("/body", &image)] {
        let mut stream = server.connect();
        stream
            .write_all(head(path, FORM, bytes.len()).as_bytes())
            .unwrap();
        stream.write_all(&bytes[..500_000]).unwrap();
        drop(stream);
        let seen = server.seen.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(matches!(seen, Err(Problem::Incomplete { .. })), "{seen:?}");
    }
    assert_eq!(server.post_body(&image).status, 200);
}

#[test]
fn a_stalled_or_slow_upload_is_aborted() {
    let patience = Duration::from_millis(100);
    let server = serve(UploadPolicy::new(Requirements::ASYNC).with_min_rate(1 << 20, patience));
    let image = png(300, 300, 1_000_000);
    let form = image_form(&image);
    for (path, bytes) in [("/field", &form), ("/body", &image)] {
        let mut stream = server.connect();
        stream
            .write_all(head(path, FORM, bytes.len()).as_bytes())
            .unwrap();
        stream.write_all(&bytes[..1_000]).unwrap();
        let reply = read(&mut stream);
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (408, "upload/too-slow")
        );
        assert_eq!(header(&reply.head, "connection"), Some("close"));
    }
    // One byte every 50 ms is never idle for long, but below the minimum rate.
    let mut stream = server.connect();
    let mut writer = stream.try_clone().unwrap();
    let trickle = thread::spawn(move || {
        let _ = writer.write_all(head("/body", "image/png", image.len()).as_bytes());
        for byte in image {
            if writer.write_all(&[byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    let reply = read(&mut stream);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (408, "upload/too-slow")
    );
    drop(stream);
    trickle.join().unwrap();
}

#[test]
fn a_client_that_writes_first_receives_the_rejection() {
    let server = serve_async();
    for len in [1 << 20, 5 << 20, 19 << 20] {
        let mut bad = gif(16, 16);
        bad.resize(len, 0);
        let form = image_form(&bad);
        for _ in 0..10 {
            for reply in [server.post_form(&form), server.post_body(&bad)] {
                assert_eq!(
                    (reply.status, reply.code().as_str()),
                    (422, "image/too-small")
                );
            }
        }
    }
    // The size is known before the first byte; up to twice the limit the response still arrives.
    let large = vec![0; 35 << 20];
    for _ in 0..5 {
        for reply in [
            server.post_form(&image_form(&large)),
            server.post_body(&large),
        ] {
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (413, "image/too-large")
            );
        }
    }
}

#[test]
fn a_rejection_is_sent_before_the_upload_ends() {
    let server = serve_async();
    let bad = gif(16, 16);
    for (path, bytes) in [("/field", image_form(&bad)), ("/body", bad)] {
        let mut stream = server.connect();
        // The client announces a megabyte, sends its beginning and waits.
        stream
            .write_all(head(path, FORM, 1 << 20).as_bytes())
            .unwrap();
        stream.write_all(&bytes[..bytes.len() - 15]).unwrap();
        let reply = read(&mut stream);
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (422, "image/too-small")
        );
    }
}

#[test]
fn a_connection_is_reused_after_a_drained_rejection() {
    let server = serve_async();
    let mut bad = gif(16, 16);
    bad.resize(1 << 20, 0);
    let image = png(300, 300, 0);
    let mut stream = server.connect();
    for _ in 0..3 {
        for (bytes, status) in [(&bad, 422), (&image, 200)] {
            stream
                .write_all(head("/body", "image/png", bytes.len()).as_bytes())
                .unwrap();
            stream.write_all(bytes).unwrap();
            assert_eq!(read(&mut stream).status, status);
        }
    }
}

#[test]
fn draining_an_endless_upload_is_bounded() {
    let policy = UploadPolicy::new(Requirements::SYNC).with_drain(1 << 20, Duration::from_secs(2));
    let server = serve(policy);
    let mut stream = server.connect();
    let start = chunked("/body", "image/gif", &gif(16, 16), 1_000);
    stream.write_all(&start[..start.len() - 5]).unwrap();
    let piece = [b"10000\r\n".as_slice(), &vec![0; 0x10000], b"\r\n"].concat();
    // 64 MB exceed the limits and all buffers in between.
    let is_ended = (0..1_000).any(|_| stream.write_all(&piece).is_err());
    assert!(is_ended, "the connection is still read");
}

#[test]
fn a_rejected_upload_gets_no_100_continue() {
    let server = serve_async();
    let expecting =
        |path, len| head(path, FORM, len).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    for path in ["/field", "/body"] {
        let mut stream = server.connect();
        stream
            .write_all(expecting(path, 25_000_000).as_bytes())
            .unwrap();
        let reply = read(&mut stream);
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (413, "image/too-large")
        );
    }
    let mut stream = server.connect();
    let image = png(300, 300, 0);
    stream
        .write_all(expecting("/body", image.len()).as_bytes())
        .unwrap();
    assert_eq!(read(&mut stream).status, 100);
    stream.write_all(&image).unwrap();
    assert_eq!(read(&mut stream).status, 200);
}

#[test]
fn a_limit_of_another_layer_gets_its_own_response() {
    let server = serve_async();
    let form = image_form(&png(300, 300, 0));
    let request = [head("/limited", FORM, form.len()).as_bytes(), &form].concat();
    let reply = server.send(&request);
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (413, "upload/too-large")
    );
}

#[test]
fn concurrent_uploads_do_not_mix() {
    let server = serve_async();
    let images: Vec<_> = (0..8).map(|n| png(300, 300, 50_000 + n)).collect();
    thread::scope(|scope| {
        let clients: Vec<_> = (0..256)
            .map(|n| {
                let (server, images) = (server.addr, &images);
                thread::Builder::new()
                    .stack_size(256 << 10)
                    .spawn_scoped(scope, move || {
                        let image = &images[n % images.len()];
                        let form = image_form(image);
                        let mut stream = TcpStream::connect(server).unwrap();
                        stream
                            .write_all(head("/field", FORM, form.len()).as_bytes())
                            .unwrap();
                        stream.write_all(&form).unwrap();
                        let reply = read(&mut stream);
                        assert_eq!(reply.body, describe("photo.png", image, ""));
                    })
                    .unwrap()
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Any form gets a response, and the server stays available.
    #[test]
    fn every_form_gets_a_response(
        start in 0_usize..200,
        noise in proptest::collection::vec(any::<u8>(), 0..300),
        end in 0_usize..200,
    ) {
        thread_local! {
            static SERVER: Server = serve_async();
        }
        SERVER.with(|server| {
            let good = image_form(&jpeg(0));
            let form = [&good[..start.min(good.len())], &noise, &good[good.len() - end.min(good.len())..]].concat();
            let reply = server.post_form(&form);
            assert!(matches!(reply.status, 200 | 400 | 413 | 415 | 422), "{reply:?}");
        });
    }
}

/// An upload can be moved to another task, as a handler's state must be.
const fn is_send<T: Send + 'static>() {}
const _: () = is_send::<Upload>();
const _: () = is_send::<Problem>();

#[test]
fn a_client_that_never_sends_the_rest_is_disconnected() {
    let policy = UploadPolicy::default().with_drain(1 << 20, Duration::from_millis(200));
    let server = serve(policy);
    let mut stream = server.connect();
    stream
        .write_all(head("/body", "image/gif", 1 << 20).as_bytes())
        .unwrap();
    stream.write_all(&gif(16, 16)).unwrap();
    assert_eq!(read(&mut stream).status, 422);
    assert_eq!(
        stream.read(&mut [0]).unwrap(),
        0,
        "the connection is closed"
    );
}

#[test]
fn a_problem_as_an_io_error_keeps_its_kind() {
    use std::io::{Error, ErrorKind};
    let incomplete = Problem::Incomplete {
        reason: "gone".to_owned(),
    };
    for (problem, kind) in [
        (Problem::TooSlow, ErrorKind::TimedOut),
        (incomplete, ErrorKind::UnexpectedEof),
        (Problem::NotMultipart, ErrorKind::InvalidData),
    ] {
        let text = problem.to_string();
        let error = Error::from(problem);
        assert_eq!((error.kind(), error.to_string()), (kind, text));
    }
}

#[test]
fn a_problem_is_a_response() {
    use axum::response::IntoResponse;
    let response: Response = Problem::TooSlow.into_response();
    assert_eq!(response.status(), 408);
}

/// Reads are small even on a fast connection, because hyper's buffer grows with the size of a read.
#[tokio::test]
async fn reads_from_a_fast_connection_are_small() {
    use axum::serve::Listener;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut listener = SmallReads::new(listener);
    let address = listener.local_addr().unwrap();
    let client = thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&vec![7; 1 << 20]).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let (mut connection, _) = listener.accept().await;
    let mut buffer = vec![0; 1 << 20];
    let (mut total, mut largest) = (0, 0);
    while total < buffer.len() {
        let read = connection.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the connection ended after {total} bytes");
        total += read;
        largest = largest.max(read);
    }
    assert_eq!(total, 1 << 20);
    assert!(largest <= 32 << 10, "{largest}");
    connection.write_all(b"all").await.unwrap();
    connection.shutdown().await.unwrap();
    assert_eq!(client.join().unwrap(), "all");
}

#[test]
fn the_file_of_a_field_is_the_image_and_not_its_metadata() {
    let image = png(300, 300, 1_000);
    let server = serve_async();
    let alone = server.post_form(&image_form(&image));
    assert_eq!(alone.status, 200);
    let file = (r#"name="image"; filename="photo.png""#, &image[..]);
    let metadata = (r#"name="image""#, &b"{\"rotate\":90}"[..]);
    let empty = (r#"name="image""#, &b""[..]);
    // An input for a file that the user left empty (HTML, 4.10.21.4).
    let unfilled = (r#"name="image"; filename="""#, &b""[..]);
    for parts in [
        vec![metadata, file],
        vec![file, metadata],
        vec![empty, file],
        vec![metadata, empty, file, metadata],
        vec![unfilled, file],
        vec![file, unfilled, unfilled],
    ] {
        let form = form(&parts);
        for request in [
            [head("/field", FORM, form.len()).as_bytes(), &form].concat(),
            chunked("/field", FORM, &form, 7),
        ] {
            let reply = server.send(&request);
            assert_eq!((reply.status, &reply.body), (200, &alone.body), "{reply:?}");
        }
    }
    let reply = server.post_form(&form(&[unfilled, unfilled]));
    assert_eq!(reply.code(), "upload/missing-field");
    // A part that is recognized as an image by its bytes only, as some clients send it.
    for header in [r#"name="image""#, unfilled.0] {
        let bare = form(&[metadata, (header, &image)]);
        assert_eq!(server.post_form(&bare).status, 200);
    }
    for two in [
        form(&[file, file]),
        form(&[file, (r#"name="image""#, &image)]),
    ] {
        assert_eq!(server.post_form(&two).code(), "upload/two-fields");
    }
}

#[test]
fn a_missing_field_is_reported_with_the_present_ones() {
    let server = serve_async();
    let file = r#"name="photo"; filename="photo.png""#;
    // The second is larger than the form may be, the third than any image.
    for size in [1_000, 100_000, 21_000_000] {
        let form = form(&[(r#"name="caption""#, b"x"), (file, &png(300, 300, size))]);
        let reply = server.post_form(&form);
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (400, "upload/missing-field")
        );
        for name in ["image", "caption", "photo"] {
            assert!(
                reply.body.contains(&format!("\\\"{name}\\\"")),
                "{name}: {reply:?}"
            );
        }
    }
}

#[test]
fn rejected_formats_are_named() {
    let server = serve_async();
    for (path, words) in crate::fixtures::NAMED {
        let reply = server.post_body(crate::fixtures::bytes(path));
        assert_eq!(reply.status, 415, "{path}: {reply:?}");
        assert_eq!(reply.code(), "image/format-unsupported", "{path}");
        assert!(reply.body.contains(words), "{path}: {reply:?}");
    }
}
