"""The existing web client's calls at the running system."""

import io
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx
import zxingcpp
from PIL import Image

from tests.e2e.api import Api
from tests.e2e.commands import Commands
from tests.waiting import wait_until
from tests.web_pages import Page


def test_the_existing_client_signs_in_lets_a_member_in_and_keeps_machines(stack: Api, fm: Commands) -> None:
    asked = {
        "client_id": "fitmonitor-local",
        "redirect_uri": f"{stack.url}/",
        "response_type": "code",
        "scope": "email",
    }
    shown = httpx.get(f"{stack.url}/login", params=asked, follow_redirects=True)
    (form,) = Page(shown.text).forms
    entered = {"email": stack.demo["admin"]["email"], "password": stack.demo["admin"]["password"]}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": stack.url}
    target = urljoin(str(shown.url), form.action)
    sent = httpx.post(target, content=urlencode(form.values | entered), headers=headers)
    assert sent.status_code == 303, sent.text
    code = parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]
    with httpx.Client(base_url=f"{stack.url}/default", timeout=20) as client:
        # The first may be told to ask again by a busy machine, and the code is none the worse for it.
        wait_until(lambda: client.get("/api/token/get", params={"code": code}).status_code == 200, 60, lambda: code)
        answers = [client.get("/api/token/get", params={"code": code}) for _ in range(2)]
        assert answers[0].text == answers[1].text
        assert answers[0].json()["roles"][-1] == "Admin"
        headers = {"Authorization": f"Bearer {json.loads(answers[0].json()['token'])['id_token']}"}
        listed = client.get("/GetAllUsers", headers=headers).json()
        assert stack.demo["admin"]["email"] in {user["email"] for user in listed}
        member = stack.member()
        shown_pass = fm.said("pass", "show", member, "--code").strip()
        # As `fetch` sends a string.
        as_string = headers | {"Content-Type": "text/plain;charset=UTF-8", "Origin": stack.url}
        as_text = json.dumps({"qrToken": shown_pass})
        holder = client.post("/api/qr/validate", content=as_text, headers=as_string).json()
        assert holder["username"] == member
        scanned = client.post("/api/qr/gym_entrance", json={"token": shown_pass}, headers=headers)
        assert (scanned.status_code, scanned.text) == (200, "Entered")
        assert client.get("/api/gyms/occupancy?id=1", headers=headers).json() >= 1
        own = {"token": headers["Authorization"].removeprefix("Bearer ")}
        drawn_pass = client.post("/api/qr/generate", json=own, headers=headers)
        found = zxingcpp.read_barcode(Image.open(io.BytesIO(drawn_pass.content)))
        assert found is not None
        held = client.post("/api/qr/validate", json={"qrToken": found.text}, headers=headers).json()
        left = datetime.fromisoformat(held["expiration"]) - datetime.now(UTC)
        assert left > timedelta(seconds=200), "that client never renews its pass"
        assert client.get("/api/gyms?id=1", headers=headers).json()["usersInGym"]
        described = {"name": "Rower", "description": "", "available": "true"}
        picture = {"image": ("rower.png", drawn(), "image/png")}
        machine = client.post("/api/gyms/machine", data=described, files=picture, headers=headers).json()
        assert (machine["available"], machine["userSub"], machine["gym"]) == (True, None, 1)
        image = client.get("/api/gyms/machine/image", params={"imagePath": machine["imagePath"]}, headers=headers)
        assert (image.status_code, image.headers["content-type"]) == (200, "image/webp")
        wish = {"machineId": machine["id"], "intention": "use"}
        assert client.post("/api/qr/machine", json=wish, headers=headers).text == "User not in gym"
        assert client.delete(f"/api/gyms/machine?id={machine['id']}", headers=headers).json() == machine


def drawn() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (60, 40), "teal").save(file, "PNG")
    return file.getvalue()
