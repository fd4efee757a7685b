"""Twelve deliberate defects of the product, and for each the tests that must notice it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """A defect that someone could write.

    Args:
        name: for the command line.
        defect: what the product does wrong then.
        file: where, from the root of the project.
        edits: texts of the file, each of which stands there once, and what replaces them.
        tests: the tests that must notice it, the nearest to the rule first. All belong to `make test`.
    """

    name: str
    defect: str
    file: str
    edits: Sequence[tuple[str, str]]
    tests: Sequence[str]

    def applied_to(self, text: str) -> str:
        """The file's text with the defect.

        Raises:
            ValueError: a text that is to be replaced stands in the file more than once, or not at all.
        """
        for old, new in self.edits:
            if (times := text.count(old)) != 1:
                raise ValueError(f"mutant {self.name}: {self.file} has this text {times} times, not once:\n{old}")
            text = text.replace(old, new)
        return text


_DOOR = "tests/integration/domain/door/test_door.py::"
_DOOR_RULES = "tests/unit/domain/door/test_rules.py::"
_DEPLOYMENTS = "tests/unit/deployments/"
_KEYS = "tests/integration/domain/payments/test_idempotent_calls.py::"
_KILLED = "tests/faults/test_killed_consumer.py::"
_LOCKS = "tests/integration/domain/door/test_locked_rows.py::"
_RACES = "tests/faults/test_races.py::"
_REFUNDS = "tests/unit/domain/memberships/test_worked_examples.py::"

MUTATIONS: Sequence[Mutation] = (
    Mutation(
        "no-lock",
        "the door reads gyms and members without a lock",
        "domain/door/lock_repository.py",
        [('lock_clause = "" if self._is_sqlite else " FOR UPDATE SKIP LOCKED"', 'lock_clause = ""')],
        [f"{_LOCKS}test_a_held_gym_waits_and_the_others_do_not"],
    ),
    Mutation(
        "reply-before-commit",
        "the door is answered first, and the decision is committed afterwards",
        "consumers/door.py",
        [
            ("_NOT_DECIDED =", '_UNCOMMITTED = __import__("contextlib").ExitStack()\n_NOT_DECIDED ='),
            (
                "with self._store.writing() as connection:\n                results = self._decide(",
                "connection = _UNCOMMITTED.enter_context(self._store.writing())\n            results = self._decide(",
            ),
            ("self._sender.serve_reports()", "self._sender.serve_reports()\n        _UNCOMMITTED.close()"),
        ],
        [f"{_KILLED}test_nothing_is_answered_or_passed_over_before_its_commit"],
    ),
    Mutation(
        "offset-before-commit",
        "a consumer stores the offsets of a batch before it handles the batch",
        "consumers/loop.py",
        [
            (
                "if self._processor.process(pending):\n            self._store_offsets()",
                "self._store_offsets()\n        if self._processor.process(pending):",
            )
        ],
        [f"{_KILLED}test_nothing_is_answered_or_passed_over_before_its_commit"],
    ),
    Mutation(
        "one-too-many",
        "a gym lets in one member more than it holds",
        "domain/door/rules.py",
        [("gym.occupancy - here >= gym.capacity", "gym.occupancy - here > gym.capacity")],
        [
            f"{_DOOR_RULES}test_a_full_gym_refuses_at_the_door",
            f"{_DOOR}test_a_full_gym_lets_in_again_when_somebody_left",
        ],
    ),
    Mutation(
        "code-twice",
        "a code that admitted somebody admits again",
        "domain/door/rules.py",
        [("return Reason.USED_PASS if member.code_entered else None", "return None")],
        [
            f"{_DOOR_RULES}test_a_code_admits_once",
            f"{_RACES}test_the_same_pass_at_two_doors_at_once_admits_once",
        ],
    ),
    Mutation(
        "no-deadline",
        "a scan is decided though nobody waits for the answer any more",
        "domain/door/rules.py",
        [("    if now > request.decide_by:\n        return refused(Reason.TOO_LATE)\n", "")],
        [
            f"{_DOOR_RULES}test_past_its_deadline_nothing_is_decided",
            f"{_DOOR}test_what_was_too_late_stays_refused",
        ],
    ),
    Mutation(
        "key-without-effect",
        "an idempotency key is committed before the effect that it stands for",
        "deployments/idempotent_calls.py",
        [
            (
                "        answer = use_case(connection)\n",
                "        connection.commit()\n        answer = use_case(connection)\n",
            )
        ],
        [f"{_KEYS}test_an_effect_that_breaks_off_leaves_no_key"],
    ),
    Mutation(
        "refund-unbounded",
        "a refund in part takes back days that are used up, or those of another payment",
        "domain/memberships/ledger_rules.py",
        [("days = min(share, balance.unused(order_id, today))", "days = share")],
        [
            f"{_REFUNDS}test_refund_in_part_of_the_first_of_two_takes_nothing_of_the_second",
            f"{_REFUNDS}test_refund_in_part_never_takes_more_than_is_unused",
        ],
    ),
    Mutation(
        "unsigned-webhook",
        "whatever is sent to the webhook counts as Stripe's",
        "integrations/stripe/provider.py",
        [
            (
                "stripe.WebhookSignature.verify_header(payload, signature, secret, SIGNATURE_TOLERANCE_S)",
                "secret.startswith(signature)",
            )
        ],
        [
            f"{_DEPLOYMENTS}gateway/payments/test_provider.py::test_an_event_that_was_not_signed_with_our_secret_just_now_is_not_taken"
        ],
    ),
    Mutation(
        "any-issuer",
        "a token counts whoever issued it",
        "integrations/tokens.py",
        [("            TokenRefusal.WRONG_ISSUER: claims.iss != self._identity.issuer,\n", "")],
        ["tests/unit/integrations/test_tokens.py::test_a_token_of_another_issuer_is_refused"],
    ),
    Mutation(
        "revoked-device",
        "a device that was revoked is let through, because its credential was recognised before",
        "deployments/http/auth.py",
        [("return principal if self._devices.remembered(principal.id) == key else None", "return principal")],
        [
            f"{_DEPLOYMENTS}qr/test_scan_routes.py::test_a_device_that_scanned_before_is_refused_once_its_key_is_another_or_none"
        ],
    ),
    Mutation(
        "no-rights",
        "the table of rights is not asked: whoever is known may do everything",
        "deployments/http/auth.py",
        [
            (
                "allowed = right.device if isinstance(principal, DevicePrincipal) else right.role in principal.roles",
                "allowed = True",
            )
        ],
        [f"{_DEPLOYMENTS}http/test_rights.py::test_everybody_reaches_what_is_theirs_and_nothing_else"],
    ),
)
