//! The ledger and the pipeline of a server.

use std::path::{Path, PathBuf};

use super::{
    location::{Guard, Role},
    place::LedgerPlace,
    setup::Setup,
};
use crate::{
    cli::{
        args::{LedgerLocation, ScanSettings},
        exit::Failure,
    },
    green::{Callback, callback::Verifier},
    serve::Moderation,
};

/// The name of the folder of images next to a ledger in a database.
const IMAGES: &str = "greenlight.images";

/// How a server submits images, and what it needs until its end.
pub(crate) struct Moderating {
    pub(crate) moderation: Moderation,
    _guard: Guard,
    _place: LedgerPlace,
}

/// Opens the ledger, or creates it. Images are kept in `folder`, by default next to the ledger.
pub(crate) async fn moderate(
    settings: &ScanSettings,
    has_sandbox: bool,
    folder: Option<&Path>,
    callback: Option<(Callback, Verifier)>,
) -> Result<Moderating, Failure> {
    let place = LedgerPlace::new(&settings.ledger, has_sandbox, false).await?;
    let setup = Setup::begin(settings, &place, Role::Serve).await?;
    let folder = folder.map_or_else(|| beside(&place), Path::to_owned);
    let moderation = match callback {
        Some((callback, verifier)) => {
            let pipeline = setup.pipeline.callback(callback);
            Moderation::new(pipeline, &folder).callbacks(verifier)
        }
        None => Moderation::new(setup.pipeline, &folder),
    };
    Ok(Moderating {
        moderation,
        _guard: setup.guard,
        _place: place,
    })
}

fn beside(place: &LedgerPlace) -> PathBuf {
    match place.ledger().location() {
        LedgerLocation::File(path) => {
            let mut name = path.as_os_str().to_owned();
            name.push(".images");
            name.into()
        }
        LedgerLocation::Database(_) => IMAGES.into(),
    }
}
