"""Forms with a picture, in the spellings that RFC 2046 and RFC 7578 allow, in pieces of any size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.http.problems import ApiProblem
from deployments.http.upload_forms import UploadForm, boundary_of

PLAIN = "multipart/form-data; boundary=XbX"
NAME = b'--XbX\r\nContent-Disposition: form-data; name="name"\r\n\r\nRower\r\n'
IMAGE = b'--XbX\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
FORM = NAME + IMAGE + b"PNG\r\n--XbX--\r\n"


def taken(body: bytes, content_type: str = PLAIN, step: int = 7) -> tuple[dict[str, str], bytes]:
    form = UploadForm(boundary_of(content_type), frozenset({"name"}))
    for start in range(0, len(body), step):
        form.feed(body[start : start + step])
    return form.texts(), bytes(form.picture)


def refusal(body: bytes, content_type: str = PLAIN) -> str:
    with pytest.raises(ApiProblem) as caught:
        taken(body, content_type)
    return caught.value.code


@pytest.mark.parametrize("step", [1, 2, 3, 7, 4096])
@pytest.mark.parametrize(
    "preamble",
    [b"", b"\r\n", b"This is a message in MIME format.\r\n", b"--XbY --XbX\r\n--Xb\r\n \r\n", b"x" * 8000 + b"\r\n"],
)
def test_what_stands_before_the_first_boundary_is_passed_over(preamble: bytes, step: int) -> None:
    assert taken(preamble + FORM, step=step) == ({"name": "Rower"}, b"PNG")


@pytest.mark.parametrize("epilogue", [b"", b"\r\n", b"The end --XbX\r\n", b"\r\n--XbX\r\nmore\r\n--XbX--"])
def test_what_stands_after_the_last_boundary_is_passed_over(epilogue: bytes) -> None:
    assert taken(FORM + epilogue) == ({"name": "Rower"}, b"PNG")
    assert taken(FORM.removesuffix(b"\r\n") + epilogue) == ({"name": "Rower"}, b"PNG")


def test_a_boundary_begins_a_line() -> None:
    for preamble in (b"x", b"\n", b" "):
        assert taken(preamble + FORM) == ({}, b"PNG"), "the first part belongs to the text before the form"


def test_text_before_the_form_is_bounded() -> None:
    for preamble in (b"x" * 9000 + b"\r\n", b"\r\n" * 5000):
        assert refusal(preamble + FORM) == "malformed_request"


def test_a_body_that_never_names_its_boundary_is_malformed() -> None:
    assert refusal(b"nothing but text\r\n") == "malformed_request"
    assert refusal(b"") == "malformed_request"


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ('multipart/form-data; boundary="XbX"', b"XbX"),
        ('Multipart/Form-Data; charset=utf-8; BOUNDARY="XbX"', b"XbX"),
        ('multipart/form-data; boundary="X bX"', b"X bX"),
        ('multipart/form-data; boundary="X:b?X=(1)"', b"X:b?X=(1)"),
        (r'multipart/form-data; boundary="X\"X"', b'X"X'),
        ("multipart/form-data;boundary=" + "X" * 70, b"X" * 70),
    ],
)
def test_a_boundary_may_be_quoted(content_type: str, boundary: bytes) -> None:
    assert taken(FORM.replace(b"XbX", boundary), content_type) == ({"name": "Rower"}, b"PNG")


@pytest.mark.parametrize("content_type", ["multipart/form-data", 'multipart/form-data; boundary=""'])
def test_without_a_boundary_there_is_no_form(content_type: str) -> None:
    assert refusal(FORM, content_type) == "malformed_request"


@pytest.mark.parametrize(
    "named",
    [
        b"",
        b'; filename=""',
        b"; filename*=UTF-8''%e2%82%ac.png",
        b"; filename=\"a.png\"; filename*=UTF-8''%e2%82%ac.png",
        b"; filename*=nonsense",
        b"; filename*=unknown''%ff",
        b'; filename="a;name=name;.png"',
        rb'; filename="C:\\x\"y.png"',
        '; filename="ü😀.png"'.encode(),
        b'; filename="\xfc.png"',
    ],
)
def test_the_file_s_own_name_makes_no_difference(named: bytes) -> None:
    assert taken(FORM.replace(b'; filename="a.png"', named)) == ({"name": "Rower"}, b"PNG")


def test_a_name_may_stand_without_quotes() -> None:
    assert taken(FORM.replace(b'name="image"', b"name=image")) == ({"name": "Rower"}, b"PNG")


def test_lines_end_with_both_letters() -> None:
    assert refusal(FORM.replace(b"\r\n", b"\n")) == "malformed_request"


@given(preamble=st.binary(max_size=50), data=st.binary(max_size=50), step=st.integers(1, 60))
def test_the_picture_is_what_stands_between_the_boundaries(preamble: bytes, data: bytes, step: int) -> None:
    if b"\r\n--XbX" in b"\r\n" + preamble + b"\r\n" or b"\r\n--XbX" in b"\r\n" + data:
        return
    assert taken(preamble + b"\r\n" + FORM.replace(b"PNG", data), step=step) == ({"name": "Rower"}, data)
