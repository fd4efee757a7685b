"""Former names of settings. They stay valid for one version, with a warning.

A setting that lost its meaning is listed without a replacement: its value is accepted and ignored.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrations.settings_errors import DELIMITER, PREFIX


@dataclass(frozen=True, slots=True)
class DeprecatedSetting:
    """A former name of a setting.

    Args:
        group: the group of the setting, as in `door`.
        name: the former name in this group.
        replacement: the current name in this group; None: the setting was removed.
    """

    group: str
    name: str
    replacement: str | None

    @property
    def variable(self) -> str:
        """The former environment variable."""
        return _variable(self.group, self.name)

    @property
    def replacement_variable(self) -> str | None:
        """The current environment variable; None if the setting was removed."""
        return None if self.replacement is None else _variable(self.group, self.replacement)

    @property
    def hint(self) -> str:
        """What to do about a use of the former name."""
        return f"Use {self.replacement_variable}." if self.replacement else "It has no effect. Remove it."


DEPRECATED_SETTINGS: Sequence[DeprecatedSetting] = (
    DeprecatedSetting("door", "most_admitted_offline", "max_offline_admissions"),
    DeprecatedSetting("door", "tidy_every_s", "expire_visits_every_s"),
    DeprecatedSetting("door", "handle_batch_max", None),
    DeprecatedSetting("door", "handle_calls_in_flight", None),
    DeprecatedSetting("consumers", "calm_s", "scale_down_after_s"),
    DeprecatedSetting("identity", "free_attempts", "failed_attempts_before_delay"),
    DeprecatedSetting("identity", "free_attempts_of_address", "failed_attempts_before_delay_per_address"),
    DeprecatedSetting("identity", "longest_delay_s", "max_attempt_delay_s"),
    DeprecatedSetting("identity", "stranger_attempts_per_hour", "unknown_device_attempts_per_hour"),
    DeprecatedSetting("identity", "stranger_mails_per_hour", "unknown_device_mails_per_hour"),
    DeprecatedSetting("identity", "mails_of_address_per_hour", "mails_per_address_per_hour"),
    DeprecatedSetting("images", "sweep_after_hours", "delete_unused_after_hours"),
    DeprecatedSetting("live", "streams_per_asker", "streams_per_principal"),
    DeprecatedSetting("payments", "unchecked_for_s", "recheck_after_s"),
    DeprecatedSetting("payments", "freeze_at_once_days", "max_freeze_days"),
    DeprecatedSetting("payments", "freeze_days_a_year", "max_freeze_days_per_year"),
    DeprecatedSetting("payments", "freeze_ahead_days", "max_freeze_lead_days"),
)


def deprecated_among(
    values: Mapping[str, Any], table: Sequence[DeprecatedSetting] = DEPRECATED_SETTINGS
) -> Iterator[DeprecatedSetting]:
    """The deprecated settings that these values use.

    Args:
        values: the groups by name, each a mapping of its settings; other values are ignored.
        table: all deprecated settings.
    """
    for setting in table:
        group = values.get(setting.group)
        if isinstance(group, Mapping) and setting.name in group:
            yield setting


def former_variables(values: Mapping[str, Any]) -> dict[str, str]:
    """The former variables that these values use, by their current variables."""
    return {each.replacement_variable: each.variable for each in deprecated_among(values) if each.replacement_variable}


def with_current_names(
    values: Mapping[str, Any], table: Sequence[DeprecatedSetting] = DEPRECATED_SETTINGS
) -> dict[str, Any]:
    """Replace former names by current ones, and leave out removed settings.

    Args:
        values: as in `deprecated_among`; left unchanged.
        table: all deprecated settings.

    Raises:
        ValueError: both names of a setting have a value, and the values differ. Names both variables.
    """
    renamed = dict(values)
    for setting in deprecated_among(values, table):
        group = dict(renamed[setting.group])
        value = group.pop(setting.name)
        if setting.replacement is not None:
            if str(group.get(setting.replacement, value)) != str(value):
                raise ValueError(
                    f"{setting.replacement_variable} and its deprecated name {setting.variable} have different values. "
                    f"Remove {setting.variable}"
                )
            group.setdefault(setting.replacement, value)
        renamed[setting.group] = group
    return renamed


def _variable(group: str, name: str) -> str:
    return f"{PREFIX}{group}{DELIMITER}{name}".upper()
