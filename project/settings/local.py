"""A developer's or demonstrator's machine: `./run`. Relaxes what needs HTTPS, never the script policy."""

from datetime import date

from . import environment as env
from .base import *
from .base import BASE_DIR, COVERIS_SITE_URL, STORAGES
from .base import SECRET_KEY as _SECRET_KEY

DEBUG = True
COVERIS_DEMO = True
# Known to everyone who reads this file: `production` refuses to start without its own.
SECRET_KEY = _SECRET_KEY or "local-only-not-a-secret-local-only-not-a-secret-local-only"
SESSION_COOKIE_SECURE = False
CSRF_COOKIE_SECURE = False
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
STATIC_ROOT = BASE_DIR / ".local" / "static"

# Mails are printed by the worker unless EMAIL_URL says where they go.
COVERIS_SENDS_MAIL = True
COVERIS_SITE_URL = COVERIS_SITE_URL or f"http://127.0.0.1:{env.whole('COVERIS_PORT', 8000)}"

# A fixed “today”, to look at a worked example on its own day; production has no such switch.
if _day := env.text("COVERIS_TODAY", ""):
    COVERIS_TODAY = date.fromisoformat(_day)
