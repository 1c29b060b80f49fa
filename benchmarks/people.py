"""Who logs in: everybody once, known to all sites alike, and from an address of their own."""

from itertools import islice

CHUNK = 10_000


def number(index):
    """Return the number (E.164) of a login. Neighbours are far apart, as people who log in are."""
    return f"+1415{index * 104_729 % 8_000_000 + 2_000_000:07}"


def stranger(index):
    """Return the number (E.164) of somebody who never comes."""
    return f"+1312{index % 10_000_000:07}"


def address(index):
    """Return where a login comes from: the block that is set aside for benchmarks (RFC 2544)."""
    return f"198.{18 + (index >> 16 & 1)}.{index >> 8 & 255}.{index & 255}"


def in_chunks(things, size=CHUNK):
    """Return lists of them."""
    source = iter(things)
    return iter(lambda: list(islice(source, size)), [])


def tables():
    """Make the tables in the database that is the default one now."""
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)
