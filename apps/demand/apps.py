from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DemandConfig(AppConfig):
    name = "apps.demand"
    verbose_name = _("coverage")

    def ready(self) -> None:
        from apps.changes.figures import keep

        from .recompute import PositionFigures, UnitFigures

        keep(PositionFigures())
        keep(UnitFigures())
