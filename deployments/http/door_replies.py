"""The door's replies as answers of the interface."""

import msgspec

from deployments.http.problem_kinds import KINDS
from deployments.http.problems import ApiProblem, later
from domain.door.model import Rejected
from integrations.kafka.messages import DoorReply, ReplyKind

_SERVICE_UNAVAILABLE = 503
_rejected = msgspec.json.Decoder(Rejected)


def answer_bytes(reply: DoorReply, wanted: ReplyKind) -> bytes:
    """The reply's JSON, as the door wrote it.

    Raises:
        ApiProblem: the door rejected the question, or answered another one.
    """
    if reply.kind == wanted:
        return bytes(reply.body)
    if reply.kind == "rejected":
        rejected = _rejected.decode(reply.body)
        code = rejected.problem.value
        if KINDS[code].status == _SERVICE_UNAVAILABLE:
            raise later(code, rejected.detail)
        raise ApiProblem(code, rejected.detail)
    raise later("not_decided", "The door answered another question than was put.")
