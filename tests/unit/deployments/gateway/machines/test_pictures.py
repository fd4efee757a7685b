"""Uploads and pictures over HTTP: what is taken, what is left behind, and who sees it."""

import os
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from PIL import Image
from sqlalchemy import func, select
from starlette.types import Message

from deployments.http.problems import retryable
from deployments.http.uploads import Uploads
from domain.identity.model import Role
from domain.ids import new_id
from domain.machines.tables import machines
from integrations.settings import ImageSettings
from tests.sample_pictures import exif, file_of, halves, opened
from tests.unit.deployments.gateway.machines.test_machines import machine_of
from tests.unit.deployments.harness import GymWithGate, Harness, assert_problem
from tests.world import World

pytestmark = pytest.mark.anyio
PICTURE = file_of(halves(), exif=exif())
OTHER = file_of(halves(32, 32))
NOISE = file_of(Image.frombytes("RGB", (300, 300), os.urandom(270_000)), "PNG")  # 270 KiB
TEXTS = {"name": "Bench", "type": "bench"}


async def put_up(harness: Harness, gym: UUID, data: bytes) -> httpx.Response:
    files = {"image": ("x.jpg", data, "image/jpeg")}
    return await harness.client.post(
        f"/gyms/{gym}/machines", data=TEXTS, files=files, headers=harness.bearer(Role.ADMIN)
    )


def nothing_is_left(harness: Harness) -> bool:
    with harness.world.store.reading() as connection:
        return (
            harness.images.kept() == [] and connection.execute(select(func.count()).select_from(machines)).scalar() == 0
        )


