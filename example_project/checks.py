"""What must not go into production with this site."""

from typing import Any

from django.core.checks import Error, Tags, register

from . import inbox


@register(Tags.security, deploy=True)
def check_virtual_phone(**kwargs: Any) -> list[Error]:
    """Refuse the emulator: its virtual phone shows the codes of all visitors to everybody."""
    if not inbox.in_use():
        return []
    return [
        Error(
            "The emulator answers in place of Vonage, and /phone/ shows its codes to everybody.",
            hint="Unset DEBUG and VONAGE_EMULATOR, take VONAGE_API_HOST=http://... away, and set "
            "VONAGE_API_KEY and VONAGE_API_SECRET.",
            id="example.E001",
        )
    ]
