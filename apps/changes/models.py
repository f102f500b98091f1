"""The outbox: what changed and has not yet reached the figures. Knows only kinds and ids."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.common.triggers import append_only
from apps.common.weeks import week_code


class Kind(models.TextChoices):
    """What a mark points at."""

    EMPLOYEE = "employee", _("employee")
    POSITION = "position", _("position")
    UNIT = "unit", _("unit")
    HOME = "home", _("unit as the home of its people")
    TAG = "tag", _("tag")
    SUBTREE = "subtree", _("unit and all below")
    HEADROOM = "headroom", _("headroom of a unit and all below")
    PROBE = "probe", _("probe")


class Mark(models.Model):
    """One subject whose figures are out of date; written by triggers in the transaction of the change.

    Append-only until a drain deletes it: never ON CONFLICT DO NOTHING, or a change made during a drain that is
    deleting the earlier mark would be missed.
    """

    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    subject_id = models.BigIntegerField(_("subject"))
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)
    alone = models.BooleanField(
        _("alone"), db_default=False, help_text=_("Only its own figures, after what people changed.")
    )
    attempts = models.SmallIntegerField(_("failed attempts"), db_default=0)

    class Meta:
        verbose_name = _("mark")
        verbose_name_plural = _("marks")
        ordering = ["id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["alone", "id"], condition=models.Q(attempts=0), name="changes_mark_waiting"),
            models.Index(
                fields=["kind", "subject_id"], condition=models.Q(attempts__gt=0), name="changes_mark_suspect"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"


class Claim(models.Model):
    """The marks one drain is working off, committed before the work: what a killed worker leaves behind.

    While the work goes on the row is locked; an unlocked one tells that its worker did not come to an end.
    """

    marks = ArrayField(models.BigIntegerField())
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("claim")
        verbose_name_plural = _("claims")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.pk}: {len(self.marks)}"


class Recent(models.Model):
    """How often a subject was worked off lately: one that changes all the time is let gather (apps.changes.gathering).

    Unlogged: after a crash nothing has been lately.
    """

    kind = models.CharField(max_length=16, choices=Kind)
    subject_id = models.BigIntegerField()
    pk = models.CompositePrimaryKey("kind", "subject_id")
    times = models.SmallIntegerField()
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("subject worked off lately")
        verbose_name_plural = _("subjects worked off lately")
        default_permissions = ()
        indexes = [models.Index(fields=["at"], name="changes_recent_at")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}: {self.times}"


class DeadLetter(models.Model):
    """A mark that could not be worked off, kept with the reason until somebody sends it again."""

    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    subject_id = models.BigIntegerField(_("subject"))
    reason = models.TextField(_("reason"))
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("dead letter")
        verbose_name_plural = _("dead letters")
        ordering = ["-id"]
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_id}"


class Calendar(models.Model):
    """How far the figures have come in time: one row (id 1).

    `first_week` is the Monday all stored figures start at; closing a week moves it. `day` is the last day whose coming
    was worked into the marks.
    """

    first_week = models.DateField(_("first week"))
    day = models.DateField(_("day"))

    class Meta:
        verbose_name = _("calendar")
        verbose_name_plural = _("calendar")
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="changes_calendar_one_row")]

    def __str__(self) -> str:
        return f"{self.first_week} {self.day}"


class Heartbeat(models.Model):
    """When a part that runs by itself was last seen alive: drain, relay."""

    name = models.CharField(_("name"), max_length=32, primary_key=True)
    beat_at = models.DateTimeField(_("last seen"))

    class Meta:
        verbose_name = _("sign of life")
        verbose_name_plural = _("signs of life")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.name} {self.beat_at:%Y-%m-%d %H:%M:%S}"


class Proof(models.Model):
    """One comparison of everything stored with everything computed anew; drift should be empty.

    It waits until `started_at` is set and is under way until `finished_at` is; `done` are the kinds compared so far.
    Whoever carries it out holds an advisory lock on it: one that is under way and not held has lost its worker.
    """

    requested_at = models.DateTimeField(_("asked for"), db_default=Now(), editable=False)
    actor_id = models.UUIDField(_("by"), null=True, blank=True)
    origin = models.CharField(_("from where"), max_length=32, blank=True)
    started_at = models.DateTimeField(_("from"), null=True, blank=True)
    finished_at = models.DateTimeField(_("until"), null=True, blank=True)
    checked = models.BigIntegerField(_("subjects checked"), default=0)
    waiting = models.BigIntegerField(_("waiting for a worker"), default=0)
    done = models.JSONField(_("compared so far"), default=list, blank=True)
    drift = models.JSONField(_("drift"), default=list)
    failure = models.TextField(_("failed"), blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)

    class Meta:
        verbose_name = _("proof of the figures")
        verbose_name_plural = _("proofs of the figures")
        ordering = ["-id"]
        default_permissions = ("add", "view")
        constraints = [
            models.UniqueConstraint(
                models.Value(1), condition=models.Q(finished_at__isnull=True), name="changes_proof_one_under_way"
            )
        ]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.started_at or self.requested_at):%Y-%m-%d %H:%M}: {len(self.drift)}"


class Correction(models.Model):
    """A closed week put right by somebody, from the records of that moment; append-only.

    The corrected figures lie beside the closed ones, in tables of the apps whose figures they are; whatever this one
    did not change stays as it was. Who did it and of which unit (None = the whole organisation) are ids alone.
    """

    week = models.DateField(_("week"))
    unit_id = models.BigIntegerField(_("unit"), null=True, blank=True)
    actor_id = models.UUIDField(_("by"), null=True)
    reason = models.TextField(_("reason"))
    created_at = models.DateTimeField(_("when"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("correction of a closed week")
        verbose_name_plural = _("corrections of closed weeks")
        ordering = ["-id"]
        default_permissions = ("add", "view", "export")
        indexes = [models.Index(fields=["week"], name="changes_correction_week")]
        triggers = [append_only()]

    def __str__(self) -> str:
        return week_code(self.week)


class Repair(models.Model):
    """What a proof found wrong and had computed again: append-only, one a proof that found any drift."""

    proof = models.OneToOneField(Proof, models.PROTECT, related_name="repair", verbose_name=_("proof"))
    actor_id = models.UUIDField(_("by"), null=True)
    origin = models.CharField(_("from where"), max_length=32, blank=True)
    subjects = models.JSONField(_("repaired"), help_text=_("Ids by kind."))
    created_at = models.DateTimeField(_("when"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("repair of figures")
        verbose_name_plural = _("repairs of figures")
        ordering = ["-id"]
        default_permissions = ("view",)
        triggers = [append_only()]

    def __str__(self) -> str:
        return f"{self.proof_id}: {sum(map(len, self.subjects.values()))}"
