"""A pass as a phone shows it, photographed badly, at doors of the running system."""

import json
from pathlib import Path
from typing import Any

from integrations.rendering.pass_images import png
from tests.e2e.api import Api, Gate
from tests.e2e.commands import Commands
from tests.pass_photographs import bad_photograph


def photographed(shown: bytes, file: Path) -> Path:
    taken = bad_photograph(shown, rotation=8, perspective=0.12, blur=1.0, noise=9, shadow=0.2, jpeg_quality=55)
    file.write_bytes(taken)
    return file


def test_in_with_one_photograph_out_with_the_next_and_never_again_with_the_first(
    stack: Api, fm: Commands, tmp_path: Path
) -> None:
    front, back = stack.gates(2)
    member = stack.bearer(stack.member())
    shown = stack.client.get("/me/pass.png", headers=member)
    assert shown.headers["content-type"] == "image/png"
    one = photographed(shown.content, tmp_path / "one.jpg")
    following = photographed(png(stack.codes(member, 2)[1]), tmp_path / "next.jpg")

    def scan(picture: Path, gate: Gate) -> tuple[int, dict[str, Any]]:
        done = fm.run("scan", str(picture), "--gate", gate.id, "--device", gate.device, "--json")
        return done.returncode, json.loads(done.stdout)

    code, entered = scan(one, front)
    assert (code, entered["outcome"], entered["occupancy"]) == (0, "entered", 1)
    code, held_up = scan(one, front)
    assert (code, held_up["outcome"], held_up["occupancy"]) == (0, "entered", 1), "it is still held up"
    code, copied = scan(one, back)
    assert (code, copied["outcome"], copied["reason"]) == (3, "refused", "used_pass")
    code, left = scan(following, back)
    assert (code, left["outcome"], left["occupancy"]) == (0, "left", 0)
    code, again = scan(one, front)
    assert (code, again["outcome"]) == (3, "refused")
    assert again["reason"] in {"used_pass", "expired_pass"}
