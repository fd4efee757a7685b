"""All streams of a replica, by gym. A gym without streams is not read."""

import asyncio
from collections.abc import Iterator, Sequence
from uuid import UUID

from deployments.http.background_tasks import BackgroundTask, repeating
from deployments.live.gym_watch import GymWatch, Sources
from deployments.live.server_sent_events import End
from deployments.live.stream import Stream, View
from integrations.kafka.gym_events import GymChange

BEAT_AFTER_S = 15.0
STUCK_AFTER_S = 60.0
_LOOK_EVERY_S = 1.0


class Hub:
    """Opens and closes streams, and forwards changes to watched gyms.

    Args:
        sources: dependencies of watched gyms.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._gyms: dict[UUID, tuple[GymWatch, BackgroundTask]] = {}
        self._looking = BackgroundTask("hub", repeating(self._look, _LOOK_EVERY_S))

    @property
    def dead(self) -> list[str]:
        """See `Part`."""
        tasks = [self._looking, *(task for _, task in self._gyms.values())]
        return [name for task in tasks for name in task.dead]

    def start(self) -> None:
        """Start sending heartbeats; requires a running event loop."""
        self._looking.start()

    async def close(self) -> None:
        """End all streams and stop reading."""
        for stream in self._streams():
            stream.end(End.CLOSING)
        for task in (*(task for _, task in self._gyms.values()), self._looking):
            await task.close()

    def watched(self) -> int:
        """Number of watched gyms."""
        return len(self._gyms)

    async def open(self, gym_id: UUID, view: View) -> Stream:
        """Open a stream with its first snapshot; release it with `leave`.

        Raises:
            ApiProblem: the gym does not exist, or cannot be read.
        """
        stream = Stream(view, asyncio.get_running_loop().time())
        if gym_id not in self._gyms:
            watch = GymWatch(gym_id, self._sources)
            self._gyms[gym_id] = watch, BackgroundTask("gym_watch", watch.run)
            self._gyms[gym_id][1].start()
        try:
            await self._gyms[gym_id][0].join(stream)
        except BaseException:
            self.leave(gym_id, stream)
            raise
        self._count()
        return stream

    def leave(self, gym_id: UUID, stream: Stream) -> None:
        """Release a stream."""
        watch, task = self._gyms[gym_id]
        watch.streams.discard(stream)
        if not watch.streams:
            task.cancel()
            del self._gyms[gym_id]
        self._count()

    def heard(self, changes: Sequence[GymChange]) -> None:
        """Gyms have changed, watched or not."""
        for change in changes:
            if change.gym_id in self._gyms:
                self._gyms[change.gym_id][0].change(change.decided_at)

    def turned(self) -> None:
        """Changes are received again, or no longer: read all watched gyms."""
        for watch, _ in self._gyms.values():
            watch.change()

    def look(self) -> None:
        """Send heartbeats to quiet streams, and drop those whose clients do not read."""
        now = asyncio.get_running_loop().time()
        for stream in self._streams():
            if now - stream.given_at >= BEAT_AFTER_S:
                stream.beat(now)
            if stream.taking_since is not None and now - stream.taking_since >= STUCK_AFTER_S:
                stream.drop()

    def _streams(self) -> Iterator[Stream]:
        for watch, _ in self._gyms.values():
            yield from watch.streams

    def _count(self) -> None:
        self._sources.counts.streams = sum(len(watch.streams) for watch, _ in self._gyms.values())

    async def _look(self) -> None:
        self.look()
