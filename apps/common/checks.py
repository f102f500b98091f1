"""System checks of the house rules."""

from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from django.conf import settings
from django.core.checks import Error, register


@register()
def history_is_written_once(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse to start with history signals on: the triggers already write every row."""
    if getattr(settings, "SIMPLE_HISTORY_ENABLED", True):
        return [
            Error(
                "SIMPLE_HISTORY_ENABLED must be False: triggers write the history, signals would double it.",
                hint="Remove the setting's override.",
                id="coveris.E002",
            )
        ]
    return []


@register()
def old_fsm_is_absent(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse to start beside django-fsm, whose files overwrite those of django-fsm-2."""
    for name in ("django-fsm", "django-fsm-admin"):
        try:
            distribution(name)
        except PackageNotFoundError:
            continue
        return [Error(f"{name} is installed and damages django-fsm-2.", hint="Uninstall it.", id="coveris.E003")]
    return []
