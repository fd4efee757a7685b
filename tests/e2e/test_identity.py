"""Signing up and in at the running system, and roles; on real servers in `test_two_gateways.py`."""

import pytest

from tests.e2e.accounts import Accounts
from tests.e2e.api import Api
from tests.e2e.commands import Commands


@pytest.fixture(scope="module")
def accounts(stack: Api) -> Accounts:
    return Accounts(stack.client, stack.tested.data_dir)


def test_a_member_signs_up_by_mail_signs_in_and_out(stack: Api, accounts: Accounts) -> None:
    accounts.sign_up("nora@example.org")
    headers = accounts.sign_in("nora@example.org")
    assert stack.client.get("/me", headers=headers).json()["name"] == "Mia Ruiz"
    accounts.everywhere(headers, "/me", 200)
    assert stack.client.delete("/sessions/current", headers=headers).status_code == 204
    accounts.everywhere(headers, "/me", 401)


def test_an_admin_made_by_the_command_gives_and_takes_roles(stack: Api, accounts: Accounts, fm: Commands) -> None:
    made = fm.json("admin", "create", "petra@example.org")
    admin = accounts.sign_in("petra@example.org", made["password"])
    accounts.sign_up("ben@example.org")
    ben = accounts.sign_in("ben@example.org")
    me = stack.client.get("/me", headers=ben).json()["id"]
    assert stack.client.get("/users", headers=ben).status_code == 403
    assert stack.client.put(f"/users/{me}/roles/Staff", headers=admin).json()["roles"] == ["User", "Staff"]
    staff = accounts.sign_in("ben@example.org")
    accounts.everywhere(staff, "/users", 200)
    assert stack.client.delete(f"/users/{me}/roles/Staff", headers=admin).status_code == 200
    accounts.everywhere(staff, "/users", 403)
    assert stack.client.post(f"/users/{me}/disable", headers=admin).json()["state"] == "disabled"
    accounts.everywhere(staff, "/me", 401)


def test_the_demo_s_people_sign_in_with_what_was_printed(stack: Api, accounts: Accounts) -> None:
    demo = stack.demo
    for who, path in ((demo["admin"], "/users"), (demo["staff"], "/users"), (demo["members"][0], "/me/visits")):
        assert who["password"] in stack.tested.said()
        headers = accounts.sign_in(who["email"], who["password"])
        assert stack.client.get(path, headers=headers).status_code == 200
