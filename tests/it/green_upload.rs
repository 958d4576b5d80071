//! Uploads to the service's bucket, and the frames that the service scans.

#![allow(clippy::unwrap_used, reason = "a test may fail anywhere")]

use std::{path::Path, time::Duration};

use greenlight::{
    Accepted, Code, ErrorKind, ImageUrl, Inspection, Measure, Requirements, Retry, Scene, Severity,
    green::{Batch, Client, Content, ScanOptions, Task},
};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::{
    fixtures::image,
    green_server::{Request, Server, Step},
};

fn accepted(bytes: &[u8]) -> Accepted {
    Requirements::ASYNC
        .judge(Inspection::of(bytes))
        .into_result()
        .unwrap()
}

/// A service that grants uploads to a bucket, which it serves itself, for this many seconds.
async fn lending(seconds: i64, put: impl Fn(&Request) -> Step + Send + 'static) -> Server {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let expiry = (jiff::Timestamp::now().as_second() + seconds) * 1000;
    Server::at(address, move |request| {
        let endpoint = format!("http://{address}");
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/green/credentials/uploadcredentials") => Step::json(
                200,
                &json!({"code": 200, "msg": "OK", "data": {
                    "accessKeyId": "STS.up", "accessKeySecret": "s3cr3t-up",
                    "securityToken": "t0k3n-up", "expiredTime": expiry,
                    "ossEndpoint": endpoint, "ossInternalEndpoint": endpoint,
                    "uploadBucket": "green-bucket", "uploadFolder": "upload/20260101/abc"}}),
            ),
            ("PUT", _) => put(request),
            ("POST", "/green/image/asyncscan") => Step::json(
                200,
                &json!({"code": 200, "data": [
                    {"code": 200, "url": request.json()["tasks"][0]["url"], "taskId": "t"}]}),
            ),
            _ => Step::text(404, ""),
        }
    })
    .await
}

fn puts(server: &Server) -> Vec<Request> {
    let requests = server.requests().into_iter();
    requests.filter(|request| request.method == "PUT").collect()
}

async fn upload(client: &Client, bytes: &[u8]) -> Accepted<ImageUrl> {
    client
        .upload(accepted(bytes), &Content::bytes(bytes.to_vec()))
        .await
        .unwrap()
}

#[tokio::test]
async fn the_upload_timeout_covers_its_credentials() {
    let server = Server::with(|_| Step::Stall(Duration::from_secs(600))).await;
    let client = server
        .builder()
        .upload_deadline(Duration::from_millis(300))
        .build()
        .unwrap();
    let bytes = image("png/rgb.png");
    let content = Content::bytes(bytes.clone());
    // The second upload waits for the grant that the first requested.
    let both = futures_util::future::join(
        client.upload(accepted(&bytes), &content),
        client.upload(accepted(&bytes), &content),
    );
    // One call by itself may take thirty seconds.
    let both = tokio::time::timeout(Duration::from_secs(20), Box::pin(both)).await;
    for result in <[_; 2]>::from(both.expect("an end")) {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network);
        assert!(matches!(error.retry(), Retry::After(_)));
        assert!(
            error
                .to_string()
                .contains("no upload credentials within 0.3 s"),
            "{error}"
        );
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_is_not_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let server = lending(3600, |_| Step::text(200, "")).await;
    let receipt = accepted(&image("png/rgb.png"));
    let client = server.client();
    let error = client
        .upload(receipt, &Content::file(&path))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(puts(&server).is_empty());
}

