from datetime import UTC, datetime, timedelta

from domain.ids import first_id_of, new_id


def test_what_is_made_from_a_moment_on_is_a_range_of_ids() -> None:
    before = new_id()
    moment = datetime.now(UTC)
    assert first_id_of(moment - timedelta(seconds=1)) < before
    assert first_id_of(moment) <= new_id() < first_id_of(moment + timedelta(minutes=1))
