"""An upload endpoint of Flask that rejects an image while it is received.

    flask --app upload_flask run

    curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:5000/images
"""

import tempfile

import greenlight_image as g
from flask import Flask, Response, request

app = Flask(__name__)
requirements = g.Requirements(max_bytes="8MB")


def rejection(verdict: g.Verdict) -> Response:
    # The connection is closed: the rest of the body is not read.
    return Response(verdict.json(), 422, {"Connection": "close"}, content_type="application/json")


@app.post("/images")
def upload() -> Response:
    gate = g.Gate(requirements, content_type=request.content_type)
    if request.content_length is not None:
        rejected = gate.announce_len(request.content_length)
        if rejected is not None:
            return rejection(rejected)
    with tempfile.TemporaryFile() as image:
        while chunk := request.stream.read(64 * 1024):
            rejected = gate.push(chunk)
            if rejected is not None:
                return rejection(rejected)
            image.write(chunk)
        verdict = gate.finish()
        if not verdict.accepted:
            return rejection(verdict)
        # Store the image here.
        return Response(verdict.json(), 201, content_type="application/json")
