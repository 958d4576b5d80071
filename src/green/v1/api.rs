//! 1.0 behind the trait of both APIs.

use super::Client;
use crate::{
    green::{
        api::{Api, ApiReply},
        ids::TaskId,
        options::{Callback, ScanOptions},
        report::TaskReport,
        scene::Scene,
        submission::Submission,
        task::Batch,
        terms::Terms,
        upload::Content,
    },
    image_url::ImageUrl,
    verdict::Accepted,
};

impl Api for Client {
    fn terms(&self) -> Terms {
        Terms::V1
    }

    fn host(&self) -> &str {
        Self::host(self)
    }

    fn service(&self) -> String {
        self.host().to_owned()
    }

    fn clock_skew(&self) -> Option<i64> {
        Self::clock_skew(self)
    }

    fn submit<'a>(
        &'a self,
        batch: Batch,
        scenes: &'a [Scene],
        callback: Option<&'a Callback>,
    ) -> ApiReply<'a, Submission> {
        Box::pin(async move {
            let options = ScanOptions::new(scenes);
            let options = match callback {
                Some(callback) => options.with_callback(callback.clone()),
                None => options,
            };
            self.submit_with(batch, &options).await
        })
    }

    fn results<'a>(&'a self, tasks: &'a [TaskId]) -> ApiReply<'a, Vec<TaskReport>> {
        Box::pin(Self::results(self, tasks))
    }

    fn upload<'a>(
        &'a self,
        accepted: Accepted,
        content: &'a Content,
    ) -> ApiReply<'a, Accepted<ImageUrl>> {
        Box::pin(Self::upload(self, accepted, content))
    }
}
