"""Two people, one record: the second one is told who changed what, and loses nothing of what was typed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from django.forms import BaseModelForm, BooleanField, Field, MultiWidget
from django.forms.models import model_to_dict
from django.http import QueryDict
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from ..errors import Reason, Refusal


class Below(NamedTuple):
    """The rows of another model that are edited on a record's page: their model, and their key to the record."""

    model: Any
    key: str


def version_of(obj: Any, below: Sequence[Below] = ()) -> str:
    """Return what changes with every write of the record or of the rows edited with it.

    That is the newest history row of each, joined by points; the time of the last change for a model without history.
    """
    return ".".join(
        [_newest(type(obj), obj._meta.pk.attname, obj), *(_newest(rows.model, rows.key, obj) for rows in below)]
    )


def _newest(model: Any, key: str, obj: Any) -> str:
    history = history_of(model)
    if history is not None:
        # Not MAX(): for that the planner may walk the whole key backwards.
        ids = history.filter(**{key: obj.pk}).order_by().values_list("history_id", flat=True)
        return str(max(ids, default=0))
    if model is not type(obj) or not hasattr(obj, "updated_at"):
        return ""
    touched = model._base_manager.filter(pk=obj.pk).values_list("updated_at", flat=True).first()
    return f"{touched.timestamp():.6f}".replace(".", "-") if touched else ""


def history_of(model: Any) -> Any:
    """Return the manager of the model's history rows, None if it keeps none."""
    name = getattr(model._meta, "simple_history_manager_attribute", None)
    return getattr(model, name).model._default_manager if name else None


class Conflict(Refusal):
    """The record was changed since the form was opened.

    Fields only the others touched take their new value; fields both touched keep what was typed and are marked.
    """

    def __init__(self, obj: Any, seen: str, form: BaseModelForm[Any], below: Sequence[Below] = ()):
        self.current = type(obj)._base_manager.get(pk=obj.pk)
        self.current_version = version_of(obj, below)
        self.form = form
        parts = list(zip_longest(seen.split("."), self.current_version.split("."), fillvalue=""))
        own = Below(type(obj), obj._meta.pk.attname)
        self.changed = [
            (rows, before) for rows, (before, now) in zip([own, *below], parts, strict=False) if before != now
        ]
        self.rows_changed = [rows.model._meta.verbose_name_plural for rows, _before in self.changed if rows is not own]
        before = self._as_seen(seen)
        self.seen_values = None if before is None else model_to_dict(before)
        self.current_values = model_to_dict(self.current)
        self.changes = self._changes(before)
        who, when = self._last_change()
        self.sentence = _(
            "%(who)s changed this record on %(when)s, while you had it open. Nothing was saved. "
            "Below is what you typed on top of their changes: look at it and save again."
        ) % {"who": who, "when": when}
        both = [
            Reason(
                _("Meanwhile changed to “%(value)s”.") % {"value": change["new"]},
                code="conflict",
                field=change["name"],
                fixable=1,
            )
            for change in self.changes
            if change["name"] in form.fields and self._typed(change["name"])
        ]
        super().__init__([Reason(self.sentence, code="conflict", fixable=0), *both])

    def merged(self, posted: QueryDict) -> QueryDict:
        """Return what was posted, with the fields the person left alone brought up to date."""
        data = posted.copy()
        if self.seen_values is None:
            return data
        for name, field in self.form.fields.items():
            if name in self.current_values and not self._typed(name):
                _put(data, self.form.add_prefix(name), field, self.current_values[name])
        return data

    def _as_seen(self, seen: str) -> Any:
        history, own = history_of(type(self.current)), seen.partition(".")[0]
        if history is None or not own.isdigit():
            return None
        row = history.filter(history_id=int(own), **{self.current._meta.pk.attname: self.current.pk}).first()
        return row.instance if row else None

    def _changes(self, before: Any) -> list[dict[str, Any]]:
        if before is None or self.seen_values is None:
            return []
        sensitive = getattr(self.current, "sensitive_fields", ())
        return [
            {
                "name": name,
                "label": self.current._meta.get_field(name).verbose_name,
                "old": "•••" if name in sensitive else shown(before, name),
                "new": "•••" if name in sensitive else shown(self.current, name),
            }
            for name, value in self.current_values.items()
            if self.seen_values.get(name) != value
        ]

    def _last_change(self) -> tuple[str, str]:
        made = []
        for rows, before in self.changed:
            if (history := history_of(rows.model)) is not None:
                newest = int(before) if before.isdigit() else 0
                later = history.filter(**{rows.key: self.current.pk}, history_id__gt=newest)
                made += later.select_related("history_user").order_by("-history_date")[:1]
        last = max(made, key=lambda row: row.history_date, default=None)
        when = last.history_date if last else getattr(self.current, "updated_at", timezone.now())
        who = str(last.history_user) if last and last.history_user else _("Somebody else")
        return who, formats.date_format(timezone.localtime(when), "SHORT_DATETIME_FORMAT")

    def _typed(self, name: str) -> bool:
        if self.seen_values is None:
            return True
        bound = self.form[name]
        return bool(bound.field.has_changed(self.seen_values.get(name), bound.data))


def shown(obj: Any, name: str) -> str:
    """Return a field's value in the words of the screen."""
    field = obj._meta.get_field(name)
    if getattr(field, "flatchoices", None):
        return str(dict(field.flatchoices).get(getattr(obj, name), getattr(obj, name)))
    value = getattr(obj, name)
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(formats.localize(value))


def _put(data: QueryDict, name: str, field: Field, value: Any) -> None:
    """Write a value the way the field's widget would have posted it."""
    if isinstance(field, BooleanField):
        data.setlist(name, ["on"] if value else [])
    elif isinstance(field.widget, MultiWidget):
        suffixes: list[str] = field.widget.widgets_names  # type: ignore[attr-defined]
        parts = field.widget.decompress(value) or []
        for suffix, part, widget in zip(suffixes, parts, field.widget.widgets, strict=True):
            data[name + suffix] = widget.format_value(part) or ""
    else:
        posted = field.widget.format_value(field.prepare_value(value))
        values = posted if isinstance(posted, list | tuple) else [posted]
        data.setlist(name, ["" if item is None else str(item) for item in values])
