"""Phone login for Django: a code by Vonage Verify instead of a password."""

__version__ = "0.1.0"
