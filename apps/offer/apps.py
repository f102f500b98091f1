from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OfferConfig(AppConfig):
    name = "apps.offer"
    verbose_name = _("hours")

    def ready(self) -> None:
        from apps.changes.figures import keep

        from .recompute import Ledger, UsageFigures

        keep(Ledger())
        keep(UsageFigures())
