"""Labels to stick on machines."""

from io import BytesIO

import pytest
import zxingcpp
from PIL import Image

from integrations.rendering.labels import Label, label_picture, label_sheets
from integrations.rendering.transliteration import transliterate

ADDRESS = "https://gym.example.org/machines/0198c0de-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Laufband Größe 2", "Laufband Größe 2"),
        ("Żółty łańcuch", "Zólty lancuch"),
        ("“Row” \u2013 it\u2019s №3…", '"Row" - it\'s No3...'),
        ("跑步机 X3", "??? X3"),
        ("e\u0301lan", "elan"),
        ("a\tb\nc\u200bd", "a b cd"),
        ("\u0000", ""),
    ],
)
def test_a_letter_that_the_font_lacks_is_plainer_or_a_question_mark(text: str, shown: str) -> None:
    assert transliterate(text) == shown


def test_the_picture_s_font_has_plain_letters_only() -> None:
    assert transliterate("Größe · 7", "ascii") == "Grosse - 7"


@pytest.mark.parametrize("name", ["Bench", "W" * 100, "跑步机", "a b" * 33, ""])
def test_a_label_can_be_read_by_a_phone(name: str) -> None:
    picture = Image.open(BytesIO(label_picture(Label(name, "Bench · 7", ADDRESS))))
    assert [code.text for code in zxingcpp.read_barcodes(picture)] == [ADDRESS]


@pytest.mark.parametrize(("labels", "sheets"), [(0, 1), (1, 1), (24, 1), (25, 2)])
def test_a_sheet_has_room_for_24(labels: int, sheets: int) -> None:
    file = label_sheets([Label("Żółty 跑 \u2019", "W" * 50, ADDRESS)] * labels)
    assert file.startswith(b"%PDF-")
    assert file.count(b"/Type /Page\n") == sheets
