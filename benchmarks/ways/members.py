"""Users whose number is a column of theirs."""

from ..people import in_chunks, stranger


def people(numbers):
    """Make them."""
    from ..models import Member

    for chunk in in_chunks(numbers):
        Member.objects.bulk_create(Member(username=f"u{one}", phone=one, password="!") for one in chunk)


def stored(rows):
    """Make as many users who never come."""
    people(stranger(index) for index in range(rows))
