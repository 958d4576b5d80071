//! The requests of 2.0. The synchronous ones travel in a form, the others in the query, as the
//! vendor's metadata and libraries have it.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{codes, settings::Settings};
use crate::{
    error::{Error, ErrorKind},
    green::{
        connection::{Body, Call, is_ok},
        ids::{DataId, TaskId},
        options::{Callback, CryptType},
        oss_object::OssObject,
        retry::Effect,
        task::Task,
    },
};

/// The value of `ServiceParameters`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceParameters<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oss_bucket_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oss_object_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oss_region_id: Option<&'a str>,
    data_id: &'a DataId,
    #[serde(skip_serializing_if = "Option::is_none")]
    referer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crypt_type: Option<CryptType>,
    #[serde(flatten)]
    more: &'a Map<String, Value>,
}

impl<'a> ServiceParameters<'a> {
    /// Returns the parameters of an image as JSON.
    pub(super) fn json(
        data_id: &'a DataId,
        task: &'a Task,
        settings: &'a Settings,
        callback: Option<&'a Callback>,
    ) -> Result<String, Error> {
        let (len, max) = (data_id.as_str().len(), settings.max_data_id);
        if len > max {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("dataId of {len} characters exceeds the limit of {max} of 2.0: {data_id}"),
            ));
        }
        let url = task.url().as_str();
        // An uploaded object is named without a region, one of the caller's with it.
        let uploaded = url
            // `Grant` made this URL: bucket and key are what `DescribeUploadToken` named.
            .strip_prefix("oss://")
            .and_then(|path| path.split_once('/'));
        let own = task.object();
        let object = own.map(|own| (own.bucket(), own.key())).or(uploaded);
        let parameters = ServiceParameters {
            image_url: object.is_none().then_some(url),
            oss_bucket_name: object.map(|(bucket, _)| bucket),
            oss_object_name: object.map(|(_, key)| key),
            oss_region_id: own.map(OssObject::region),
            data_id,
            referer: settings.referer.as_deref(),
            callback: callback.map(|callback| callback.url.as_str()),
            seed: callback.map(|callback| callback.seed.expose()),
            crypt_type: callback.map(|callback| callback.crypt_type),
            more: &settings.parameters,
        };
        serde_json::to_string(&parameters).map_err(|error| {
            Error::new(ErrorKind::Usage, "cannot write the request").with_source(error)
        })
    }
}

/// A call with its parameters in the query, that may be repeated.
pub(super) fn in_query(
    operation: &'static str,
    action: &'static str,
    query: Vec<(&'static str, String)>,
) -> Call<'static> {
    Call {
        operation,
        action,
        path: "/",
        query,
        body: Body::default(),
        effect: Effect::Repeatable,
        data_ids: Vec::new(),
        images: 0,
        timeout: None,
        is_answer: is_ok,
    }
}

/// A call with its parameters in a form, that may be repeated.
pub(super) fn in_form(
    operation: &'static str,
    action: &'static str,
    fields: &[(&'static str, &str)],
) -> Call<'static> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    Call {
        body: Body {
            media_type: Some("application/x-www-form-urlencoded"),
            bytes: Bytes::from(form.finish()),
        },
        ..in_query(operation, action, Vec::new())
    }
}

/// The poll of a task.
pub(super) fn results(task: &TaskId) -> Call<'static> {
    Call {
        is_answer: codes::is_result,
        ..in_query(
            "results",
            "DescribeImageModerationResult",
            vec![("ReqId", task.as_str().to_owned())],
        )
    }
}

/// The request for upload credentials.
pub(super) fn upload_token() -> Call<'static> {
    in_query(
        "asking for upload credentials",
        "DescribeUploadToken",
        Vec::new(),
    )
}

/// Makes a call one that is billed for this image.
pub(super) fn paid<'a>(call: Call<'a>, data_id: &'a DataId) -> Call<'a> {
    Call {
        effect: Effect::Paid,
        data_ids: vec![data_id],
        images: 1,
        ..call
    }
}
