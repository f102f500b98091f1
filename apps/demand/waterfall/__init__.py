"""The waterfall between two weeks: which records make the figures of one week differ from those of another.

What differs is given to causes day by day, so that the parts are disjoint and add up to the hour-day. Each weekday of
the earlier week A stands beside the same weekday of the later week B:

- An accepted assignment in force on one of the two days and not on the other gives its hours to the first reason why
  it is not in force there: outside of its dates (NEW, ENDED; of a reinforcement BEGUN, OVER), its employee is gone or
  not there yet (LEFT, JOINED), a leave (LEAVE, RETURN), a suspension (SUSPENDED, REINSTATED). An end that came with the
  end of the employment is LEFT. Where on one weekday one assignment of an employee to a position gives way to another
  of the same kind, both are HOURS: what remains of them is the change, and a renewal with the same hours is none.
- Unqualified hours follow the same causes where hours came or went; where they stayed, a required tag (a contract may
  be one) ran out or came: TAG_LOST, TAG_HELD.
- What a position needs differs by its opening and closing (OPENED, CLOSED: all that it needs on that day), else by its
  adjustments, taken one after the other: first those that ended (UNADJUSTED), then those that began (ADJUSTED), each in
  order of entry and worth what it moves the need, which is never below 0. The baseline has no dates: a change of it
  reaches every week that is open, and a closed one as the next line.
- A closed week keeps its figures and its tree. What today's records would make of it differs by CORRECTION, position by
  position: late data, a changed baseline, a position that was moved.

Filled, deficit and surplus are no sums of causes, for they compare position by position; they are told of both weeks.

How it is found (comparing.py): of a small part of the house everybody is looked at; of a large one those positions
that have a day between the two weeks on which anything can have changed (movers.py), beside the kept figures of the
whole; and where even that is more than anybody waits for, workers look at everybody and keep the answer (kept.py).
"""

from .answer import BRIDGED, MOST_POSITIONS, Behind, Moved, Part, Place, Record, Side, Waterfall
from .causes import Cause
from .comparing import TooMuch, waterfall
from .weeks import WEEKS_BACK, closed_weeks

__all__ = [
    "BRIDGED",
    "MOST_POSITIONS",
    "WEEKS_BACK",
    "Behind",
    "Cause",
    "Moved",
    "Part",
    "Place",
    "Record",
    "Side",
    "TooMuch",
    "Waterfall",
    "closed_weeks",
    "waterfall",
]
