"""The sheets of the tag catalogue, of what employees hold, and of positions with the tags they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from apps.common.cells import Choice, Day, Number, Whole, YesNo
from apps.common.resources import Column, Disjoint, Invariant, Reference, References, Row, SheetResource, register
from apps.org.models import Employee, Position
from apps.org.services import positions

from . import services
from .enums import Level, TagType
from .models import EmployeeTag, PositionTag, TagCatalog

LISTS = {"required_tags": Level.REQUIRED, "preferred_tags": Level.PREFERRED}


@register
class TagCatalogResource(SheetResource):
    """The tags there are."""

    sheet = "tags"
    spanish = "etiquetas"
    unique = ("name",)

    code = Column("code", spanish="código", key=True)
    name = Column("name", spanish="nombre", required=True)
    type = Column("type", spanish="tipo", widget=Choice(TagType.choices), required=True)
    hours_delta = Column("hours_delta", spanish="horas semanales", widget=Number())
    expires = Column("expires", spanish="vence", widget=YesNo())
    first_warning_days = Column("first_warning_days", spanish="primer aviso (días)", widget=Whole())
    last_warning_days = Column("last_warning_days", spanish="último aviso (días)", widget=Whole())
    is_active = Column("is_active", spanish="activa", widget=YesNo())

    invariants = (
        Invariant("tags_catalog_first_warning_first", "first_warning_days",
                  lambda tag: None in (tag.first_warning_days, tag.last_warning_days)
                  or tag.first_warning_days >= tag.last_warning_days),
    )  # fmt: skip

    class Meta:
        model = TagCatalog
        import_id_fields = ("code",)
        fields = (
            "code", "name", "type", "hours_delta", "expires", "first_warning_days", "last_warning_days", "is_active",
        )  # fmt: skip

    def save(self, rows: Sequence[Row], *, actor: Any, confirmed: bool) -> None:
        services.save_catalogue(tags=[row.instance for row in rows], actor=actor)


@register
class PositionResource(SheetResource):
    """What is needed, and the tags it asks for. A list that is absent stays; one that is there replaces the stored."""

    sheet = "positions"
    spanish = "puestos"
    select_related = ("org_unit",)

    code = Column("code", spanish="código", key=True)
    title = Column("title", spanish="denominación", required=True)
    unit_code = Reference("org_unit__code", target="org.OrgUnit", spanish="código de la unidad", required=True)
    required_weekly_hours = Column(
        "required_weekly_hours", spanish="horas semanales requeridas", widget=Number(), required=True
    )
    opens_on = Column("opens_on", spanish="abre el", widget=Day())
    closes_on = Column("closes_on", spanish="cierra el", widget=Day())
    required_tags = References(target="tags.TagCatalog", lookup="code", spanish="etiquetas requeridas")
    preferred_tags = References(target="tags.TagCatalog", lookup="code", spanish="etiquetas preferidas")

    invariants = (
        Invariant("org_position_hours_positive", "required_weekly_hours",
                  lambda position: position.required_weekly_hours > 0),
        Invariant("org_position_closes_after_it_opens", "closes_on",
                  lambda position: None in (position.opens_on, position.closes_on)
                  or position.closes_on >= position.opens_on),
    )  # fmt: skip

    class Meta:
        model = Position
        import_id_fields = ("code",)
        fields = (
            "code", "title", "unit_code", "required_weekly_hours", "opens_on", "closes_on", "required_tags",
            "preferred_tags",
        )  # fmt: skip

    def complete(self, instances: Sequence[Any]) -> None:
        by_pk = {instance.pk: instance for instance in instances}
        for instance in instances:
            instance._required_tags, instance._preferred_tags = (), ()
        wanted = PositionTag.objects.filter(position__in=by_pk).order_by("tag__code")
        for position, level, code in wanted.values_list("position_id", "level", "tag__code"):
            name = "_required_tags" if level == Level.REQUIRED else "_preferred_tags"
            setattr(by_pk[position], name, (*getattr(by_pk[position], name), code))

    def inspect(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.instance is None or row.refused or not set(LISTS) & set(row.values):
                continue
            required = set(self.fields["required_tags"].read(row.instance))
            preferred = set(self.fields["preferred_tags"].read(row.instance))
            twice = required & preferred
            if twice and set(LISTS) <= set(row.values):
                row.fail(
                    "preferred_tags",
                    "in_both_lists",
                    _("%(codes)s: a tag is either required or preferred, take it out of one list.")
                    % {"codes": ", ".join(sorted(twice))},
                )
            elif twice:
                # The sheet carries one list only: what it names there leaves the other one.
                other, left = (
                    ("preferred_tags", preferred - twice)
                    if "required_tags" in row.values
                    else ("required_tags", required - twice)
                )
                column = self.fields[other]
                row.changes[other] = (column.read(row.instance), tuple(sorted(left)))
                column.write(row.instance, sorted(left))

    def save(self, rows: Sequence[Row], *, actor: Any, confirmed: bool) -> None:
        own = [row for row in rows if row.is_new or set(row.changes) - set(LISTS)]
        positions.save_positions(positions=[row.instance for row in own], actor=actor)
        lists = [row for row in rows if set(row.changes) & set(LISTS)]
        if not lists:
            return
        codes = {code for row in lists for name in LISTS for code in self.fields[name].read(row.instance)}
        tags = dict(TagCatalog.objects.filter(code__in=codes).values_list("code", "pk"))
        wanted = {
            row.instance.pk: {
                tags[code]: level for name, level in LISTS.items() for code in self.fields[name].read(row.instance)
            }
            for row in lists
        }
        services.set_position_tags(wanted=wanted, actor=actor)


@register
class EmployeeTagResource(SheetResource):
    """What employees hold, from when to when."""

    sheet = "employee_tags"
    spanish = "etiquetas de empleados"
    select_related = ("employee", "tag")

    employee_number = Reference(
        "employee__employee_number", target="org.Employee", within="editable", spanish="legajo", key=True
    )
    tag_code = Reference("tag__code", target="tags.TagCatalog", spanish="código de etiqueta", key=True)
    valid_from = Column("valid_from", spanish="válida desde", widget=Day(), key=True)
    valid_until = Column("valid_until", spanish="válida hasta", widget=Day())
    note = Column("note", spanish="nota")

    invariants = (
        Invariant("tags_employeetag_ends_after_it_starts", "valid_until",
                  lambda held: held.valid_until is None or held.valid_until >= held.valid_from),
    )  # fmt: skip
    disjoint = Disjoint(
        "tags_employeetag_never_overlaps_itself", ("employee_id", "tag_id"), "valid_from", "valid_until"
    )

    class Meta:
        model = EmployeeTag
        import_id_fields = ("employee_number", "tag_code", "valid_from")
        fields = ("employee_number", "tag_code", "valid_from", "valid_until", "note")

    def inspect(self, rows: Sequence[Row]) -> None:
        for row in rows:
            held = row.instance
            if held is not None and not row.refused and held.valid_until is None and held.tag.expires:
                row.fail(
                    "valid_until",
                    "end_needed",
                    _("“%(tag)s” expires: say until when it is valid.") % {"tag": held.tag.name},
                )

    def lock(self, instances: Sequence[Any]) -> None:
        Employee.objects.lock({held.employee_id for held in instances})
        super().lock(instances)

    def save(self, rows: Sequence[Row], *, actor: Any, confirmed: bool) -> None:
        services.save_employee_tags(employee_tags=[row.instance for row in rows], actor=actor)
