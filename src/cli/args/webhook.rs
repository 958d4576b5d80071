//! The arguments of a server's webhook.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueHint};

use super::reach::address_entry;
use crate::{
    cli::{
        duration,
        exit::{Failure, reason},
        text_file,
    },
    green::Secret,
    probe::{AddressPolicy, Probe},
    serve::Webhook,
};

/// Where a server reports final scans.
#[derive(Args, Debug)]
#[command(next_help_heading = "Webhook")]
pub(crate) struct WebhookOptions {
    /// Report each final scan to this URL of the application
    ///
    /// Messages are signed and repeated as the Standard Webhooks specification asks. An address in the URL, and
    /// localhost, is allowed; a name must resolve to public addresses, or to those of --webhook-address.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, requires = "webhook_secret_file", hide_short_help = true)]
    webhook: Option<String>,

    /// Secrets that sign the messages, one per line: whsec_ and Base64
    ///
    /// A message is signed with each of them, so that the application can change its secret.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "webhook", hide_short_help = true)]
    webhook_secret_file: Option<PathBuf>,

    /// Addresses that the name in --webhook may resolve to; may be repeated
    ///
    /// Such as 10.0.0.0/8, or 10.0.0.7/32:8080 for that port alone. URLs of images do not get them.
    #[arg(long = "webhook-address", value_name = "CIDR", value_parser = address_entry, requires = "webhook", hide_short_help = true)]
    addresses: Vec<String>,

    /// Time limit of an attempt
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration::parse_positive, hide_short_help = true)]
    webhook_timeout: Duration,
}

impl WebhookOptions {
    /// The webhook, if there is one.
    pub(crate) fn webhook(&self) -> Result<Option<Webhook>, Failure> {
        let (Some(url), Some(path)) = (&self.webhook, &self.webhook_secret_file) else {
            return Ok(None);
        };
        let secrets = text_file::read(path).map_err(|error| {
            let path = path.display();
            Failure::new(format!("cannot read {path}: {}", reason(&error)))
                .hint("--webhook-secret-file names a file with one secret per line")
        })?;
        let mut policy = AddressPolicy::new();
        for entry in &self.addresses {
            let allowed = policy.allow(entry);
            policy = allowed.map_err(|error| Failure::new(error.to_string()))?;
        }
        let webhook = Webhook::new(url, &Secret::new(&secrets), Probe::builder().policy(policy))?;
        Ok(Some(webhook.with_time(self.webhook_timeout)))
    }
}
