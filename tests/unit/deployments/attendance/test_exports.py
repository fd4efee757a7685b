from datetime import UTC, date, datetime

import polars as pl

from deployments.attendance.exports import report_csv


def test_a_report_is_neutralised_for_spreadsheets() -> None:
    rows = pl.DataFrame(
        {
            "gym": ["=HYPERLINK(1)", "Riverside"],
            "day": [date(2026, 5, 1), None],
            "at": [datetime(2026, 5, 1, 12, tzinfo=UTC), None],
            "share": [0.25, 100.0],
            "visits": [-3, None],
            "hidden": [False, True],
        }
    )

    text = report_csv(rows).decode("utf-8-sig")
    assert text.splitlines() == [
        "gym,day,at,share,visits,hidden",
        "'=HYPERLINK(1),2026-05-01,2026-05-01T12:00:00Z,0.25,-3,no",
        "Riverside,,,100,,yes",
    ]
