"""A file of the local provider from the version in which whoever signed up had an account that waited for its code."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from domain.identity.model import IdentityProblem
from tests.unit.integrations.local_identity.harness import (
    EMAIL,
    OTHER_PASSWORD,
    PASSWORD,
    ProviderHarness,
    light_settings,
    problem_of,
)

CODE = "400183"  # of `EMAIL`, which one wrong code was tried for
OLGA = "olga@example.com"
# What that version has written: an account with a reset under way, two that wait for their codes, a disabled one.
WRITTEN = """
CREATE TABLE account_groups (sub BLOB NOT NULL, name VARCHAR(128) NOT NULL, PRIMARY KEY (sub, name),
    FOREIGN KEY(sub) REFERENCES accounts (sub) ON DELETE CASCADE);
INSERT INTO account_groups VALUES(X'562B83EEAC8343F08B083FB4EC23F980','User');
CREATE TABLE accounts (sub BLOB NOT NULL, email VARCHAR(254) NOT NULL, name VARCHAR(200) NOT NULL,
    password VARCHAR(200), enabled BOOLEAN NOT NULL, confirmed BOOLEAN NOT NULL, created_at DATETIME NOT NULL,
    PRIMARY KEY (sub), UNIQUE (email));
INSERT INTO accounts VALUES(X'562B83EEAC8343F08B083FB4EC23F980','olga@example.com','Olga',
    '$argon2id$v=19$m=8,t=1,p=1$kkvx00EiEaeb0yutj3WPQQ$IiIY+uopksxP2BsW8X2qIoaN23hcxLqxQBSFd3YVjbM',
    1,1,'2026-03-01 12:00:00.000000');
INSERT INTO accounts VALUES(X'FBC897157A7C4517BD21CB954A02E4B6','ana@example.com','Ana',
    '$argon2id$v=19$m=8,t=1,p=1$ThtVYzMIa8ZBoKRDSvcSEg$FMXsxsHPwsSUNkGp5mAlFOToxz3wx/JmLD67iUZh1UM',
    1,0,'2026-03-01 12:00:00.000000');
INSERT INTO accounts VALUES(X'0B35D39DBA2A4F9788CA10E76912F789','late@example.com','Late',
    '$argon2id$v=19$m=8,t=1,p=1$YLpZ3toBX5jiq9Bd/tln4g$sgtAP1q2b1JHpvXQQ4e5E9FlOlkVp2LF8eBbaJkmrQQ',
    1,0,'2026-03-01 12:00:00.000000');
INSERT INTO accounts VALUES(X'E88BDF7E3013428BABE6E008340C33C0','off@example.com','Off',
    '$argon2id$v=19$m=8,t=1,p=1$ldVD1uMclSFWDdBJEVH0cg$dlTAVyRiyZ7ydbjuJxVB2kb574w774Vi1WN3X1FzKi8',
    0,0,'2026-03-01 12:00:00.000000');
CREATE TABLE codes (sub BLOB NOT NULL, purpose VARCHAR(16) NOT NULL, code_hash VARCHAR(64) NOT NULL,
    wrong_tries INTEGER NOT NULL, expires_at DATETIME NOT NULL, PRIMARY KEY (sub, purpose),
    FOREIGN KEY(sub) REFERENCES accounts (sub) ON DELETE CASCADE);
INSERT INTO codes VALUES(X'562B83EEAC8343F08B083FB4EC23F980','reset',
    'b5848046fbb4dea9112feec9ca8d87e2125dcb8a9470dfad9eca83e2dee39f6c',0,'2026-03-01 12:15:00.000000');
INSERT INTO codes VALUES(X'FBC897157A7C4517BD21CB954A02E4B6','confirm',
    '869796064d13a1be8d15222ef609245ba0912b6d8ca2f356376030b2adaa5d00',1,'2026-03-02 12:00:00.000000');
INSERT INTO codes VALUES(X'0B35D39DBA2A4F9788CA10E76912F789','confirm',
    'd6c0589b718970a7ee56c279092e4f791a811fef639fa13adb002e1aa44f3440',0,'2026-03-01 12:00:00.000000');
INSERT INTO codes VALUES(X'E88BDF7E3013428BABE6E008340C33C0','confirm',
    '1310c2cfe7dbc0f0f5169c314994b2be99d1feb066055dc616e9c5e403e86929',0,'2026-03-02 12:00:00.000000');
"""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[ProviderHarness]:
    file = light_settings(tmp_path).identity.accounts_file
    assert file is not None
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file)
    connection.executescript(WRITTEN)
    connection.close()
    harness = ProviderHarness(tmp_path)
    yield harness
    harness.provider.close()


def test_accounts_stay_and_a_code_of_before_makes_the_account_of_its_sign_up(harness: ProviderHarness) -> None:
    assert harness.provider.account_of(EMAIL) is None, "nobody has shown that the address is theirs"
    assert problem_of(harness.provider.sign_in(EMAIL, PASSWORD)) is IdentityProblem.NOT_CONFIRMED
    assert harness.provider.confirm_sign_up(EMAIL, CODE) is None
    harness.signed_in()
    olga = harness.provider.account_of(OLGA)
    assert olga is not None
    assert (olga.groups, olga.confirmed) == (("User",), True)
    assert problem_of(harness.provider.sign_in(OLGA, PASSWORD)) is None


def test_a_sign_up_of_before_does_not_hold_the_address(harness: ProviderHarness) -> None:
    made = harness.provider.sign_up(EMAIL, OTHER_PASSWORD, "Ana")
    assert not problem_of(made)
    assert harness.provider.confirm_sign_up(EMAIL, harness.code()) is None
    harness.signed_in(OTHER_PASSWORD)
    assert problem_of(harness.provider.sign_in(EMAIL, PASSWORD)) is IdentityProblem.WRONG_CREDENTIALS


def test_a_sign_up_whose_time_is_over_is_gone_and_a_disabled_account_stays_disabled(harness: ProviderHarness) -> None:
    assert problem_of(harness.provider.sign_in("late@example.com", PASSWORD)) is IdentityProblem.WRONG_CREDENTIALS
    assert not problem_of(harness.provider.sign_up("late@example.com", PASSWORD, "Late"))
    assert problem_of(harness.provider.sign_up("off@example.com", PASSWORD, "Off")) is IdentityProblem.EMAIL_IN_USE
    assert problem_of(harness.provider.sign_in("off@example.com", PASSWORD)) is IdentityProblem.ACCOUNT_DISABLED


def test_a_file_of_before_is_taken_over_once_by_however_many(harness: ProviderHarness, tmp_path: Path) -> None:
    rigs = [harness, *(ProviderHarness(tmp_path) for _ in range(3))]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda each: each.provider.account_of(OLGA), rigs))
    for each in rigs[1:]:
        each.provider.close()
    assert len(set(found)) == 1
    harness.provider.resend_code(EMAIL)
    assert harness.provider.confirm_sign_up(EMAIL, CODE) is None
    new_start = ProviderHarness(tmp_path)
    assert problem_of(new_start.provider.sign_in(EMAIL, PASSWORD)) is None
    new_start.provider.close()
