//! Which API of the service is used, and what an image is scanned for.

use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::SceneOptions;
use greenlight::{Requirements, Scene};

use crate::{
    cli::exit::Failure,
    green::{Api, ClientBuilder, Terms, v2::ServiceCode},
    ledger::Scope,
};

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Service")]
pub(crate) struct ApiOption {
    /// API of the service
    ///
    /// 1.0 has scenes and up to 50 images in a request. 2.0, the enhanced edition, has one image in a request
    /// and the service that --service names; individuals and new accounts can often open 2.0 only.
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "1.0",
        hide_short_help = true
    )]
    pub(crate) api: ApiVersion,
}

/// An API of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ApiVersion {
    /// Version 2018-05-09
    #[value(name = "1.0")]
    V1,
    /// Version 2022-03-02
    #[value(name = "2.0")]
    V2,
}

impl ApiVersion {
    /// The API that a ledger of this scope is used with.
    pub(crate) fn of(scope: &Scope) -> Self {
        // 1.0 is named by its host alone.
        if scope.service().contains('/') {
            Self::V2
        } else {
            Self::V1
        }
    }

    /// Builds the client, whose region must have the asynchronous scan.
    pub(crate) fn build(self, client: ClientBuilder) -> Result<Arc<dyn Api>, Failure> {
        Ok(match self {
            Self::V1 => Arc::new(client.build()?),
            Self::V2 => {
                let client = client.build_v2()?;
                client.check_async()?;
                Arc::new(client)
            }
        })
    }

    pub(crate) const fn terms(self) -> Terms {
        match self {
            Self::V1 => Terms::V1,
            Self::V2 => Terms::V2,
        }
    }

    /// The requirements of the asynchronous scan, in 2.0 in this region.
    pub(crate) fn requirements(self, region: Option<&str>) -> Requirements {
        match self {
            Self::V1 => Requirements::ASYNC,
            Self::V2 if region.is_some_and(|region| region.starts_with("cn-")) => {
                Requirements::V2_MAINLAND
            }
            Self::V2 => Requirements::V2,
        }
    }

    /// The scenes or the service that the user names; `None` if neither.
    ///
    /// # Errors
    ///
    /// Names an option that the API does not have, and a scene that it does not document.
    pub(crate) fn named(self, options: &SceneOptions) -> Result<Option<Vec<Scene>>, Failure> {
        let scenes = options.named()?;
        match (self, scenes, &options.service) {
            (Self::V1, _, Some(_)) => Err(Failure::new("--service is of 2.0")
                .hint("add --api 2.0, or name what to look for with --scenes")),
            (Self::V2, Some(_), _) => Err(Failure::new("--scenes is of 1.0")
                .hint("2.0 scans with the service that --service names")),
            (Self::V1, scenes, None) => Ok(scenes.map(<[_]>::to_vec)),
            (Self::V2, None, service) => Ok(service.as_ref().map(|code| vec![code.to_scene()])),
        }
    }

    /// The scenes or the service that the user names, or the default.
    ///
    /// # Errors
    ///
    /// As for [`named`](Self::named); and in 2.0 if no service is named, because each has a price of its
    /// own.
    pub(crate) fn chosen(self, options: &SceneOptions) -> Result<Vec<Scene>, Failure> {
        match (self, self.named(options)?) {
            (_, Some(named)) => Ok(named),
            (Self::V1, None) => Ok(vec![Scene::Porn, Scene::Terrorism]),
            (Self::V2, None) => Err(Failure::new("no service code is named").hint(format!(
                "name one with --service CODE: {} and others",
                ServiceCode::DOCUMENTED[..4].join(", ")
            ))),
        }
    }

    /// What an image is billed for.
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::V1 => "scene",
            Self::V2 => "service",
        }
    }

    /// The option that names the same API, unless it is the default: ` --api 2.0`.
    pub(crate) const fn argument(self) -> &'static str {
        match self {
            Self::V1 => "",
            Self::V2 => " --api 2.0",
        }
    }
}
