"""Mount with `path("", include("passwordless.urls"))`, under any prefix."""

from django.urls import path

from . import views, webhooks

app_name = "passwordless"
urlpatterns = [
    path("login/", views.LoginView.as_view(), name="login"),
    path("login/code/", views.CodeView.as_view(), name="code"),
    path("login/advance/", views.AdvanceView.as_view(), name="advance"),
    path("login/cancel/", views.CancelView.as_view(), name="cancel"),
    path("login/done/", views.DoneView.as_view(), name="done"),
    path("webhooks/vonage/", webhooks.VonageWebhook.as_view(), name="webhook"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
]
