"""Calls every image operation of the sandbox with the official Python SDK.

Usage: operations.py HOST PORT ID SECRET [TOKEN], with a sandbox that answers the first question for
a task's results with 280. Ends with an error at the first difference from what is documented.
"""

import json
import sys
import uuid

from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from aliyunsdkgreen.request.v20180509 import (
    ImageAsyncScanRequest,
    ImageAsyncScanResultsRequest,
    ImageScanFeedbackRequest,
    ImageSyncScanRequest,
    UploadCredentialsRequest,
)
from aliyunsdkgreenextension.request.extension import ClientUploader

HOST, PORT, ID, SECRET = sys.argv[1:5]
TOKEN = sys.argv[5] if len(sys.argv) > 5 else None
REGION = "cn-shanghai"


def client(secret=SECRET):
    if TOKEN is None:
        made = AcsClient(ID, secret, REGION, port=int(PORT))
    else:
        credential = StsTokenCredential(ID, secret, TOKEN)
        made = AcsClient(region_id=REGION, credential=credential, port=int(PORT))
    # Requests of the upload package go to the sandbox too.
    made.add_endpoint(REGION, "Green", HOST)
    return made


def ask(request, body, **query):
    request.set_accept_format("JSON")
    request.set_content_type("application/json")
    request.set_content(json.dumps(body, ensure_ascii=False).encode("utf-8"))
    for name, value in query.items():
        request.add_query_param(name, value)
    return json.loads(client().do_action_with_exception(request))


def same(found, asked):
    if found != asked:
        raise SystemExit(f"expected {asked!r}, found {found!r}")


def by_id(answer, count):
    same(answer["code"], 200)
    same(len(answer["data"]), count)
    uuid.UUID(answer["requestId"])
    return {element.get("dataId"): element for element in answer["data"]}


def task(name, data_id):
    return {"dataId": data_id, "url": f"https://example.com/{name}", "time": 1484648196000}


def asynchronous():
    scenes = ["porn", "terrorism"]
    names = {"id-1": "plain.jpg", "id-2": "porn.jpg", "id-3": "头像-sexy.jpg"}
    tasks = [task(name, data_id) for data_id, name in names.items()]
    body = {"scenes": scenes, "tasks": tasks, "bizType": "avatars"}
    made = by_id(ask(ImageAsyncScanRequest.ImageAsyncScanRequest(), body), 3)
    ids = [made[data_id]["taskId"] for data_id in names]
    for code in (280, 200):
        found = ask(ImageAsyncScanResultsRequest.ImageAsyncScanResultsRequest(), ids)
        found = by_id(found, 3)
        same({element["code"] for element in found.values()}, {code})
    said = {
        data_id: [(r["scene"], r["label"], r["suggestion"]) for r in element["results"]]
        for data_id, element in found.items()
    }
    calm = ("terrorism", "normal", "pass")
    same(said["id-1"], [("porn", "normal", "pass"), calm])
    same(said["id-2"], [("porn", "porn", "block"), calm])
    same(said["id-3"], [("porn", "sexy", "review"), calm])
    return ids[0]


def synchronous():
    info = json.dumps({"userNick": "小明 & co", "ip": "127.0.0.1"}, ensure_ascii=False)
    request = ImageSyncScanRequest.ImageSyncScanRequest()
    request.set_ClientInfo(info)
    body = {"scenes": ["porn"], "tasks": [task("sexy.jpg", "s")]}
    found = by_id(ask(request, body), 1)
    same(found["s"]["results"][0]["suggestion"], "review")


def feedback(task_id):
    body = {"taskId": task_id, "suggestion": "block", "scenes": ["porn"], "label": "porn"}
    same(ask(ImageScanFeedbackRequest.ImageScanFeedbackRequest(), body)["code"], 200)


def credentials():
    answer = ask(UploadCredentialsRequest.UploadCredentialsRequest(), {})
    same(answer["code"], 200)
    same(answer["data"]["ossEndpoint"], f"http://{HOST}:{PORT}")


def upload():
    uploader = ClientUploader.getImageClientUploader(client())
    url = uploader.uploadBytes(b"\x89PNG\r\n\x1a\n and more")
    body = {"scenes": ["porn"], "tasks": [{"dataId": "u", "url": url}]}
    found = by_id(ask(ImageSyncScanRequest.ImageSyncScanRequest(), body), 1)
    same(found["u"]["code"], 200)
    missing = {"scenes": ["porn"], "tasks": [{"dataId": "u", "url": url + "x"}]}
    found = by_id(ask(ImageSyncScanRequest.ImageSyncScanRequest(), missing), 1)
    same(found["u"]["code"], 404)


def refused():
    request = ImageAsyncScanRequest.ImageAsyncScanRequest()
    request.set_content_type("application/json")
    request.set_content(b"{}")
    try:
        client(secret="another").do_action_with_exception(request)
    except ServerException as error:
        same(error.get_http_status(), 400)
        same(error.get_error_code(), "SignatureDoesNotMatch")
        _, text = error.get_error_msg().split("server string to sign is:")
        same(text.split("\n")[0], "POST")
        same(text.split("\n")[-1], f"/green/image/asyncscan?RegionId={REGION}")
        return
    raise SystemExit("a wrong signature was taken")


credentials()
feedback(asynchronous())
synchronous()
upload()
refused()
print(f"official Python SDK: every operation, {'STS' if TOKEN else 'AK'}")
