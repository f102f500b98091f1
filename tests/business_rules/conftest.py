"""The reference rules, as an installation has them."""

from __future__ import annotations

from typing import Any

import pytest

from apps.business_rules.models import BusinessRule
from tests.rules.catalogue import install_rules


@pytest.fixture
def rules(db: Any) -> dict[str, BusinessRule]:
    """Return the reference rules by code."""
    return install_rules()