def parts(*each: tuple[str, bytes]) -> dict[str, Any]:
    """A form by hand."""
    body = b"".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"
        for name, value in each
    )
    return {"content": body + b"--b--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}


async def send(harness: Harness, gym: UUID, **request: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
    headers = request.pop("headers", {}) | harness.bearer(Role.ADMIN)
    return await harness.client.post(f"/gyms/{gym}/machines", headers=headers, **request)


# Uploads


async def test_what_is_no_picture_makes_no_machine(harness: Harness) -> None:
    gym = harness.world.gym()
    for data in (b"", b"<svg/>", b"%PDF-1.7", PICTURE[:300]):
        assert_problem(await put_up(harness, gym, data), 422, "image_unreadable")
    assert nothing_is_left(harness)


async def test_a_picture_too_large_is_read_within_bounds_and_refused(harness: Harness) -> None:
    gym, taken = harness.world.gym(), 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        yield b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n'
        for _ in range(10_000):
            taken += 4096
            yield b"x" * 4096

    for request in ({"content": endless(), "headers": parts()["headers"]}, parts(("image", b"x" * 65_537))):
        answer = await send(harness, gym, **request)
        assert_problem(answer, 413, "image_too_large")
        assert answer.headers["connection"] == "close"
    assert taken <= 65_536 + 65_536 + 16 * 1024**2 + 2 * 4096
    assert nothing_is_left(harness)


async def test_a_body_with_too_large_a_content_length_is_read_to_its_end(harness: Harness) -> None:
    sent = 0

    async def announced() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(9):
            sent += 1
            yield b"x" * 1_000_000

    headers = parts()["headers"] | {"Content-Length": "9000000"}
    assert_problem(
        await send(harness, harness.world.gym(), content=announced(), headers=headers), 413, "image_too_large"
    )
    assert sent == 9


async def test_a_picture_of_the_greatest_size_is_taken(world: World) -> None:
    harness = Harness(world, images=ImageSettings(max_bytes=len(NOISE)))
    async with harness.client:
        assert (await put_up(harness, harness.world.gym(), NOISE)).status_code == 201
        assert_problem(await put_up(harness, harness.world.gym(), NOISE + b"x"), 413, "image_too_large")


async def test_a_form_that_does_not_fit_says_which_part(harness: Harness) -> None:
    name, kind, image = ("name", b"Bench"), ("type", b"bench"), ("image", PICTURE)
    gym = harness.world.gym()
    for form, field in (
        (parts(name, kind), "image"),
        (parts(name, image), "type"),
        (parts(("name", b"\xff"), kind, image), "name"),
        (parts(name, name, kind, image), "name"),
        (parts(name, kind, image, image), "image"),
        (parts(("name", b"x" * 40_000), kind, image), "name"),
    ):
        problem = assert_problem(await send(harness, gym, **form), 422, "invalid_request")
        assert [fault["field"] for fault in problem["fields"]] == [field]
    assert nothing_is_left(harness)


async def test_parts_that_nobody_asked_for_are_passed_over(harness: Harness) -> None:
    form = parts(("colour", b"red"), ("name", b"Bench"), ("type", b"bench"), ("image", PICTURE), ("", b""))
    assert (await send(harness, harness.world.gym(), **form)).status_code == 201


async def test_a_form_that_ends_early_or_is_none_is_malformed(harness: Harness) -> None:
    gym, form = harness.world.gym(), parts(("image", PICTURE))
    many_headers = b"--b\r\n" + b"x: y\r\n" * 200 + b"\r\n--b--"
    for content in (b"", b"nonsense", form["content"][:-6], many_headers):
        answer = await send(harness, gym, content=content, headers=form["headers"])
        assert_problem(answer, 400, "malformed_request")
    for boundary in ("", "; boundary=", "; boundary=" + "x" * 2000):
        headers = {"Content-Type": f"multipart/form-data{boundary}"}
        assert_problem(await send(harness, gym, content=b"x", headers=headers), 400, "malformed_request")
    assert nothing_is_left(harness)


async def test_a_body_of_another_type_is_415(harness: Harness) -> None:
    gym = harness.world.gym()
    for media_type in ("application/json", "image/jpeg", "image/svg+xml"):
        answer = await send(harness, gym, content=b"{}", headers={"Content-Type": media_type})
        assert_problem(answer, 415, "unsupported_media_type")
    assert_problem(await send(harness, gym), 415, "unsupported_media_type")


async def test_other_calls_take_no_uploads(harness: Harness) -> None:
    headers = harness.bearer(Role.ADMIN)
    for method, path in (("PATCH", "/me"), ("PATCH", f"/machines/{new_id()}"), ("POST", "/scans")):
        answer = await harness.client.request(method, path, files={"image": PICTURE}, headers=headers)
        assert_problem(answer, 415, "unsupported_media_type")


async def test_an_unavailable_image_store_leaves_no_machine(harness: Harness) -> None:
    gym = harness.world.gym()
    for what in ("quarantine/", "images/"):
        harness.images.away_for = lambda key, what=what: key.startswith(what)  # type: ignore[misc]
        answer = await put_up(harness, gym, PICTURE)
        assert_problem(answer, 503, "images_away")
        assert int(answer.headers["retry-after"]) > 0
    harness.images.away_for = lambda _key: False
    assert nothing_is_left(harness)
    assert (await put_up(harness, gym, PICTURE)).status_code == 201


async def test_a_request_that_waits_too_long_for_its_turn_is_asked_to_retry(harness: Harness) -> None:
    gym = harness.world.gym()
    uploads: Uploads = harness.shell._rest.state.dependencies.uploads  # type: ignore[attr-defined]  # noqa: SLF001 - a FastAPI application
    uploads.turn_within_s = 0.01
    for _ in range(2):
        await uploads.turns.acquire()
    answer = await put_up(harness, gym, PICTURE)
    assert_problem(answer, 503, "busy")
    assert answer.headers["retry-after"]
    assert nothing_is_left(harness)
    uploads.turns.release()
    for _ in range(2):
        assert (await put_up(harness, gym, PICTURE)).status_code == 201


async def test_a_half_published_picture_is_on_no_machine(harness: Harness) -> None:
    harness.images.away_for = lambda key: key.endswith("large")
    assert_problem(await put_up(harness, harness.world.gym(), PICTURE), 503, "images_away")
    with harness.world.store.reading() as connection:
        assert connection.execute(select(machines)).all() == []


async def test_quarantine_that_cannot_be_cleared_is_left_to_the_sweep(harness: Harness) -> None:
    harness.images.deletes = False
    assert (await put_up(harness, harness.world.gym(), PICTURE)).status_code == 201
    assert sum(key.startswith("quarantine/") for key in harness.images.kept()) == 1


async def test_whatever_fails_at_the_gym_leaves_no_upload(harness: Harness) -> None:
    gym, headers = harness.world.gym(), harness.bearer(Role.ADMIN)
    assert (await harness.client.get("/me", headers=headers)).status_code == 200
    harness.gym.fails = retryable("unavailable", "Away, says the test.")
    answer = await harness.client.post(f"/gyms/{gym}/machines", data=TEXTS, files={"image": PICTURE}, headers=headers)
    assert_problem(answer, 503, "unavailable")
    assert harness.images.kept() == []


async def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(harness: Harness) -> None:
    headers = harness.bearer(Role.ADMIN) | parts()["headers"]
    messages = iter(
        [
            {"type": "http.request", "body": parts(("image", PICTURE))["content"][:500], "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Message:
        return next(messages)

    async def send_(_message: Message) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/gyms/{harness.world.gym()}/machines",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    await harness.shell(scope, receive, send_)
    assert list(messages) == []
    assert nothing_is_left(harness)


# Pictures of machines


async def test_a_machine_s_picture_is_asked_again_and_not_sent_again(harness: Harness) -> None:
    machine = await machine_of(harness, harness.world.gym())
    url, user = f"/machines/{machine['id']}/image", harness.bearer(Role.USER)
    first = await harness.client.get(url, headers=user)
    assert first.headers["content-type"] == "image/webp"
    assert first.headers["cache-control"] == "private, no-cache"
    assert opened(first.content).size == (64, 32)
    small = await harness.client.get(f"{url}?size=small", headers=user)
    assert small.headers["etag"] != first.headers["etag"]
    for seen in (first.headers["etag"], f'"x", W/{first.headers["etag"]}', "*"):
        again = await harness.client.get(url, headers=user | {"If-None-Match": seen})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (await harness.client.get(url, headers=user | {"If-None-Match": '"x"'})).status_code == 200
    assert_problem(await harness.client.get(f"{url}?size=huge", headers=user), 422, "invalid_request")


async def test_a_named_picture_never_changes(harness: Harness) -> None:
    machine = await machine_of(harness, harness.world.gym())
    user = harness.bearer(Role.USER)
    path = machine["image_url"].removeprefix("/api")
    shown = await harness.client.get(f"{path}?size=small", headers=user)
    assert shown.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert shown.headers["etag"] == f'"{path.rpartition("/")[2]}-small"'
    assert_problem(await harness.client.get(f"/images/{'0' * 64}", headers=user), 404, "unknown_image")
    for name in ("x", "A" * 64, "..%2f..%2f" + "a" * 56):
        assert (await harness.client.get(f"/images/{name}", headers=user)).status_code in {404, 422}


async def test_a_machine_gets_another_picture_in_a_form_or_by_itself(harness: Harness) -> None:
    machine = await machine_of(harness, harness.world.gym())
    url, admin = f"/machines/{machine['id']}/image", harness.bearer(Role.ADMIN)
    assert_problem(await harness.client.put(url, files={"image": OTHER}, headers=admin), 428, "precondition_required")
    by_form = await harness.client.put(url, files={"image": OTHER}, headers=admin | {"If-Match": '"1"'})
    stale = await harness.client.put(url, files={"image": OTHER}, headers=admin | {"If-Match": '"1"'})
    assert_problem(stale, 412, "changed_meanwhile")
    admin |= {"If-Match": "*"}
    assert by_form.headers["etag"] == '"2"'
    assert by_form.json()["image_url"] != machine["image_url"]

    async def bare(to: str, data: bytes) -> httpx.Response:
        return await harness.client.put(to, content=data, headers=admin | {"Content-Type": "image/jpeg"})

    assert (await bare(url, PICTURE)).json()["image_url"] == machine["image_url"]
    assert_problem(await harness.client.put(url, files={"other": OTHER}, headers=admin), 422, "invalid_request")
    assert_problem(await bare(f"/machines/{new_id()}/image", PICTURE), 404, "unknown_machine")
    assert_problem(await bare(url, b"x" * 65_537), 413, "image_too_large")


async def test_a_picture_that_cannot_be_read_now_is_unavailable(harness: Harness) -> None:
    machine = await machine_of(harness, harness.world.gym())
    harness.images.away_for = lambda _key: True
    answer = await harness.client.get(f"/machines/{machine['id']}/image", headers=harness.bearer(Role.USER))
    assert_problem(answer, 503, "images_away")


async def test_a_picture_may_be_fetched_from_the_store_itself(world: World) -> None:
    harness = Harness(world, images=ImageSettings(presigned=True))
    async with harness.client:
        machine = await machine_of(harness, harness.world.gym())
        user = harness.bearer(Role.USER)
        path = machine["image_url"].removeprefix("/api")
        for url in (path, f"/machines/{machine['id']}/image"):
            answer = await harness.client.get(f"{url}?size=small", headers=user)
            assert answer.status_code == 307
            assert answer.headers["location"] == f"https://store.test{path}/small?for=300"
            assert answer.headers["cache-control"] == "private, no-store"
        assert_problem(await harness.client.get(f"/images/{'0' * 64}", headers=user), 404, "unknown_image")


# Pictures of members


async def set_picture(harness: Harness, headers: dict[str, str], data: bytes = PICTURE) -> str:
    answer = await harness.client.put("/me/picture", files={"image": data}, headers=headers)
    assert answer.status_code == 200, answer.text
    url: str = answer.json()["picture_url"]
    return url


async def test_a_member_s_picture_is_seen_by_staff_gates_and_the_member(harness: Harness) -> None:
    at: GymWithGate = harness.gym_with_gate()
    member, other = harness.bearer(Role.USER), harness.bearer(Role.USER)
    assert (await harness.client.get("/me", headers=other)).status_code == 200
    url = await set_picture(harness, member)
    assert (await harness.client.get("/me", headers=member)).json()["picture_url"] == url
    path = url.removeprefix("/api")
    for headers in (member, harness.bearer(Role.STAFF), harness.bearer(Role.ADMIN), at.headers):
        shown = await harness.client.get(path, headers=headers)
        assert shown.status_code == 200, shown.text
        assert b"EXIF" not in shown.content
    assert_problem(await harness.client.get(path, headers=other), 404, "unknown_image")
    await set_picture(harness, other, OTHER)
    assert_problem(await harness.client.get(path, headers=other), 404, "unknown_image")
    # A member's picture is under no machine's prefix.
    assert_problem(await harness.client.get(path.replace("pictures", "images"), headers=other), 404, "unknown_image")


async def test_a_member_may_be_shown_without_a_picture_again(harness: Harness) -> None:
    member = harness.bearer(Role.USER)
    path = (await set_picture(harness, member)).removeprefix("/api")
    for _ in range(2):
        assert (await harness.client.delete("/me/picture", headers=member)).status_code == 204
    assert (await harness.client.get("/me", headers=member)).json()["picture_url"] is None
    assert_problem(await harness.client.get(path, headers=member), 404, "unknown_image")


async def test_what_is_no_picture_leaves_the_one_that_was(harness: Harness) -> None:
    member = harness.bearer(Role.USER)
    url = await set_picture(harness, member)
    answer = await harness.client.put("/me/picture", files={"image": b"<svg/>"}, headers=member)
    assert_problem(answer, 422, "image_unreadable")
    assert (await harness.client.get("/me", headers=member)).json()["picture_url"] == url
    assert not any(key.startswith("quarantine/") for key in harness.images.kept())
