"""The web process: `uvicorn project.asgi:application`."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings.production")
if not settings.configured:  # a process of its own, and not one that tests the web
    os.environ.setdefault("COVERIS_PROCESS", "coveris-web")
application = get_asgi_application()
