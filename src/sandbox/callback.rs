//! Callbacks: a task's result, sent to the caller's own server.
//!
//! The form and its checksum follow the asynchronous moderation and notification pages (2018-05-09
//! version): fields `checksum` and `content`, the first a hash over the account's id, the seed and
//! the content as it is in the form.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sm3::Sm3;
use tokio::{net::TcpStream, sync::mpsc};
use url::{Host, Url, form_urlencoded};

use super::{State, ids::lower_hex};

/// Callbacks that wait to be sent; more are dropped.
const WAITING: usize = 1_024;
/// How often a callback is sent until it is answered with 200. The service says 16 on some pages
/// and 3 on others.
const TRIES: u32 = 3;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);
/// Time limit of an attempt.
const TRY_TIME: Duration = Duration::from_secs(5);

/// The callback options of a request.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) url: String,
    pub(super) seed: String,
    /// SHA-256 unless this is `SM3`.
    pub(super) crypt_type: Option<String>,
}

/// A callback to be sent.
#[derive(Debug)]
pub(super) struct Callback {
    target: Target,
    form: String,
}

/// The target: an address of the local host.
#[derive(Clone, Debug)]
struct Target {
    address: SocketAddr,
    /// As the request's `Host` has it.
    authority: String,
    path: String,
}

pub(super) fn queue() -> (mpsc::Sender<Callback>, mpsc::Receiver<Callback>) {
    mpsc::channel(WAITING)
}

impl Callback {
    /// `None` for a URL that does not lead to this machine: a sandbox calls no other host.
    pub(super) fn new(uid: &str, wish: &Wish, content: &Value) -> Option<Self> {
        Self::of(uid, wish, content, ["checksum", "content"], None)
    }

    /// A callback of 2.0, whose fields have capitals.
    pub(super) fn v2(uid: &str, wish: &Wish, id: &str, content: &Value) -> Option<Self> {
        Self::of(uid, wish, content, ["Checksum", "Content"], Some(id))
    }

    fn of(
        uid: &str,
        wish: &Wish,
        content: &Value,
        [checksum_name, content_name]: [&str; 2],
        id: Option<&str>,
    ) -> Option<Self> {
        let target = Target::parse(&wish.url)?;
        let content = content.to_string();
        let parts = [uid, &wish.seed, &content];
        let checksum = match wish.crypt_type.as_deref() {
            Some("SM3") => lower_hex(&hash::<Sm3>(parts)),
            _ => lower_hex(&hash::<Sha256>(parts)),
        };
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(id.map(|id| ("ReqId", id)))
            .append_pair(checksum_name, &checksum)
            .append_pair(content_name, &content)
            .finish();
        Some(Self { target, form })
    }
}

impl Target {
    fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok().filter(|url| url.scheme() == "http")?;
        let ip = match url.host()? {
            Host::Ipv4(ip) => ip.into(),
            Host::Ipv6(ip) => ip.into(),
            // No name is resolved, because it could lead to another host.
            Host::Domain("localhost") => std::net::Ipv4Addr::LOCALHOST.into(),
            Host::Domain(_) => return None,
        };
        let address = SocketAddr::new(ip, url.port_or_known_default()?);
        let query = url.query().map(|query| format!("?{query}"));
        address.ip().is_loopback().then(|| Self {
            address,
            authority: url.authority().to_owned(),
            path: url.path().to_owned() + &query.unwrap_or_default(),
        })
    }
}

fn hash<D: Digest>(parts: [&str; 3]) -> Vec<u8> {
    let hash = parts.iter().fold(D::new(), D::chain_update);
    hash.finalize().to_vec()
}

/// Sends callbacks one after the other until it is aborted.
pub(super) async fn run(state: Arc<State>, mut waiting: mpsc::Receiver<Callback>) {
    while let Some(callback) = waiting.recv().await {
        for attempt in 1..=TRIES {
            state.count(|counts| counts.callback_tries += 1);
            let sent = tokio::time::timeout(TRY_TIME, post(&callback)).await;
            if sent.is_ok_and(|status| status == Some(200)) {
                state.count(|counts| counts.callbacks += 1);
                break;
            }
            if attempt < TRIES {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Posts the form and returns the status of the response.
async fn post(callback: &Callback) -> Option<u16> {
    #[expect(
        clippy::disallowed_methods,
        reason = "callbacks go to loopback addresses only, as `Target` has seen to"
    )]
    let stream = TcpStream::connect(callback.target.address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::post(&callback.target.path)
        .header(header::HOST, &callback.target.authority)
        .header(
            header::CONTENT_TYPE,
            "application/x-www-form-urlencoded; charset=UTF-8",
        )
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(callback.form.clone())))
        .ok()?;
    let answer = sender.send_request(request);
    tokio::pin!(answer, connection);
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return Some(answer.ok()?.status().as_u16()),
            // The response may be complete when the connection ends, so the loop continues.
            _ = &mut connection, if open => open = false,
        }
    }
}
