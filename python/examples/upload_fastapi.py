"""An upload endpoint of FastAPI, or Starlette, that rejects an image while it is received.

    uvicorn upload_fastapi:app

    curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8000/images
"""

import tempfile

import greenlight_image as g
from fastapi import FastAPI, Request, Response

app = FastAPI()
requirements = g.Requirements(max_bytes="8MB")


def rejection(verdict: g.Verdict) -> Response:
    # The connection is closed: the rest of the body is not read.
    return Response(verdict.json(), 422, {"Connection": "close"}, "application/json")


@app.post("/images")
async def upload(request: Request) -> Response:
    gate = g.Gate(requirements, content_type=request.headers.get("Content-Type"))
    length = request.headers.get("Content-Length", "")
    rejected = gate.announce_len(int(length)) if length.isdecimal() else None
    if rejected is not None:
        return rejection(rejected)
    with tempfile.TemporaryFile() as image:
        async for chunk in request.stream():
            rejected = gate.push(chunk)
            if rejected is not None:
                return rejection(rejected)
            image.write(chunk)
        verdict = gate.finish()
        if not verdict.accepted:
            return rejection(verdict)
        # Store the image here.
        return Response(verdict.json(), 201, media_type="application/json")
