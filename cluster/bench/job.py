"""What the load generator is told, and what it tells; msgpack between two processes."""

import msgspec


class Job(msgspec.Struct, frozen=True, array_like=True):
    """One measurement.

    Args:
        lanes: for each connection its requests, in order.
        repeats: start again with a lane's first request after its last; else the measurement ends there.
        seconds: how long new requests are sent.
        timeout_s: an answer that takes longer is an error.
    """

    host: str
    port: int
    lanes: list[list[bytes]]
    repeats: bool
    seconds: float
    timeout_s: float = 5.0


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What one request brought. `sent` is in seconds after the beginning; status 0: nothing, `body` says why."""

    sent: float
    took: float
    status: int
    body: bytes


class Driven(msgspec.Struct, frozen=True, array_like=True):
    """What a measurement brought.

    Args:
        began: when, in seconds since 1970.
        seconds: how long requests were sent; shorter than wished where prepared requests ran out.
        cpu_s: what the generator itself used meanwhile.
        lanes: for each connection the answers, in the order of its requests.
        ran_out: whether it ended because a lane had no further request.
    """

    began: float
    seconds: float
    cpu_s: float
    lanes: list[list[Answer]]
    ran_out: bool


BEGAN = b"began\n"
ENDED = b"ended\n"
