from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FsmConfig(AppConfig):
    name = "apps.fsm"
    verbose_name = _("lifecycle")
