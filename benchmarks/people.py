"""Who logs in: people with numbers of fiction, known to the floor and to the app alike."""

NUMBERS = [f"+141555501{index:02}" for index in range(100)]


def fill():
    """Make the tables and the people in the database that is the default one now."""
    from django.contrib.auth.hashers import make_password
    from django.core.management import call_command

    from passwordless.models import PhoneNumber

    from .models import Member

    call_command("migrate", run_syncdb=True, verbosity=0)
    people = [
        Member(username=f"member{index}", phone=number, password=make_password(None))
        for index, number in enumerate(NUMBERS)
    ]
    Member.objects.bulk_create(people)
    saved = Member.objects.order_by("pk")
    PhoneNumber.objects.bulk_create(PhoneNumber(user=one, number=one.phone) for one in saved)


def forget_counters():
    """Let everybody ask again at once: only waiting is taken away, the work of counting stays."""
    from passwordless.models import Counter

    Counter.objects.all().delete()
