"""The sheets of the tag catalogue, of what employees hold, and of positions with the tags they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.common.cells import Choice, Day, Number, Whole, YesNo
from apps.common.resources import Column, Disjoint, Invariant, Reference, References, SheetResource, register
from apps.common.staging import Check, StagedSheet
from apps.org.models import Employee, Position

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

    invariants = (Invariant("tags_catalog_first_warning_first", "first_warning_days"),)

    class Meta:
        model = TagCatalog
        import_id_fields = ("code",)
        fields = (
            "code", "name", "type", "hours_delta", "expires", "first_warning_days", "last_warning_days", "is_active",
        )  # fmt: skip


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
        Invariant("org_position_hours_positive", "required_weekly_hours"),
        Invariant("org_position_closes_after_it_opens", "closes_on"),
    )

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

    def list_sql(self, name: str) -> str:
        return f"""COALESCE((SELECT string_agg(t.code, '|' ORDER BY t.code COLLATE "C") FROM tags_positiontag p
            JOIN tags_tagcatalog t ON t.id = p.tag_id
            WHERE p.position_id = org_position.id AND p.level = '{LISTS[name]}'), '')"""

    def inspect(self, sheet: StagedSheet) -> None:
        """Refuse a tag in both lists of a sheet; where it carries one list only, what that names leaves the other."""
        given = [name for name in LISTS if name in sheet.present]
        if len(given) == 2:
            both = f"{_codes('required_tags')} && {_codes('preferred_tags')}"
            twice = f"to_jsonb(array_to_string(ARRAY({TWICE}), ', '))"
            sheet.refuse([Check("preferred_tags", "in_both_lists", f"s.known AND {both}", twice)])
        elif given:
            (other,) = set(LISTS) - set(given)
            sheet.execute(
                f"""UPDATE sheet_rows s SET changes = s.changes || %(other)s::text FROM org_position
                WHERE org_position.id = s.stored AND s.known AND %(given)s = ANY (s.changes)
                AND {_codes(given[0])} && string_to_array({self.list_sql(other)}, '|')""",
                {"other": other, "given": given[0]},
            )

    def save(self, sheet: StagedSheet) -> None:
        sheet.write()
        if any(name in sheet.present for name in LISTS):
            services.write_staged_lists(sheet=sheet, lists=LISTS)


def _codes(name: str) -> str:
    return f"string_to_array(s.v_{name}, '|')"


TWICE = f"SELECT unnest({_codes('required_tags')}) INTERSECT SELECT unnest({_codes('preferred_tags')}) ORDER BY 1"


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

    invariants = (Invariant("tags_employeetag_ends_after_it_starts", "valid_until"),)
    disjoint = Disjoint(
        "tags_employeetag_never_overlaps_itself", ("employee_id", "tag_id"), "valid_from", "valid_until"
    )

    class Meta:
        model = EmployeeTag
        import_id_fields = ("employee_number", "tag_code", "valid_from")
        fields = ("employee_number", "tag_code", "valid_from", "valid_until", "note")

    def inspect(self, sheet: StagedSheet) -> None:
        expires = "(SELECT t.expires FROM tags_tagcatalog t WHERE t.id = s.e_tag_id)"
        sheet.refuse(
            [
                Check(
                    "valid_until",
                    "end_needed",
                    f"s.known AND NOT s.refused AND s.e_valid_until IS NULL AND {expires}",
                    "(SELECT to_jsonb(t.name) FROM tags_tagcatalog t WHERE t.id = s.e_tag_id)",
                )
            ]
        )

    def lock(self, sheet: StagedSheet) -> None:
        sheet.lock(Employee, "s.e_employee_id")
