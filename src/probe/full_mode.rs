//! Full mode: downloads the whole file, as the service would.

use super::{
    Inner, follow, part,
    read::{self, Stop, Until},
    record::Record,
};
use crate::download::Ending;

/// Downloads the whole file over new connections: a reused one would hide the time to open it.
pub(super) async fn download(probe: &Inner, record: &mut Record) -> Result<Ending, Ending> {
    let mut answer = follow::follow(probe, record, None).await?;
    // Without a Range a 206 is a server's mistake, but clients read it as the file.
    if !part::may_be_file(&answer) {
        return Err(Ending::Status);
    }
    read::check_codings(record, &answer)?;
    let stop = match record.begin_body(read::framed_len(&answer)) {
        Some(code) => Stop::Refused(code),
        None => read::read(record, &mut answer, Until::End).await?,
    };
    Ok(stop.ending())
}
