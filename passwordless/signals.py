"""What the app tells a site, beside Django's own user_logged_in and user_login_failed."""

from django.dispatch import Signal

# Sent after the commit of each move of an attempt, with `attempt` (as it stands then, number included),
# `status` and `reason`. Receivers cannot stop a move; their errors are logged and go no further.
attempt_moved = Signal()

# Sent when few of the codes to a country come back, with `country` (ISO), `ended` and `verified` of the last
# hour. Vonage blocks networks for that; messages to numbers that nobody reads are often fraud.
conversion_low = Signal()
