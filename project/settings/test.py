"""The test suite, on real PostgreSQL and Redis."""

from datetime import date

from . import environment as env
from .base import *
from .base import BASE_DIR, CACHES, CELERY_BROKER_TRANSPORT_OPTIONS, REST_FRAMEWORK, STORAGES

DEBUG = False
COVERIS_DEMO = True
SECRET_KEY = "tests-only-" + "x" * 50
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
STATIC_ROOT = BASE_DIR / ".local" / "test-static"
AXES_ENABLED = False
# Tests ask more often than anybody; those about how often one may ask set their own rates.
REST_FRAMEWORK = REST_FRAMEWORK | {
    "DEFAULT_THROTTLE_RATES": dict.fromkeys(("anon", "user", "login", "token_refresh", "logout"), "1000000/hour")
}
CACHES = CACHES | {"throttles": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "throttles"}}
COVERIS_SENDS_MAIL = True
COVERIS_SITE_URL = "https://coveris.test"
# As everywhere but for the wait: what the tests kill must heal by the same settings as an installation.
CELERY_BROKER_TRANSPORT_OPTIONS = CELERY_BROKER_TRANSPORT_OPTIONS | {"visibility_timeout": 60}

if _day := env.text("COVERIS_TODAY", ""):
    COVERIS_TODAY = date.fromisoformat(_day)
