"""Rights as every installation has them."""

from typing import Any

import pytest

from apps.users.groups import sync_groups


@pytest.fixture(autouse=True)
def rights(db: Any) -> None:
    sync_groups()
