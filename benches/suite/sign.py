"""Times the official library's signer on a request whose body is read from stdin.

Prints the median of the rounds in microseconds. Needs aliyun-python-sdk-core and aliyun-python-sdk-green.
"""

import statistics
import sys
import time

from aliyunsdkcore.client import AcsClient
from aliyunsdkgreen.request.v20180509 import ImageAsyncScanRequest

ROUNDS, PER_ROUND = 600, 10

body = sys.stdin.buffer.read()
client = AcsClient("LTAIexampleAccessKeyId00", "exampleSecretKey0123456789ABCD", "cn-shanghai")


def sign():
    request = ImageAsyncScanRequest.ImageAsyncScanRequest()
    request.set_accept_format("JSON")
    request.set_content_type("application/json")
    request.set_content(body)
    headers, _ = client._signer.sign("cn-shanghai", request)
    return headers


assert sign()["Authorization"].startswith("acs LTAIexampleAccessKeyId00:")
times = []
for _ in range(ROUNDS):
    start = time.perf_counter()
    for _ in range(PER_ROUND):
        sign()
    times.append((time.perf_counter() - start) / PER_ROUND * 1e6)
print(statistics.median(times))
