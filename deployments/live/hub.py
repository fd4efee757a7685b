"""All streams of one replica, by gym. While nobody watches a gym nothing is read for it."""

import asyncio
from collections.abc import Iterator, Sequence
from uuid import UUID

from deployments.http.background_tasks import BackgroundTask, repeating
from deployments.live.frames import End
from deployments.live.gym_watch import GymWatch, Sources
from deployments.live.stream import Stream, View
from integrations.kafka.gym_events import GymChange

BEAT_AFTER_S = 15.0
STUCK_AFTER_S = 60.0
_LOOK_EVERY_S = 1.0


class Hub:
    """Opens and closes streams, and tells the gyms that somebody watches when they have changed.

    Args:
        sources: what the watched gyms work with.
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
        """Begin to give signs of life; needs the running event loop."""
        self._looking.start()

    async def close(self) -> None:
        """End every stream, and stop reading."""
        for stream in self._streams():
            stream.end(End.CLOSING)
        for task in (*(task for _, task in self._gyms.values()), self._looking):
            await task.close()

    def watched(self) -> int:
        """How many gyms somebody watches."""
        return len(self._gyms)

    async def open(self, gym_id: UUID, view: View) -> Stream:
        """A stream that has its first snapshot; `leave` gives it back.

        Raises:
            ApiProblem: there is no such gym, or it cannot be read.
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
        """Nobody takes anything from this stream any more."""
        watch, task = self._gyms[gym_id]
        watch.streams.discard(stream)
        if not watch.streams:
            task.cancel()
            del self._gyms[gym_id]
        self._count()

    def heard(self, changes: Sequence[GymChange]) -> None:
        """Gyms have changed, watched ones or others."""
        for change in changes:
            if change.gym_id in self._gyms:
                self._gyms[change.gym_id][0].change(change.decided_at)

    def turned(self) -> None:
        """Changes are heard again, or no longer: every stream is to say so, and what was missed is to be read."""
        for watch, _ in self._gyms.values():
            watch.change()

    def look(self) -> None:
        """Give quiet streams a sign of life, and drop those whose clients take nothing."""
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
