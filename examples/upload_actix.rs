//! An upload handler for actix-web that passes the payload through a [`Gate`].
//!
//!     cargo run --example upload_actix --features stream
//!     curl -i --data-binary @photo.jpg http://127.0.0.1:8080

#![expect(clippy::print_stdout, reason = "a command prints its address")]

use std::{env, error::Error, time::Duration};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    http::header::CONTENT_LENGTH,
    rt::{System, spawn, time::timeout},
    web,
};
use futures_util::StreamExt;
use greenlight::{Gate, GateError, Inspection, Rejected, Requirements};
use tokio::io::AsyncWriteExt;

const REQUIREMENTS: Requirements = Requirements::ASYNC;

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    System::new().block_on(async {
        let server = HttpServer::new(|| App::new().route("/", web::post().to(upload)))
            .bind(address.as_deref().unwrap_or("127.0.0.1:8080"))?;
        for address in server.addrs() {
            println!("listening on http://{address}");
        }
        server.run().await?;
        Ok(())
    })
}

async fn upload(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let mut gate = Gate::new(REQUIREMENTS);
    let announced = request.headers().get(CONTENT_LENGTH);
    let announced = announced.and_then(|len| len.to_str().ok()?.parse().ok());
    if let Some(Err(rejected)) = announced.map(|len| gate.announce_len(len)) {
        drain(payload);
        return refuse(&rejected);
    }

    let mut image = gate.over(payload);
    let receipt = image.receipt();
    let mut store = tokio::io::sink(); // a file, an object store
    while let Some(chunk) = image.next().await {
        match chunk {
            Ok(chunk) => {
                if let Err(error) = store.write_all(&chunk).await {
                    return HttpResponse::InternalServerError().body(error.to_string());
                }
            }
            Err(GateError::Refused(rejected)) => {
                drain(image.into_source());
                return refuse(&rejected);
            }
            Err(GateError::Source(error)) => {
                return HttpResponse::BadRequest().body(error.to_string());
            }
        }
    }
    match receipt.into_result() {
        Ok(accepted) => {
            let dimensions = accepted.inspection().and_then(Inspection::dimensions);
            HttpResponse::Ok().body(format!("accepted: {dimensions:?}\n"))
        }
        Err(rejected) => refuse(&rejected),
    }
}

fn refuse(rejected: &Rejected) -> HttpResponse {
    HttpResponse::UnprocessableEntity().body(format!("{rejected}\n"))
}

/// Many clients write the whole request before they read: the rest is read while the response is
/// sent.
fn drain(mut payload: web::Payload) {
    spawn(timeout(Duration::from_secs(2), async move {
        let mut left = REQUIREMENTS.max_bytes();
        while let Some(Ok(chunk)) = payload.next().await {
            match u64::try_from(chunk.len())
                .ok()
                .and_then(|len| left.checked_sub(len))
            {
                Some(rest) => left = rest,
                None => return,
            }
        }
    }));
}
