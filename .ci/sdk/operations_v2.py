"""Calls every image operation of the sandbox with the official Python SDK of Image Moderation 2.0.

Usage: operations_v2.py HOST PORT ID SECRET [TOKEN], with a sandbox that answers the first poll of a
task with 280. Ends with an error at the first difference from what is documented.
"""

import json
import sys
import uuid

import oss2
from alibabacloud_green20220302.client import Client
from alibabacloud_green20220302 import models
from alibabacloud_tea_openapi.models import Config

HOST, PORT, ID, SECRET = sys.argv[1:5]
TOKEN = sys.argv[5] if len(sys.argv) > 5 else None


def client(secret=SECRET):
    return Client(
        Config(
            access_key_id=ID,
            access_key_secret=secret,
            security_token=TOKEN,
            endpoint=f"{HOST}:{PORT}",
            protocol="HTTP",
        )
    )


def same(found, expected):
    if found != expected:
        raise SystemExit(f"expected {expected!r}, found {found!r}")


def parameters(**values):
    return json.dumps(values, ensure_ascii=False)


def asynchronous():
    for name, level in [("plain.jpg", "none"), ("头像-sexy.jpg", "medium"), ("porn.jpg", "high")]:
        url = f"https://example.com/{name}?a=b&c=d e+f"
        request = models.ImageAsyncModerationRequest(
            service="baselineCheck",
            service_parameters=parameters(imageUrl=url, dataId="id-1"),
        )
        answer = client().image_async_moderation(request).body
        same(answer.code, 200)
        same(answer.data.data_id, "id-1")
        uuid.UUID(answer.data.req_id)
        request = models.DescribeImageModerationResultRequest(req_id=answer.data.req_id)
        same(client().describe_image_moderation_result(request).body.code, 280)
        found = client().describe_image_moderation_result(request).body
        same((found.code, found.data.risk_level), (200, level))
        same(found.data.req_id, answer.data.req_id)
    request = models.DescribeImageModerationResultRequest(req_id="unknown")
    same(client().describe_image_moderation_result(request).body.code, 409)


def synchronous():
    request = models.ImageModerationRequest(
        service="baselineCheck",
        service_parameters=parameters(imageUrl="https://example.com/porn.jpg", dataId="s"),
    )
    answer = client().image_moderation(request).body
    same((answer.code, answer.data.risk_level, answer.data.data_id), (200, "high", "s"))
    same(answer.data.result[0].label, "pornographic_adultContent")
    request = models.DescribeImageResultExtRequest(
        req_id=answer.request_id, info_type="customImage,textInImage"
    )
    same(client().describe_image_result_ext(request).body.code, 200)
    request = models.ImageBatchModerationRequest(
        service="baselineCheck,tonalityImprove",
        service_parameters=parameters(imageUrl="https://example.com/sexy.jpg"),
    )
    answer = client().image_batch_moderation(request).body
    same([part.service for part in answer.data.results], ["baselineCheck", "tonalityImprove"])
    same(answer.data.risk_level, "medium")


def upload():
    token = client().describe_upload_token().body.data
    auth = oss2.StsAuth(token.access_key_id, token.access_key_secret, token.security_token)
    bucket = oss2.Bucket(auth, token.oss_internet_end_point, token.bucket_name)
    name = f"{token.file_name_prefix}{uuid.uuid4()}.png"
    bucket.put_object(name, b"\x89PNG\r\n\x1a\n and more")
    for key, code in [(name, 200), (name + "x", 404)]:
        request = models.ImageModerationRequest(
            service="baselineCheck",
            service_parameters=parameters(ossBucketName=token.bucket_name, ossObjectName=key),
        )
        same(client().image_moderation(request).body.code, code)


def refused():
    request = models.ImageAsyncModerationRequest(service="baselineCheck", service_parameters="{}")
    same(client().image_async_moderation(request).body.code, 400)
    try:
        client(secret="another").image_async_moderation(request)
    except Exception as error:
        same(getattr(error, "code", None), "SignatureDoesNotMatch")
        return
    raise SystemExit("a wrong signature was accepted")


asynchronous()
synchronous()
upload()
refused()
print(f"official Python SDK of 2.0: every operation, {'STS' if TOKEN else 'AK'}")
