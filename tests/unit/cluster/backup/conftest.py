from pathlib import Path

import pytest

from integrations.settings import Settings
from tests.unit.cluster.backup.filled_folder import empty_settings, filled, settings_in, taken


@pytest.fixture
def stack(tmp_path: Path) -> Settings:
    """A stack with something in all of its parts."""
    settings = settings_in(tmp_path / "first")
    filled(settings)
    return settings


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    """Where nothing has been yet."""
    return empty_settings(tmp_path / "second")


@pytest.fixture
def file(stack: Settings, tmp_path: Path) -> Path:
    """A backup of the stack."""
    file = tmp_path / "monday.fitmonitor"
    taken(stack, file)
    return file
