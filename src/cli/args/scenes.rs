//! The scenes to look for.

use clap::Args;

use crate::{
    cli::{config, exit::Failure},
    error::Error,
    green::Scene,
};

/// The documented scenes (asynchronous moderation page, 2026-03).
const DOCUMENTED: [&str; 6] = ["porn", "terrorism", "ad", "qrcode", "live", "logo"];

#[derive(Args, Debug)]
#[command(next_help_heading = "Service")]
pub(crate) struct SceneOptions {
    /// Scenes to look for [default: porn,terrorism]
    ///
    /// Separated by commas: porn, terrorism, ad, qrcode, live, logo. A ledger keeps those it was begun with.
    #[arg(long, value_name = "SCENES", value_delimiter = ',', value_parser = trimmed)]
    scenes: Option<Vec<Scene>>,

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

    /// The scenes that the user names, or the default.
    ///
    /// # Errors
    ///
    /// As for [`named`](Self::named).
    pub(crate) fn chosen(&self) -> Result<Vec<Scene>, Failure> {
        let named = self.named()?;
        Ok(named.map_or_else(|| vec![Scene::Porn, Scene::Terrorism], <[_]>::to_vec))
    }
}

fn trimmed(word: &str) -> Result<Scene, Error> {
    word.trim().parse()
}

fn refusal(word: &str) -> Failure {
    let lower = word.to_ascii_lowercase();
    let nearest = config::nearest(&lower, DOCUMENTED);
    let message = format!("the service does not document the scene `{word}`");
    let failure = Failure::new(match nearest {
        Some(scene) => format!("{message}: did you mean `{scene}`?"),
        None => message,
    });
    let all = DOCUMENTED.join(", ");
    failure.hint(format!("the scenes are {all}; --any-scene accepts others"))
}
