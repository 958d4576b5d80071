//! TLS: rustls with ring, the Mozilla roots and the caller's own, and what its failures mean.

use std::{io, sync::Arc};

use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, AlertDescription, CertificateError, ClientConfig, PeerMisbehaved, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use super::HttpVersions;
use crate::{
    download::TlsFault,
    error::{Error, ErrorKind},
};

/// A connector that trusts the Mozilla roots and the certificates in `extra_roots` (PEM).
pub(super) fn connector(
    versions: HttpVersions,
    extra_roots: &[Vec<u8>],
) -> Result<TlsConnector, Error> {
    // Compiled in, so that a container without certificates works.
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for pem in extra_roots {
        let unusable = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(ErrorKind::Usage, "root certificate is not usable PEM").with_source(error)
        };
        let mut found = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| unusable(error.into()))?;
            roots
                .add(certificate)
                .map_err(|error| unusable(error.into()))?;
            found = true;
        }
        if !found {
            return Err(unusable("it holds no certificate".into()));
        }
    }
    // The provider is passed explicitly: a process-wide default may be missing, or another's.
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Usage, "TLS cannot be set up").with_source(error))?
        .with_root_certificates(roots)
        // The service downloads without a client certificate, so the probe has none either.
        .with_no_client_auth();
    config.alpn_protocols = match versions {
        HttpVersions::Http1 => vec![b"http/1.1".to_vec()],
        HttpVersions::Http2 => vec![b"h2".to_vec()],
        HttpVersions::Any => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The name a certificate must be for.
pub(super) fn server_name(host: &url::Host<&str>) -> Result<ServerName<'static>, String> {
    match host {
        url::Host::Domain(name) => {
            ServerName::try_from((*name).to_owned()).map_err(|error| error.to_string())
        }
        url::Host::Ipv4(v4) => Ok(ServerName::from(std::net::IpAddr::V4(*v4))),
        url::Host::Ipv6(v6) => Ok(ServerName::from(std::net::IpAddr::V6(*v6))),
    }
}

/// Returns the cause of a failed handshake, unless the connection failed and not TLS.
pub(super) fn fault(error: &io::Error) -> Option<(TlsFault, String)> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let fault = match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                TlsFault::Expired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                TlsFault::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFault::WrongHost
            }
            CertificateError::UnknownIssuer => TlsFault::UnknownIssuer,
            // Self-signed certificates that tools create by default are marked as those of an
            // authority. The issuer is the certificate itself.
            CertificateError::Other(other) if other.to_string() == "CaUsedAsEndEntity" => {
                TlsFault::UnknownIssuer
            }
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                TlsFault::Unsupported
            }
            _ => TlsFault::Other,
        },
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::PeerMisbehaved(
            PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme
            | PeerMisbehaved::SignedKxWithWrongAlgorithm,
        )
        | rustls::Error::AlertReceived(
            AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity
            | AlertDescription::ProtocolVersion,
        ) => TlsFault::Unsupported,
        _ => TlsFault::Other,
    };
    Some((fault, error.to_string()))
}
