//! The scenes to look for.

use clap::Args;

use crate::{
    cli::{exit::Failure, name::nearest},
    error::Error,
    green::v2::ServiceCode,
};
use greenlight::Scene;

/// The documented scenes (asynchronous moderation page, 2026-03).
const DOCUMENTED: [&str; 6] = ["porn", "terrorism", "ad", "qrcode", "live", "logo"];

#[derive(Args, Debug)]
#[expect(
    clippy::doc_markdown,
    reason = "the help prints codes as they are written"
)]
#[command(next_help_heading = "Service")]
pub(crate) struct SceneOptions {
    /// Scenes to look for [default: porn,terrorism]
    ///
    /// Separated by commas: porn, terrorism, ad, qrcode, live, logo. A ledger keeps those it was begun with.
    #[arg(long, value_name = "SCENES", value_delimiter = ',', value_parser = trimmed)]
    scenes: Option<Vec<Scene>>,

    /// Code of the service to scan with, in 2.0
    ///
    /// baselineCheck, baselineCheck_pro, baselineCheckByVL, tonalityImprove, aigcCheck, aigcDetector,
    /// profilePhotoCheck, postImageCheck, postImageCheckByVL, advertisingCheck, adCheckByVL, liveStreamCheck,
    /// riskDetection, generalOcr, generalRecognition, faceDetect or faceDetect_pro; outside China some of them
    /// with _global or _cb at the end, such as baselineCheck_global; or that of a copy made in the console. A
    /// ledger keeps the one it was begun with.
    #[arg(
        long,
        value_name = "CODE",
        conflicts_with = "scenes",
        hide_short_help = true
    )]
    pub(super) service: Option<ServiceCode>,

    /// Accept scenes that the service does not document
    #[arg(long, hide_short_help = true)]
    any_scene: bool,
}

impl SceneOptions {
    /// The scenes that the user names.
    ///
    /// # Errors
    ///
    /// Names a scene that is not documented, because each scene of each image is billed.
    pub(crate) fn named(&self) -> Result<Option<&[Scene]>, Failure> {
        let named = self.scenes.as_deref();
        let unknown = named
            .unwrap_or_default()
            .iter()
            .find_map(|scene| match scene {
                Scene::Other(word) => Some(word),
                _ => None,
            });
        match unknown {
            Some(word) if !self.any_scene => Err(refusal(word)),
            _ => Ok(named),
        }
    }
}

fn trimmed(word: &str) -> Result<Scene, Error> {
    word.trim().parse()
}

fn refusal(word: &str) -> Failure {
    let lower = word.to_ascii_lowercase();
    let nearest = nearest(&lower, DOCUMENTED);
    let message = format!("the service does not document the scene `{word}`");
    let failure = Failure::new(match nearest {
        Some(scene) => format!("{message}: did you mean `{scene}`?"),
        None => message,
    });
    let all = DOCUMENTED.join(", ");
    failure.hint(format!("the scenes are {all}; --any-scene accepts others"))
}
