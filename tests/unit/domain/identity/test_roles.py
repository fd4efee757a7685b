import pytest

from domain.identity.model import Role, roles_of


@pytest.mark.parametrize(
    ("groups", "roles"),
    [
        ([], set()),
        (["User"], {Role.USER}),
        (["Staff"], {Role.USER, Role.STAFF}),
        (["Admin"], {Role.USER, Role.STAFF, Role.ADMIN}),
        (["User", "Admin"], {Role.USER, Role.STAFF, Role.ADMIN}),
        (["admin", "Owner", ""], set()),
    ],
)
def test_a_role_includes_those_below_it_and_other_groups_give_none(groups: list[str], roles: set[Role]) -> None:
    assert roles_of(groups) == roles
