"""What addresses ask of a list."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("query", ["status__exact=%00", "status__exact=ACTIVE%00", "p=%00", "o=%00", "q=%00"])
def test_a_nul_in_an_address_is_no_error_of_the_server(clinic: Any, client: Client, query: str) -> None:
    client.force_login(clinic.admin)
    assert client.get(f"/admin/org/employee/?{query}").status_code in (200, 302)
