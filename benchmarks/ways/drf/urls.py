"""The site with drfpasswordless; its home page takes the token."""

from django.urls import include, path
from rest_framework.decorators import api_view
from rest_framework.response import Response


@api_view()
def home(request):
    """Greet."""
    return Response({"home of": str(request.user)})


urlpatterns = [path("", home, name="home"), path("", include("drfpasswordless.urls"))]
