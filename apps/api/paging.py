"""Pages of answers: numbered for lists, one after the other for logs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError, transaction
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination, PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common.paginator import CappedPaginator, counting_for

MOST = 200


class Sized:
    """`page_size`: a number; of more than there may be at once, the most."""

    page_size: int | None = settings.COVERIS_PAGE_SIZE
    page_size_query_param: str | None = "page_size"
    max_page_size: int | None = MOST

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get("page_size", str(self.page_size))
        if not (asked.isascii() and asked.isdigit() and int(asked[:9])):
            raise ValidationError({"page_size": [_("A number from 1 to %(most)s.") % {"most": MOST}]})
        return min(int(asked[:9]), MOST)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        described: list[dict[str, Any]] = super().get_schema_operation_parameters(view)  # type: ignore[misc]
        for parameter in described:
            if parameter["schema"]["type"] == "integer":
                parameter["schema"]["minimum"] = 1
        return described


class CoverisPagination(Sized, PageNumberPagination):
    """`page` and `page_size`. Counts are exact up to some thousand rows, and pages end there, as in the lists."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        size = self.get_page_size(request)
        paginator = CappedPaginator(queryset, size, counting=counting_for(request.user))
        asked = request.query_params.get(self.page_query_param, "1")
        number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 0
        if not 1 <= number <= max(paginator.num_pages, 1):
            raise NotFound(
                _("There is no page %(page)s: pages go from 1 to %(last)s. Filter or sort to reach other rows.")
                % {"page": asked[:20], "last": paginator.num_pages}
            )
        self.paginator, self.page = paginator, paginator.page(number)
        return list(self.page)

    def get_paginated_response(self, data: Any) -> Response:
        counted = self.paginator
        return Response(
            {
                "count": counted.count,
                "count_is_exact": not counted.is_estimate and counted.more_than is None,
                "next": self.get_next_link(),
                "previous": self.get_previous_link(),
                "results": data,
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described = super().get_paginated_response_schema(schema)
        described["properties"]["count_is_exact"] = {
            "type": "boolean", "description": "False where counting ended early, or the planner was asked.",
        }  # fmt: skip
        described["required"] = ["count", "count_is_exact", "next", "previous", "results"]
        return described


class LogPagination(Sized, CursorPagination):
    """Newest first, by a cursor: however long the log, a page costs the same. Nothing is counted."""

    ordering: str | tuple[str, ...] = "-pk"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        try:
            with transaction.atomic():
                return super().paginate_queryset(queryset, request, view)
        except (ValueError, OverflowError, DjangoValidationError, DataError) as error:
            # A cursor is a text that anybody can write: what it says is no place in this log.
            raise NotFound(_("This cursor leads nowhere: take the one in next or previous.")) from error

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {"count": None, "next": self.get_next_link(), "previous": self.get_previous_link(), "results": data}
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described = super().get_paginated_response_schema(schema)
        described["properties"]["count"] = {"type": ["integer", "null"], "description": "Logs are not counted."}
        described["required"] = ["count", "next", "previous", "results"]
        return described
