"""How higher apps take part in a transition without the door knowing them.

Both are sent inside the door's transaction with `deed` (apps.fsm.services.Deed):
`transition_opening` before anything changes: call `deed.refuse(subject, reason)` to say no, keep notes in `deed.notes`;
`transition_done` after the rows are saved and before the log is written: do what follows, or raise a Refusal.
"""

from django.dispatch import Signal

transition_opening = Signal()
transition_done = Signal()
