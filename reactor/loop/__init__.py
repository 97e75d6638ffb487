"""Readiness and time: the reactor. It knows no protocol and no operating system."""

from reactor.loop.defaults import defaults
from reactor.loop.handles import Handle
from reactor.loop.interfaces import Describable, Instruments, Resource
from reactor.loop.jobs import Job
from reactor.loop.ownership import Phase
from reactor.loop.reactor import Reactor
from reactor.loop.repeating import Missed, RepeatingTimer
from reactor.loop.timers import TimerHandle

__all__ = [
    "Describable",
    "Handle",
    "Instruments",
    "Job",
    "Missed",
    "Phase",
    "Reactor",
    "RepeatingTimer",
    "Resource",
    "TimerHandle",
    "defaults",
]
