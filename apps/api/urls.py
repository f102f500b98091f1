"""Every address of the interface, below /api/v1/."""

from django.conf import settings
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularJSONAPIView

from .nowhere import Nowhere
from .router import pages, router
from .signing_in import LoginView, LogoutView, MeView, PasswordView, RefreshView

# Where Amazon Cognito says who somebody is, cookies sign nothing: nobody is given any.
cookies = [
    path("auth/login/", LoginView.as_view(), name="api-login"),
    path("auth/logout/", LogoutView.as_view(), name="api-logout"),
    path("auth/token/refresh/", RefreshView.as_view(), name="api-token-refresh"),
]

urlpatterns = [
    path("schema/", SpectacularJSONAPIView.as_view(), name="api-schema"),
    *([] if settings.COGNITO_USER_POOL_ID else cookies),
    path("auth/me/", MeView.as_view(), name="api-me"),
    path("auth/password/", PasswordView.as_view(), name="api-password"),
    *pages,
    path("", include(router.urls)),
    re_path("", Nowhere.as_view()),
]