#[tokio::test]
async fn each_format_gets_its_own_extension_and_type() {
    let server = lending(3600, |_| Step::text(200, "")).await;
    let client = server.client();
    for (name, extension, media_type) in [
        ("png/rgb.png", ".png", "image/png"),
        ("jpeg/gray.jpg", ".jpg", "image/jpeg"),
        ("gif/89a.gif", ".gif", "image/gif"),
        ("bmp/v1.bmp", ".bmp", "image/bmp"),
    ] {
        let bytes = image(name);
        let receipt = upload(&client, &bytes).await;
        let url = receipt.subject().as_str().to_owned();
        let put = puts(&server).pop().unwrap();
        assert_eq!(put.header("content-type"), Some(media_type), "{name}");
        assert_eq!(put.header("x-oss-security-token"), Some("t0k3n-up"));
        assert!(
            put.header("authorization")
                .unwrap()
                .starts_with("OSS STS.up:")
        );
        assert_eq!(put.body, bytes, "{name}");
        assert!(
            url.starts_with("oss://green-bucket/upload/20260101/abc/images/"),
            "{url}"
        );
        assert!(url.ends_with(extension), "{url}");
        assert_eq!(format!("oss:/{}", put.path), url);
    }
    // The credentials were requested once.
    assert_eq!(server.requests().len(), 4 + 1);
}

#[tokio::test]
async fn uploaded_files_are_submitted_by_url() {
    let server = lending(3600, |_| Step::text(200, "")).await;
    let client = server.client();
    let receipt = upload(&client, &image("png/rgb.png")).await;
    let url = receipt.subject().as_str().to_owned();
    let batch = Batch::new([Task::new(receipt)]).unwrap();
    let submission = client.submit(batch, &[Scene::Porn]).await.unwrap();
    assert_eq!(submission.task_ids().count(), 1);
    let request = server.requests().pop().unwrap();
    assert_eq!(request.json()["tasks"][0]["url"], url);
    assert_eq!(request.json()["tasks"][0].get("interval"), None);
}

/// Other bytes with the same facts and length.
#[tokio::test]
async fn bytes_with_another_hash_are_never_stored() {
    let server = lending(3600, |_| Step::text(200, "")).await;
    let bytes = crate::images::png(256, 256, 200_000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    std::fs::write(&path, &bytes).unwrap();
    let hash: [u8; 32] = sha2::Sha256::digest(&bytes).into();
    let client = server.client();
    for content in [Content::file(&path), Content::bytes(bytes.clone())] {
        let same = content.clone().with_sha256(hash);
        client.upload(accepted(&bytes), &same).await.unwrap();
        let other = content.with_sha256([0; 32]);
        let error = client.upload(accepted(&bytes), &other).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Changed, "{other:?}");
        assert!(
            error.to_string().contains("is not what was accepted"),
            "{error}"
        );
    }
    let whole = puts(&server)
        .into_iter()
        .filter(|put| put.body.len() == bytes.len());
    assert_eq!(whole.count(), 2, "none but those with the hash");
}

#[tokio::test]
async fn a_file_is_sent_while_it_is_read() {
    let server = lending(3600, |_| Step::text(200, "")).await;
    let path = Path::new("fixtures/images/bmp/true-color.bmp");
    let bytes = std::fs::read(path).unwrap();
    let receipt = server
        .client()
        .upload(accepted(&bytes), &Content::file(path))
        .await
        .unwrap();
    assert_eq!(
        receipt.subject().claim().unwrap().format,
        greenlight::Format::Bmp
    );
    let put = puts(&server).pop().unwrap();
    assert_eq!(
        put.header("content-length"),
        Some(bytes.len().to_string().as_str())
    );
    assert_eq!(put.body, bytes);
}

#[tokio::test]
async fn changed_bytes_are_not_uploaded() {
    let server = lending(3600, |_| Step::text(200, "")).await;
    let client = server.client();
    let right = image("bmp/true-color.bmp");
    let mut longer = right.clone();
    longer.push(0);
    let cut = right[..right.len() - 1].to_vec();
    for wrong in [image("png/rgb.png"), longer, cut, Vec::new()] {
        let bytes = Content::bytes(wrong.clone());
        let path =
            std::env::temp_dir().join(format!("greenlight-{}", greenlight::DataId::random()));
        std::fs::write(&path, &wrong).unwrap();
        for content in [bytes, Content::file(&path)] {
            let error = client.upload(accepted(&right), &content).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Changed, "{}", error.report());
            assert_eq!(error.retry(), Retry::Never);
        }
        std::fs::remove_file(&path).unwrap();
    }
    let gone = Content::file(Path::new("/nonexistent.bmp"));
    let error = client.upload(accepted(&right), &gone).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(puts(&server).is_empty(), "no upload was ever complete");
}

