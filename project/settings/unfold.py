"""The admin's name, colours, files and menu."""

from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

UNFOLD = {
    "SITE_TITLE": "Coveris",
    "SITE_HEADER": "Coveris",
    "SITE_SUBHEADER": _("Coverage and hours"),
    "SITE_SYMBOL": "health_and_safety",
    "SITE_URL": None,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("coveris/img/favicon.svg")},
    ],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": False,
    "SHOW_LANGUAGES": True,
    "DASHBOARD_CALLBACK": "project.dashboard.overview",
    "ENVIRONMENT": "project.admin_site.environment_label",
    "BORDER_RADIUS": "7px",
    "STYLES": [
        lambda request: static("coveris/css/coveris.css"),
        lambda request: static("coveris/css/records.css"),
    ],
    "SCRIPTS": [lambda request: static("coveris/js/theme.js")],
    # Our own palette (project/admin_site.py): the theme's caches names and walks whole tables.
    "COMMAND": {"search_models": False, "show_history": False},
    # The lines of the sidebar are in project/menu.py.
    "SIDEBAR": {"show_search": True, "show_all_applications": False},
    # Petrol on cool greys. 600 carries white text at 5.6 : 1, 500 is text on the dark ground at 5 : 1.
    "COLORS": {
        "base": {
            "50": "#f6f8f9",
            "100": "#edf1f3",
            "200": "#dfe6e9",
            "300": "#c6d0d5",
            "400": "#93a3ab",
            "500": "#5f7079",
            "600": "#4b5b64",
            "700": "#3a4850",
            "800": "#222e35",
            "900": "#141d22",
            "950": "#0c1317",
        },
        "primary": {
            "50": "#f0f9fa",
            "100": "#d8eff1",
            "200": "#b4dfe4",
            "300": "#82c7cf",
            "400": "#48a6b2",
            "500": "#2f96a4",
            "600": "#1c6b78",
            "700": "#1d5a66",
            "800": "#1d4a54",
            "900": "#1b3f48",
            "950": "#0b2830",
        },
        "font": {
            "subtle-light": "var(--color-base-500)",
            "subtle-dark": "var(--color-base-400)",
            "default-light": "var(--color-base-600)",
            "default-dark": "var(--color-base-300)",
            "important-light": "var(--color-base-900)",
            "important-dark": "var(--color-base-100)",
        },
    },
}
