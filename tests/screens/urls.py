"""The product's addresses, with the test screens where the admin stands."""

from django.urls import path

from project.health import health

from .site import site

urlpatterns = [path("api/health/", health), path("admin/", site.urls)]
