"""What the load generator is told, and what it tells; msgpack between two processes."""

import msgspec


class Job(msgspec.Struct, frozen=True, array_like=True):
    """One measurement.

    Args:
        lanes: for each connection its requests, in order.
        repeats: start again with a lane's first request after its last; else the measurement ends there.
        seconds: how long new requests are sent; with a schedule, how long it lasts.
        timeout_s: an answer that takes longer is an error.
        due: for each lane, in seconds after the beginning, when each of its requests is to be sent (open loop);
            one that is due while the lane still waits is sent late, and no lane ends the measurement.
            None: each request follows the answer to the last (closed loop).
    """

    host: str
    port: int
    lanes: list[list[bytes]]
    repeats: bool
    seconds: float
    timeout_s: float = 5.0
    due: list[list[float]] | None = None


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What one request brought.

    Args:
        sent: in seconds after the beginning.
        took: seconds from there to the answer.
        status: 0 when there was no answer; then `body` says why.
        late: seconds between when it was due and when it was sent; 0 without a schedule.
        retry_after: whether the answer said when to ask again.
    """

    sent: float
    took: float
    status: int
    body: bytes
    late: float = 0.0
    retry_after: bool = False

    @property
    def latency(self) -> float:
        """Seconds from when it was due: a request that had to wait for its turn has waited (coordinated omission)."""
        return self.late + self.took


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
