//! The arguments of `doctor`.

use clap::Args;

use super::{LedgerOption, PrintOptions, ServiceOptions};

#[derive(Args, Debug)]
pub(crate) struct DoctorOptions {
    #[command(flatten)]
    pub(crate) service: ServiceOptions,

    /// Test against a sandbox in this process
    #[arg(long, conflicts_with_all = ["region", "endpoint"], help_heading = "Service")]
    pub(crate) sandbox: bool,

    #[command(flatten)]
    pub(crate) ledger: LedgerOption,

    #[command(flatten)]
    pub(crate) print: PrintOptions,
}
