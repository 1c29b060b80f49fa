"""What the app tells a site, beside Django's own user_logged_in and user_login_failed."""

from django.dispatch import Signal

# Sent after the commit of each move of an attempt, with `attempt` (as it was read, number included),
# `status` and `reason`. Receivers cannot stop a move; their errors are logged and go no further.
attempt_moved = Signal()
