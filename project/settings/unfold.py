"""The admin's name, colours and menu."""

from django.utils.translation import gettext_lazy as _

UNFOLD = {
    "SITE_TITLE": "Coveris",
    "SITE_HEADER": "Coveris",
    "SITE_SUBHEADER": _("Coverage and hours"),
    "SITE_SYMBOL": "health_and_safety",
}