#[tokio::test]
async fn upload_credentials_are_fetched_again_before_they_expire() {
    for (seconds, fetched) in [(3600, 1), (60, 3)] {
        let server = lending(seconds, |_| Step::text(200, "")).await;
        let client = server.client();
        let bytes = image("png/rgb.png");
        for _ in 0..3 {
            upload(&client, &bytes).await;
        }
        assert_eq!(server.requests().len(), 3 + fetched, "{seconds}");
    }
    let server = lending(-1, |_| Step::text(200, "")).await;
    let bytes = image("png/rgb.png");
    let content = Content::bytes(bytes.clone());
    let error = server
        .client()
        .upload(accepted(&bytes), &content)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
}

#[tokio::test]
async fn a_rejected_upload_reports_the_code_of_the_store() {
    let xml = |code: &str| {
        format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no t0k3n-up</Message>\
                 <RequestId>R1</RequestId></Error>"
        )
    };
    for (status, code, uploads, grants, kind) in [
        (403, "AccessDenied", 1, 1, ErrorKind::Refused),
        (403, "SecurityTokenExpired", 2, 2, ErrorKind::Refused),
        (503, "SlowDown", 3, 1, ErrorKind::Throttled),
        (500, "InternalError", 3, 1, ErrorKind::Service),
    ] {
        let body = xml(code);
        let server = lending(3600, move |_| Step::text(status, &body)).await;
        let bytes = image("png/rgb.png");
        let content = Content::bytes(bytes.clone());
        let error = server
            .client()
            .upload(accepted(&bytes), &content)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.service_code(), Some(code));
        assert_eq!(error.http_status(), Some(status));
        assert_eq!(error.request_id().unwrap().as_str(), "R1");
        assert!(!error.report().contains("t0k3n"), "{error}");
        assert_eq!(puts(&server).len(), uploads, "{code}");
        assert_eq!(server.requests().len() - uploads, grants, "{code}");
    }
}

