//! An upload handler for plain hyper that passes the body through a [`Gate`].
//!
//!     cargo run --example upload_hyper --features stream
//!     curl -i --data-binary @photo.jpg http://127.0.0.1:8080

#![expect(clippy::print_stdout, reason = "a command prints its address")]

use std::{convert::Infallible, env, error::Error, time::Duration};

use bytes::Bytes;
use greenlight::{Accepted, Gate, Inspection, Rejected, Requirements};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{io::AsyncWriteExt, net::TcpListener};

const REQUIREMENTS: Requirements = Requirements::ASYNC;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(10))
                .serve_connection(TokioIo::new(socket), service_fn(answer)),
        );
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut body = request.into_body();
    let (status, text) = match upload(&mut body).await {
        Ok(accepted) => {
            let dimensions = accepted.inspection().and_then(Inspection::dimensions);
            (StatusCode::OK, format!("accepted: {dimensions:?}\n"))
        }
        Err(Failure::Refused(rejected)) => {
            (StatusCode::UNPROCESSABLE_ENTITY, format!("{rejected}\n"))
        }
        Err(Failure::Broken(error)) => (StatusCode::BAD_REQUEST, format!("{error}\n")),
    };
    // Many clients write the whole request before they read: the rest is read while the response is
    // sent.
    tokio::spawn(tokio::time::timeout(Duration::from_secs(2), drain(body)));
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

enum Failure {
    Refused(Rejected),
    Broken(Box<dyn Error>),
}

impl From<Rejected> for Failure {
    fn from(rejected: Rejected) -> Self {
        Self::Refused(rejected)
    }
}

async fn upload(body: &mut Incoming) -> Result<Accepted, Failure> {
    let mut gate = Gate::new(REQUIREMENTS);
    if let Some(len) = body.size_hint().exact() {
        gate.announce_len(len)?;
    }
    let mut store = tokio::io::sink(); // a file, an object store
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::Broken(error.into()))?;
        if let Some(chunk) = frame.data_ref() {
            gate.push(chunk)?;
            store
                .write_all(chunk)
                .await
                .map_err(|error| Failure::Broken(error.into()))?;
        }
    }
    Ok(gate.finish()?)
}

async fn drain(mut body: Incoming) {
    let mut left = REQUIREMENTS.max_bytes();
    while let Some(Ok(frame)) = body.frame().await {
        let len = frame.data_ref().map_or(0, Bytes::len);
        match u64::try_from(len)
            .ok()
            .and_then(|len| left.checked_sub(len))
        {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
