//! The signature of one request, for the suite and for the instruction counts.

use greenlight::green::{
    Credentials,
    sign::{self, Parts, Signature},
};

/// Signs a request with this body as the client does.
pub(crate) fn sign_once(body: &[u8], credentials: &Credentials) -> Signature {
    let md5 = sign::content_md5(body);
    sign::roa(
        &Parts {
            method: "POST",
            path: "/green/image/asyncscan",
            query: &[],
            headers: &[
                ("accept", "application/json"),
                ("content-md5", &md5),
                ("content-type", "application/json"),
                ("date", "Tue, 17 Jan 2017 10:16:36 GMT"),
                ("x-acs-signature-method", "HMAC-SHA1"),
                (
                    "x-acs-signature-nonce",
                    "339497c2-d91f-4c17-a0a3-1192ee9e2202",
                ),
                ("x-acs-signature-version", "1.0"),
                ("x-acs-version", "2018-05-09"),
            ],
        },
        credentials,
    )
}
