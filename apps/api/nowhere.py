"""What is said at an address where nothing is."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request

from .records import Alone


class Nowhere(Alone):
    """404 in the words of the interface. Without the slash at the end, too: a redirect would make a GET of a POST."""

    schema = None
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not request.path.endswith("/"):
            raise NotFound(_("There is nothing at this address: all of them end in a slash."))
        raise NotFound(_("There is nothing at this address: see /api/v1/schema/."))
