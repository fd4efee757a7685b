"""The server of pictures of a full stack: found by what it tells, with its bucket, also after it has died."""

from io import BytesIO
from pathlib import Path

import pytest

from cluster.local.image_server import ImageServer
from cluster.local.ports import free_port
from integrations.images.s3 import S3ImageStore
from integrations.images.store import open_image_store
from integrations.settings import Settings


@pytest.mark.check
def test_pictures_are_kept_by_what_the_server_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ImageServer(tmp_path / "image-server.log", free_port())
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FITMONITOR_DATA_DIR", str(tmp_path))
    images = open_image_store(Settings())
    assert isinstance(images, S3ImageStore)
    server.launch()
    try:
        server.wait()
        images.put("images/a/large", BytesIO(b"points"), "image/webp")
        assert images.exists("images/a/large")
        server.process.kill()
        server.launch()
        server.wait()
        assert not images.exists("images/a/large")
        images.put("images/a/large", BytesIO(b"points"), "image/webp")
    finally:
        server.process.stop()
