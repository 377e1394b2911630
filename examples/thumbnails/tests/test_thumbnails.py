from io import BytesIO

import pytest
from PIL import Image


@pytest.fixture
def photo():
    content = BytesIO()
    Image.new("RGB", (640, 480), "teal").save(content, "JPEG")
    return content.getvalue()


def test_a_thumbnail_is_made_and_kept(stateless, photo):
    assert stateless.put("/thumbnails/tea", content=photo).status_code == 201
    shown = stateless.get("/thumbnails/tea")
    assert shown.headers["Content-Type"] == "image/png"
    assert Image.open(BytesIO(shown.content)).size == (64, 48)


def test_the_thumbnail_is_stored_in_the_bucket(stateless, photo, bucket):
    stateless.put("/thumbnails/tea", content=photo)
    assert [stored.key for stored in bucket.objects.all()] == ["tea.png"]


def test_what_was_never_made_is_not_found(stateless):
    assert stateless.get("/thumbnails/coffee").status_code == 404


def test_what_is_no_image_is_refused(stateless, bucket):
    assert stateless.put("/thumbnails/tea", content=b"tea").status_code == 415
    assert not list(bucket.objects.all())
