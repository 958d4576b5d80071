//! Images as bodies and in forms.

use std::{io::Write, time::Duration};

use greenlight::{Requirements, serve::Limits};

use super::{Serving, builder, codes, json, limited, runtime, serve};
use crate::{
    images::{gif, jpeg, png},
    wire::{FORM, chunked, form, head, image_form, read},
};

#[test]
fn a_valid_image_is_accepted_as_a_body_and_in_a_form() {
    let server = serve();
    let image = png(300, 260, 10_000);
    let replies = [
        server.post("/v1/check", "image/png", &image),
        server.post("/v1/check", "application/octet-stream", &image),
        server.post("/v1/check", FORM, &image_form(&image)),
        server.send(&chunked("/v1/check", FORM, &image_form(&image), 1_000).with_host()),
    ];
    for reply in replies {
        assert_eq!(reply.status, 200, "{reply:?}");
        let verdict = json(&reply);
        assert_eq!(verdict["decision"], "accept", "{verdict}");
        assert_eq!(verdict["format"], "png");
        assert_eq!(
            (&verdict["width"], &verdict["height"]),
            (&300.into(), &260.into())
        );
        assert_eq!(verdict["bytes"], image.len());
        assert_eq!(verdict["requirements"], Requirements::ASYNC.fingerprint());
        assert_eq!(verdict["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(verdict["missing"], serde_json::json!([]));
    }
}

/// The helpers of other tests name the host `test`, which a server without tokens refuses.
trait WithHost {
    fn with_host(self) -> Vec<u8>;
}

impl WithHost for Vec<u8> {
    fn with_host(self) -> Vec<u8> {
        let at = self.windows(4).position(|bytes| bytes == b"test").unwrap();
        [&self[..at], b"localhost", &self[at + 4..]].concat()
    }
}

#[test]
fn a_rejected_image_is_a_verdict_or_a_problem() {
    let server = serve();
    let mut corrupt = png(300, 300, 0);
    corrupt[30] ^= 1;
    let table: [(&[u8], &str, u16); 5] = [
        (
            b"no image, however long one looks at it",
            "image/not-an-image",
            415,
        ),
        (&gif(10, 10), "image/too-small", 422),
        (&corrupt, "image/corrupt", 422),
        (b"", "image/empty", 422),
        (&jpeg(21 << 20), "image/too-large", 413),
    ];
    for (image, code, status) in table {
        for (media_type, body) in [("image/png", image), (FORM, &image_form(image))] {
            let reply = server.post("/v1/check", media_type, body);
            assert_eq!(reply.status, 200, "{code} {reply:?}");
            assert_eq!(json(&reply)["decision"], "reject", "{code}");
            assert_eq!(codes(&reply).first().map(String::as_str), Some(code));

            let reply = server.post("/v1/check?status=http", media_type, body);
            assert_eq!((reply.status, &*reply.code()), (status, code), "{reply:?}");
            assert!(
                reply.head.contains("application/problem+json"),
                "{}",
                reply.head
            );

            let reply = server.post("/pict-rs", media_type, body);
            assert_eq!((reply.status, &*reply.code()), (status, code), "{reply:?}");
        }
    }
}

#[test]
fn an_invalid_image_is_rejected_before_the_upload_ends() {
    let server = serve();
    for (path, status) in [
        ("/v1/check", 200),
        ("/v1/check?status=http", 415),
        ("/pict-rs", 415),
    ] {
        let mut stream = server.connect();
        let head = head(path, "image/png", 15 << 20).into_bytes().with_host();
        stream.write_all(&head).unwrap();
        stream.write_all(&[b'x'; 4_096]).unwrap();
        let reply = read(&mut stream);
        assert_eq!(reply.status, status, "{reply:?}");
        assert!(reply.body.contains("image/not-an-image"), "{reply:?}");
    }
}

#[test]
fn an_image_that_is_announced_too_large_is_not_read() {
    let server = serve();
    let mut stream = server.connect();
    let head = head("/v1/check?status=http", "image/png", 21 << 20);
    let head = head.replacen("\r\n", "\r\nExpect: 100-continue\r\n", 1);
    stream.write_all(&head.into_bytes().with_host()).unwrap();
    let reply = read(&mut stream);
    assert_eq!((reply.status, &*reply.code()), (413, "image/too-large"));
}

#[test]
fn a_request_can_ask_for_a_scan() {
    let server = serve();
    let large = png(300, 300, 6 << 20);
    for (query, decision) in [
        ("", "accept"),
        ("?for=async", "accept"),
        ("?for=sync", "reject"),
    ] {
        let reply = server.post(&format!("/v1/check{query}"), "image/png", &large);
        assert_eq!(json(&reply)["decision"], decision, "{query} {reply:?}");
    }
    // 2.0 accepts images of fewer than 256 pixels.
    let small = png(210, 210, 0);
    for (query, decision) in [
        ("?for=async", "reject"),
        ("?for=v2", "accept"),
        ("?for=v2-mainland", "accept"),
    ] {
        let reply = server.post(&format!("/v1/check{query}"), "image/png", &small);
        assert_eq!(json(&reply)["decision"], decision, "{query} {reply:?}");
    }
    let reply = server.post("/v1/check?for=v2", "image/png", &small);
    assert_eq!(json(&reply)["requirements"], Requirements::V2.fingerprint());
}

#[test]
fn a_scan_is_checked_within_the_limits_of_the_server() {
    let small = Requirements::ASYNC.with_max_bytes(1 << 20);
    let server = Serving::start(builder().requirements(small), runtime());
    let image = png(300, 300, 2 << 20);
    for query in ["", "?for=async", "?for=sync", "?for=v2"] {
        let path = format!("/v1/check{query}");
        let reply = server.post(&path, "image/png", &image);
        assert_eq!(codes(&reply), ["image/too-large"], "{query}");
    }
}

#[test]
fn a_request_can_be_stricter_than_the_server() {
    let server = serve();
    let image = png(300, 260, 10_000);
    for (query, code) in [
        ("max_bytes=5000", "image/too-large"),
        ("min_width=301", "image/too-small"),
        ("min_height=261", "image/too-small"),
        ("max_side=299", "image/side-too-long"),
        ("max_pixels=77999", "image/too-many-pixels"),
        ("formats=jpeg,gif", "image/format-unsupported"),
    ] {
        let reply = server.post(&format!("/v1/check?{query}"), "image/png", &image);
        assert_eq!(codes(&reply), [code], "{query}");
    }
    let mismatch = server.post("/v1/check", "image/jpeg", &image);
    assert_eq!(json(&mismatch)["decision"], "accept");
    let strict = server.post("/v1/check?strict=true", "image/jpeg", &image);
    assert_eq!(json(&strict)["decision"], "reject");
}

#[test]
fn a_query_that_the_server_does_not_allow_is_a_problem() {
    let server = serve();
    let image = png(300, 260, 0);
    for (query, code) in [
        ("max_bytes=20971521", "request/requirements"),
        ("min_width=255", "request/requirements"),
        ("min_height=0", "request/requirements"),
        ("max_side=30001", "request/requirements"),
        ("max_pixels=250000001", "request/requirements"),
        ("formats=webp", "request/requirements"),
        ("formats=", "request/requirements"),
        ("formats=jpg2000", "request/requirements"),
        ("min_width=500&max_side=400", "request/requirements"),
        ("for=v3", "request/query"),
        ("max_bytes=-1", "request/query"),
        ("max_bytes=1&max_bytes=2", "request/query"),
        ("unknown=1", "request/query"),
        ("status=no", "request/query"),
        ("strict=perhaps", "request/query"),
    ] {
        for path in ["/v1/check", "/pict-rs"] {
            let reply = server.post(&format!("{path}?{query}"), "image/png", &image);
            assert_eq!(
                (reply.status, &*reply.code()),
                (400, code),
                "{query} {reply:?}"
            );
        }
        let path = format!("/v1/check-url?{query}");
        let reply = server.post(
            &path,
            "application/json",
            br#"{"url": "http://a.example/"}"#,
        );
        assert_eq!(
            (reply.status, &*reply.code()),
            (400, code),
            "{query} {reply:?}"
        );
    }
}

#[test]
fn a_form_without_an_image_is_a_problem() {
    let server = serve();
    let image = png(300, 260, 0);
    let photo = r#"name="photo"; filename="a.png""#;
    for (media_type, body, code) in [
        (FORM, form(&[(photo, &image)]), "upload/missing-field"),
        (FORM, image.clone(), "upload/malformed"),
        ("multipart/form-data", image.clone(), "upload/not-multipart"),
    ] {
        for path in ["/v1/check", "/pict-rs"] {
            let reply = server.post(path, media_type, &body);
            assert_eq!((reply.status, &*reply.code()), (400, code), "{reply:?}");
        }
    }
}

#[test]
fn an_upload_that_is_too_slow_is_ended() {
    let server = limited(Limits::default().with_min_rate(1_000, Duration::from_millis(300)));
    let mut stream = server.connect();
    let head = head("/v1/check", "image/png", 1_000)
        .into_bytes()
        .with_host();
    stream.write_all(&head).unwrap();
    stream.write_all(&png(300, 260, 0)[..100]).unwrap();
    let reply = read(&mut stream);
    assert_eq!((reply.status, &*reply.code()), (408, "upload/too-slow"));
}

#[test]
fn a_body_of_pict_rs_is_validated() {
    let server = serve();
    let image = jpeg(1_000);
    let whole = server.post("/pict-rs", "image/jpeg", &image);
    assert_eq!(whole.status, 200, "{whole:?}");
    // pict-rs streams the file from its store, without a length.
    let streamed = server.send(&chunked("/pict-rs?for=v2", "image/jpeg", &image, 333).with_host());
    assert_eq!(streamed.status, 200, "{streamed:?}");
    let video = server.post(
        "/pict-rs",
        "video/mp4",
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
    );
    assert_eq!(video.status, 415, "{video:?}");
}
