"""Every address of the interface, below /api/v1/."""

from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView

from .own import OwnAssignmentViewSet, OwnLedgerView, OwnTagsView, ProfileView
from .router import pages, register, router
from .signing_in import LoginView, LogoutView, MeView, PasswordView, RefreshView

register("me/assignments", OwnAssignmentViewSet)

urlpatterns = [
    path("schema/", SpectacularJSONAPIView.as_view(), name="api-schema"),
    path("auth/login/", LoginView.as_view(), name="api-login"),
    path("auth/logout/", LogoutView.as_view(), name="api-logout"),
    path("auth/token/refresh/", RefreshView.as_view(), name="api-token-refresh"),
    path("auth/me/", MeView.as_view(), name="api-me"),
    path("auth/password/", PasswordView.as_view(), name="api-password"),
    path("me/profile/", ProfileView.as_view(), name="api-me-profile"),
    path("me/tags/", OwnTagsView.as_view(), name="api-me-tags"),
    path("me/ledger/", OwnLedgerView.as_view(), name="api-me-ledger"),
    *pages,
    path("", include(router.urls)),
]
