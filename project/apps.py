"""The admin app, with our site instead of Django's."""

from django.contrib.admin import apps as django_admin


class CoverisAdminConfig(django_admin.AdminConfig):
    default_site = "project.admin_site.CoverisAdminSite"
    default = False  # it is the configuration of django.contrib.admin, not of this package
