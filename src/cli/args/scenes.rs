//! The scenes to look for.

use clap::Args;

use crate::{cli::exit::Failure, error::Error, green::Scene};

/// The documented scenes (asynchronous moderation page, 2026-03).
const DOCUMENTED: [&str; 6] = ["porn", "terrorism", "ad", "qrcode", "live", "logo"];

/// The most letters by which a mistyped scene differs from the one that is suggested.
const FURTHEST: usize = 3;

#[derive(Args, Debug)]
pub(crate) struct SceneOptions {
    /// Scenes to look for, separated by commas: porn, terrorism, ad, qrcode, live, logo [default:
    /// porn,terrorism, or those of the ledger]
    #[arg(long, value_name = "SCENES", value_delimiter = ',', value_parser = trimmed)]
    scenes: Option<Vec<Scene>>,

    /// Accept scenes that the service does not document
    #[arg(long)]
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
    let nearest = DOCUMENTED
        .iter()
        .map(|scene| (distance(&lower, scene), scene))
        .min()
        .filter(|(distance, _)| *distance <= FURTHEST);
    let message = format!("the service does not document the scene `{word}`");
    let failure = Failure::new(match nearest {
        Some((_, scene)) => format!("{message}: did you mean `{scene}`?"),
        None => message,
    });
    let all = DOCUMENTED.join(", ");
    failure.hint(format!("the scenes are {all}; --any-scene accepts others"))
}

/// The Levenshtein distance of two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (other, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = *above;
            left = replaced.min(left + 1).min(*above + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_letters() {
        for (a, b, expected) in [
            ("porn", "porn", 0),
            ("pron", "porn", 2),
            ("por", "porn", 1),
            ("terorism", "terrorism", 1),
            ("", "ad", 2),
            ("x", "", 1),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
