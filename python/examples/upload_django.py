"""An upload form of Django that rejects an image while it is received, by an upload handler.

    python upload_django.py runserver

    curl -F image=@photo.jpg http://127.0.0.1:8000/images
"""

import sys

import greenlight_image as g
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload, TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import path
from django.utils.datastructures import MultiValueDict
from django.views.decorators.csrf import csrf_exempt

if not settings.configured:
    settings.configure(ALLOWED_HOSTS=["127.0.0.1", "testserver"], ROOT_URLCONF=__name__, SECRET_KEY="an example")

requirements = g.Requirements(max_bytes="8MB")

# The length of a form is that of the image, the heads of its parts and its other fields.
OTHER_BYTES = 64 * 1024


class GateHandler(FileUploadHandler):
    """Evaluates each file of a form; the handlers after it store the bytes."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.verdicts: list[g.Verdict] = []

    def handle_raw_input(self, input_data, META, content_length, boundary, encoding=None):  # type: ignore[no-untyped-def]
        rejected = g.Gate(requirements).announce_len(max(0, content_length - OTHER_BYTES))
        if rejected is None:
            return None
        self.verdicts.append(rejected)
        # The form is not read.
        return QueryDict(), MultiValueDict()

    def new_file(self, field_name, file_name, content_type, *arguments, **options):  # type: ignore[no-untyped-def]
        super().new_file(field_name, file_name, content_type, *arguments, **options)
        self.gate = g.Gate(requirements, file_name=file_name, content_type=content_type)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        rejected = self.gate.push(raw_data)
        if rejected is not None:
            self.verdicts.append(rejected)
            # The rest of the body is not read.
            raise StopUpload(connection_reset=True)
        return raw_data

    def file_complete(self, file_size: int) -> UploadedFile | None:
        self.verdicts.append(self.gate.finish())
        return None


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    handler = GateHandler(request)
    request.upload_handlers = [handler, TemporaryFileUploadHandler(request)]
    image = request.FILES.get("image")
    verdicts = handler.verdicts
    rejected = next((verdict for verdict in verdicts if not verdict.accepted), None)
    if rejected is not None:
        response = HttpResponse(rejected.json(), status=422, content_type="application/json")
        return response
    if image is None or len(verdicts) != 1:
        return HttpResponse("send one file in the field image", status=400)
    # Store the image here.
    return HttpResponse(verdicts[0].json(), status=201, content_type="application/json")


urlpatterns = [path("images", upload)]

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    execute_from_command_line([*sys.argv, "--noreload"] if "runserver" in sys.argv else sys.argv)
