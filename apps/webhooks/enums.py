"""What is told to receivers, and where a delivery stands."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Topic(models.TextChoices):
    """What an event is about; the name travels in the header Coveris-Event."""

    EMPLOYEE_STATUS = "employee.status", _("Status of an employee")
    ASSIGNMENT_STATUS = "assignment.status", _("Status of an assignment")
    POSITION_COVERAGE = "position.coverage", _("Coverage of a position")
    VIOLATION_STATE = "violation.state", _("State of a violation")
    TRIAL = "trial", _("Trial")


# What an endpoint may ask for; a trial is sent by hand.
ASKED_FOR = tuple(topic for topic in Topic if topic is not Topic.TRIAL)
ASKABLE = [(topic.value, topic.label) for topic in ASKED_FOR]


class DeliveryState(models.TextChoices):
    """Where a delivery stands. DEAD: given up, kept until somebody sends it again or it is forgotten."""

    WAITING = "WAITING", _("Waiting")
    SENT = "SENT", _("Sent")
    DEAD = "DEAD", _("Dead letter")


STATE_TONES = {DeliveryState.WAITING: "blue", DeliveryState.SENT: "green", DeliveryState.DEAD: "red"}
