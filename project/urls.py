"""Every address of the product."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from project.health import health, ready

urlpatterns = [
    path("api/health/", health, name="health"),
    path("api/health/ready/", ready, name="ready"),
    path("api/v1/", include("apps.api.urls")),
    path(f"{settings.COVERIS_ADMIN_PATH}/", admin.site.urls),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]
