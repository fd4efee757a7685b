"""The other work beside scans."""

from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from cluster.errors import CommandError
from cluster.load.benchmark.other_work import Admin, Work, _pictures, _work, new_admins
from domain.ids import new_id
from integrations.settings import Settings


def test_requests_are_sent_in_turn_at_an_even_rate() -> None:
    lanes, due = Work("lists", [b"a", b"b", b"c"], rate=2.0, lanes=2).schedule(3.5)
    assert lanes == [[b"a", b"c", b"b", b"a"], [b"b", b"a", b"c"]]
    assert [at for lane in due for at in lane] == pytest.approx([0.0, 1.0, 2.0, 3.0, 0.5, 1.5, 2.5])


def test_each_machine_gets_another_picture_each_time() -> None:
    admins = {name: Admin(new_id(), f"Bearer {name}") for name in ("uploads", "lists")}
    pictures = [b"%d" % number for number in range(8)]
    uploads, lists, documents = _work("host", admins, [str(n) for n in range(8)], pictures)
    sent = [content.split(b"\r\n\r\n")[-1] for content in uploads.requests]
    of_first_machine = sent[::8]
    assert all(before != after for before, after in pairwise(of_first_machine))
    assert b"If-Match: *\r\n" in uploads.requests[0]
    assert lists.requests[0].startswith(b"GET /api/users?limit=100 ")
    assert documents.requests[0].startswith(b"GET /api/openapi.json ")


def test_without_a_local_provider_there_are_no_admins(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no admin"):
        new_admins(Settings(data_dir=tmp_path))


def test_pictures_differ_and_are_half_a_megapixel() -> None:
    pictures = _pictures(1)
    assert len(set(pictures)) == len(pictures)
    assert Image.open(BytesIO(pictures[0])).size == (800, 600)
    assert 20_000 < len(pictures[0]) < 300_000
