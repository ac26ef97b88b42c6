"""Runs requests at their times of the day, so many at a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from tallystick_cluster.economy.day import NS_PER_S
from tallystick_cluster.economy.plan import Job
from tallystick_cluster.economy.stage import Stage


async def run_paced(
    stage: Stage, jobs: Sequence[Job], settle: Callable[[Job], Awaitable[None]]
) -> float:
    """Has each job settled at its time, or as soon after it as there is room.

    Args:
        stage: The day.
        jobs: In order of the day.
        settle: What to do for one.

    Returns:
        How many seconds after its time a job began at most.
    """
    room = asyncio.Semaphore(stage.in_flight)
    lag_ns = 0

    async def run(job: Job) -> None:
        try:
            await settle(job)
        finally:
            room.release()

    async with asyncio.TaskGroup() as group:
        for job in jobs:
            await stage.day.wait_for(job.day_ms)
            await room.acquire()
            lag_ns = max(lag_ns, time.time_ns() - stage.day.at_ns(job.day_ms))
            group.create_task(run(job))
    return lag_ns / NS_PER_S