/// An animation of this many frames on a screen of 256 by 256.
fn animation(frames: usize) -> Vec<u8> {
    let mut gif = b"GIF89a\x00\x01\x00\x01\x81\x00\x00".to_vec();
    gif.extend([0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255]);
    for _ in 0..frames {
        gif.extend(b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0");
    }
    gif.push(b';');
    gif
}

async fn task_of(client: &Client, bytes: &[u8]) -> Task {
    Task::new(upload(client, bytes).await)
}

#[tokio::test]
async fn more_than_the_first_frame_is_requested() {
    let server = lending(3600, |_| Step::text(200, "")).await;
    let client = server.client();

    let still = task_of(&client, &animation(1)).await;
    assert_eq!((still.interval(), still.max_frames()), (None, None));
    assert!(still.coverage().unwrap().is_whole());
    assert_eq!(still.billed(), 1);

    let short = task_of(&client, &animation(7)).await;
    assert_eq!((short.interval(), short.max_frames()), (Some(1), Some(7)));
    assert!(short.coverage().unwrap().is_whole());
    assert_eq!(short.billed(), 7);

    let long = task_of(&client, &animation(95)).await;
    assert_eq!((long.interval(), long.max_frames()), (Some(10), Some(10)));
    let coverage = long.coverage().unwrap();
    assert_eq!((coverage.total(), coverage.unseen()), (Some(95), Some(85)));
    assert_eq!(coverage.to_string(), "looks at 10 of 95 frames");

    let warning = long.warning().unwrap();
    assert_eq!(warning.code(), Code::ImageFramesUnseen);
    assert_eq!(warning.severity(), Severity::Warn);
    assert_eq!(warning.measured(), Some(&Measure::Number(10)));
    assert_eq!(warning.limit(), Some(&Measure::Number(95)));
    assert_eq!((still.warning(), short.warning()), (None, None));

    let whole = long.clone().with_frame_cap(u32::MAX);
    assert!(whole.coverage().unwrap().is_whole());
    let first_only = long.with_frame_cap(1);
    assert_eq!(first_only.coverage().unwrap().seen(), 1);

    let batch = Batch::new([short]).unwrap();
    client.submit(batch, &[Scene::Porn]).await.unwrap();
    let body = server.requests().pop().unwrap().json();
    assert_eq!(body["tasks"][0]["interval"], 1);
    assert_eq!(body["tasks"][0]["maxFrames"], 7);
}

/// A bitmap with one bit per pixel.
pub(crate) fn bitmap(width: u32, height: u32) -> Vec<u8> {
    let row = width.div_ceil(32) * 4;
    let size = 62 + row * height;
    let mut bmp = b"BM".to_vec();
    for field in [size, 0, 62, 40, width, height] {
        bmp.extend(field.to_le_bytes());
    }
    bmp.extend([1, 0, 1, 0]);
    for field in [0, row * height, 2835, 2835, 2, 2, 0, 0x00ff_ffff] {
        bmp.extend(field.to_le_bytes());
    }
    bmp.resize(size.try_into().unwrap(), 0);
    bmp
}

#[tokio::test]
async fn a_long_image_is_scanned_in_parts() {
    let server = lending(3600, |_| Step::text(200, "")).await;
    let client = server.client();
    for (width, height, looks) in [
        (256, 640, None),              // two and a half times is not longer
        (256, 641, Some((1, 2))),      // two whole parts
        (3000, 300, Some((1, 10))),    // lying
        (256, 256 * 25, Some((3, 9))), // more parts than the cap
    ] {
        let task = task_of(&client, &bitmap(width, height)).await;
        let found = task.interval().zip(task.max_frames());
        assert_eq!(found, looks, "{width}x{height}");
    }
}

#[tokio::test]
async fn a_synchronous_scan_accepts_small_images_only() {
    let server = lending(3600, |request| match request.method.as_str() {
        "PUT" => Step::text(200, ""),
        _ => Step::text(404, ""),
    })
    .await;
    let large = bitmap(8192, 6000);
    let client = server.client();
    let task = task_of(&client, &large).await;
    let batch = Batch::new([task]).unwrap();
    let options = ScanOptions::new(&[Scene::Porn]);
    let error = client.scan(batch, &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(
        error
            .to_string()
            .contains("too large for a synchronous scan"),
        "{error}"
    );

    let answer: Value = json!({"code": 200, "data": [
        {"code": 592, "msg": "DOWNLOAD_TIMEOUT", "dataId": "b"},
        {"code": 200, "dataId": "a", "taskId": "t-a", "storeUrl": "https://kept",
         "extras": {"hitLibInfo": [{"libCode": "1", "libName": "mine", "context": "c"}]},
         "results": [{"scene": "ad", "label": "qrcode", "suggestion": "block", "rate": "99.5",
            "qrcodeData": ["https://x"], "sfaceData": null,
            "qrcodeLocations": [{"x": 1, "y": 2, "w": 3, "h": 4.5, "qrcode": "https://x"}]}]},
    ]});
    let server = Server::steps([Step::json(200, &answer)]).await;
    let scanned = server
        .client()
        .scan(crate::green::batch(&["a", "b"]), &options)
        .await
        .unwrap();
    let outcome = scanned[0].result().unwrap();
    assert_eq!(outcome.stored_url(), Some("https://kept"));
    assert_eq!(outcome.hit_libraries()[0].name.as_deref(), Some("mine"));
    let details = outcome.results()[0].details();
    assert_eq!(outcome.results()[0].rate(), Some(99.5));
    assert_eq!(details.qrcodes, ["https://x"]);
    assert_eq!(
        (details.qrcode_places[0].x, details.qrcode_places[0].h),
        (1.0, 4.5)
    );
    assert!(details.faces.is_empty());
    assert_eq!(scanned[1].result().unwrap_err().code(), 592);
    assert_eq!(server.requests()[0].path, "/green/image/scan");
}
