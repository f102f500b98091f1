"""What every installation shares. Values that differ come from the environment (docs/operations.md)."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from corsheaders.defaults import default_headers
from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from . import environment as env
from .unfold import UNFOLD as UNFOLD

BASE_DIR = env.BASE_DIR
DEBUG = False
SECRET_KEY = env.text("DJANGO_SECRET_KEY", "")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")

INSTALLED_APPS = [
    "project",  # commands that need every app
    "unfold.apps.BasicAppConfig",  # its default one would put its own site in place of ours
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "unfold.contrib.simple_history",
    "project.apps.CoverisAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "axes",
    "csp",
    "corsheaders",
    "import_export",
    "pgtrigger",
    "simple_history",
    "rest_framework",
    "drf_spectacular",
    "django_celery_beat",
    # The product, from the bottom of the house up (docs/map.md).
    "apps.common",
    "apps.changes",
    "apps.users",
    "apps.fsm",
    "apps.org",
    "apps.business_rules",
    "apps.tags",
    "apps.assignments",
    "apps.offer",
    "apps.demand",
    "apps.webhooks",
    "apps.audit_log",
    "apps.inbox",
    "apps.imports",
    "apps.api",
    "worker",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.users.middleware.LanguageMiddleware",
    "apps.users.middleware.PasswordMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "apps.org.middleware.ScopeMiddleware",
    # Last: the CSRF check has run, and an exception rolls the whole deed back.
    "apps.common.middleware.ActingMiddleware",
]

ROOT_URLCONF = "project.urls"
ASGI_APPLICATION = "project.asgi.application"
WSGI_APPLICATION = "project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "project" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
            ],
        },
    }
]

# Each request of the web is a thread of its own, and a connection belongs to a thread: kept for a minute, every request
# made one anew and left it to the garbage collector, until the database had no more to give.
_process = env.text("COVERIS_PROCESS", "")
_pool: dict[str, Any] = {"pool": {"min_size": 1, "max_size": 20, "timeout": 5}} if _process == "coveris-web" else {}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        **env.database(),
        "CONN_MAX_AGE": 0 if _pool else 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"application_name": _process or "coveris-web", "connect_timeout": 5, **_pool},
    }
}
REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "users.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=30)
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_FORM_FIELD = "username"
AXES_VERBOSE = False

LANGUAGE_CODE = "es"
LANGUAGES = [("es", _("Spanish")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
USE_THOUSAND_SEPARATOR = False
FORMAT_MODULE_PATH = "project.formats"  # English dates without the month in front
TIME_ZONE = env.text("COVERIS_TIME_ZONE", "America/Argentina/Buenos_Aires")
try:
    ZoneInfo(TIME_ZONE)
except (ZoneInfoNotFoundError, ValueError) as error:
    raise ImproperlyConfigured(f"COVERIS_TIME_ZONE names no time zone: “{TIME_ZONE}”.") from error

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# First here, so that the files that let the theme live under a strict script policy win over its own.
STATICFILES_DIRS = [BASE_DIR / "project" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_MANIFEST_STRICT = False
MEDIA_ROOT = env.text("COVERIS_MEDIA", str(BASE_DIR / ".local" / "media"))
FILE_UPLOAD_PERMISSIONS = 0o600
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000

SESSION_COOKIE_AGE = 8 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
# Exact origins whose pages may use the interface with a person's cookies, and nothing else of ours.
CORS_ALLOWED_ORIGINS = env.words("CORS_ALLOWED_ORIGINS")
CORS_URLS_REGEX = r"^/api/v1/"
CORS_ALLOW_CREDENTIALS = True
CORS_ALLOW_HEADERS = (*default_headers, "idempotency-key", "if-match", "if-none-match")
CORS_EXPOSE_HEADERS = ("ETag", "Idempotency-Replayed", "Retry-After")

# History rows are written by database triggers (apps/common/history.py); with the library's own
# signals on as well, every row would be doubled (system check coveris.E002).
SIMPLE_HISTORY_ENABLED = False
SIMPLE_HISTORY_DATE_INDEX = False  # the timeline has its own
SIMPLE_HISTORY_HISTORY_CHANGE_REASON_USE_TEXT_FIELD = True
SIMPLE_HISTORY_REVERT_DISABLED = True
SIMPLE_HISTORY_ENFORCE_HISTORY_MODEL_PERMISSIONS = False

IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "import"
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "export"
IMPORT_EXPORT_USE_TRANSACTIONS = True
IMPORT_EXPORT_SKIP_ADMIN_LOG = True
IMPORT_EXPORT_SKIP_ADMIN_CONFIRM = False

# Mails: the daily digest. Without EMAIL_URL none is sent, and none is offered.
COVERIS_SITE_URL = env.address("COVERIS_SITE_URL", "")
EMAIL_URL = env.text("EMAIL_URL", "")
if EMAIL_URL and not COVERIS_SITE_URL:
    raise ImproperlyConfigured("COVERIS_SITE_URL is missing: mails need the address their links lead to.")
MAIL = env.mail("EMAIL_URL", EMAIL_URL or "console:")
EMAIL_BACKEND = MAIL["backend"]
EMAIL_HOST, EMAIL_PORT = MAIL["host"], MAIL["port"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL["user"], MAIL["password"]
EMAIL_USE_SSL, EMAIL_USE_TLS = MAIL["ssl"], MAIL["tls"]
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "Coveris <coveris@localhost>")
COVERIS_SENDS_MAIL = bool(EMAIL_URL)

# Who says who somebody is, for the REST interface: our own cookies, or an Amazon Cognito user pool.
COGNITO_REGION = env.text("COGNITO_REGION", "")
COGNITO_USER_POOL_ID = env.text("COGNITO_USER_POOL_ID", "")
COGNITO_CLIENT_ID = env.text("COGNITO_CLIENT_ID", "")
if len({bool(COGNITO_REGION), bool(COGNITO_USER_POOL_ID), bool(COGNITO_CLIENT_ID)}) > 1:
    raise ImproperlyConfigured("COGNITO_REGION, COGNITO_USER_POOL_ID and COGNITO_CLIENT_ID go together: set all three.")
COGNITO_ISSUER = f"https://cognito-idp.{COGNITO_REGION}.amazonaws.com/{COGNITO_USER_POOL_ID}"
COGNITO_JWKS_URL = f"{COGNITO_ISSUER}/.well-known/jwks.json"
API_SIGN_IN = (
    "apps.api.cognito.CognitoJWTAuthentication"
    if COGNITO_USER_POOL_ID
    else "apps.api.authentication.CookieJWTAuthentication"
)

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.api.parsing.Json"],
    "DEFAULT_AUTHENTICATION_CLASSES": [API_SIGN_IN],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "apps.api.permissions.OwnPassword",
    ],
    "DEFAULT_PAGINATION_CLASS": "apps.api.paging.CoverisPagination",
    "DEFAULT_FILTER_BACKENDS": [
        "apps.api.filters.NamedFilters",
        "rest_framework.filters.SearchFilter",
        "rest_framework.filters.OrderingFilter",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["apps.api.throttles.Anonymous", "apps.api.throttles.SignedIn"],
    "DEFAULT_THROTTLE_RATES": {
        "anon": "100/hour",
        "user": "1000/hour",
        "login": env.text("LOGIN_THROTTLE_RATE", "5/hour"),
        "token_refresh": "20/hour",
        "logout": "20/hour",
    },
    "DEFAULT_SCHEMA_CLASS": "apps.api.schema.Described",
    "EXCEPTION_HANDLER": "apps.api.errors.answer_to",
    "NUM_PROXIES": 0,
    "COERCE_DECIMAL_TO_STRING": True,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    "ALGORITHM": "HS256",
    "ISSUER": "coveris",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Coveris",
    "DESCRIPTION": "Coverage, hours and rules of a clinic's staff. The same services, scope and records as the pages.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": True,
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums"],
    "WEBHOOKS": [
        "apps.webhooks.schema.employee_status",
        "apps.webhooks.schema.assignment_status",
        "apps.webhooks.schema.position_coverage",
        "apps.webhooks.schema.violation_state",
    ],
    "ENUM_NAME_OVERRIDES": {
        "EmployeeStatusEnum": "apps.fsm.employee_fsm.EmployeeStatus",
        "AssignmentStatusEnum": "apps.assignments.assignment_fsm.AssignmentStatus",
    },
}
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
    # What the interface counts requests in, together with the other processes.
    "throttles": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "coveris.throttles",
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    },
}

# What the installation may tune.
COVERIS_PAGE_SIZE = env.whole("COVERIS_PAGE_SIZE", 25)
COVERIS_ADMIN_PATH = env.text("COVERIS_ADMIN_PATH", "admin").strip("/")
COVERIS_FOUR_EYES = env.flag("COVERIS_FOUR_EYES")
COVERIS_RULE_SECONDS = env.whole("COVERIS_RULE_SECONDS", 10)
COVERIS_GATE_RULE_SECONDS = 2  # how long the rules staff wrote may keep somebody waiting who changes something
COVERIS_SEARCH_SECONDS = 5  # how long a list may look for what meets a condition
COVERIS_RULE_COST_CAP = env.whole("COVERIS_RULE_COST_CAP", 50)
COVERIS_HORIZON_WEEKS = 13
COVERIS_SWEEP_WORK_MEM = "256MB"  # of PostgreSQL, for the one statement by which a rule judges everybody
COVERIS_WHAT_IF_LOCK_SECONDS = 2.0  # how long a what-if waits for records somebody else is changing
COVERIS_WHAT_IF_SECONDS = 10.0  # how long each of its statements may take
COVERIS_DEMO = False  # whether an empty database may get the demo clinic, whose passwords are public
COVERIS_UPLOAD_MB = env.whole("COVERIS_UPLOAD_MB", 100)  # how large a sheet a page takes
if not 1 <= COVERIS_UPLOAD_MB <= 500:
    raise ImproperlyConfigured("COVERIS_UPLOAD_MB must be from 1 to 500.")
COVERIS_EXPORT_ROWS = env.whole("COVERIS_EXPORT_ROWS", 1_000_000)  # how many rows one file may have
if not 1 <= COVERIS_EXPORT_ROWS <= 5_000_000:
    raise ImproperlyConfigured("COVERIS_EXPORT_ROWS must be from 1 to 5000000.")
COVERIS_EXPORT_SECONDS = 1_800  # how long a worker writes one file
COVERIS_EXPORT_STATEMENT_SECONDS = 300  # how long each of its statements may take
COVERIS_IMPORT_SECONDS = 3_000  # how long a worker looks at a sheet, or brings it in: an upload is kept an hour
COVERIS_STALLED_DAYS = env.whole("COVERIS_STALLED_DAYS", 7)  # after so many days a proposal is told as waiting
COVERIS_CLIFF_LEAD_DAYS = env.whole("COVERIS_CLIFF_LEAD_DAYS", 30)  # how far the inbox looks for whoever said nothing
if not 0 <= COVERIS_CLIFF_LEAD_DAYS <= 90:
    raise ImproperlyConfigured("COVERIS_CLIFF_LEAD_DAYS must be from 0 to 90.")
COVERIS_DIGEST_HOUR = env.whole("COVERIS_DIGEST_HOUR", 7)
if not 0 <= COVERIS_DIGEST_HOUR <= 23:
    raise ImproperlyConfigured("COVERIS_DIGEST_HOUR must be an hour of the day, from 0 to 23.")
# Webhooks: what may be posted to beside public addresses, by https alone unless said otherwise.
COVERIS_WEBHOOK_NETWORKS = env.networks("COVERIS_WEBHOOK_NETWORKS")
COVERIS_WEBHOOK_HTTP = env.flag("COVERIS_WEBHOOK_HTTP")
COVERIS_WEBHOOK_CA_FILE = env.text("COVERIS_WEBHOOK_CA_FILE", "")
COVERIS_TODAY: date | None = None  # a fixed day, for demonstrations and tests only (local.py)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"django.db.backends": {"level": "WARNING"}, "axes": {"level": "WARNING"}},
}

# Celery (worker/celery.py reads the CELERY_ names). Why these values: docs/decisions/0004-celery-pins.md.
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_ACCEPT_CONTENT = ["json"]
# Celery would end the connection after every task, and with it the plans a change is recomputed by (90 ms of 100);
# worker.task ends it when it is old, unusable or a task failed.
CELERY_DB_REUSE_MAX = 1_000_000_000
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,
    "socket_timeout": 5,
    "socket_connect_timeout": 1,
    "socket_keepalive": True,
    "retry_on_timeout": True,
    # What wakes a worker whose connection died with the broker: without it, one was seen spinning on a closed socket.
    "health_check_interval": 10,
    "unacked_mutex_expire": 30,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.1}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_CONCURRENCY = 2
CELERY_WORKER_MAX_TASKS_PER_CHILD = 200
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 300_000
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {"demand.*": {"queue": "recompute"}, "imports.*": {"queue": "import"}}
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
