"""All that a site with a phone column of its own has to write."""

from passwordless.backends import PhoneBackend
from tests.customuser.models import Person


class PersonBackend(PhoneBackend):
    def find_user(self, number):
        return Person.objects.get_by_phone(number)

    def create_user(self, number):
        person = Person(phone=number)
        person.set_unusable_password()
        person.save()
        return person
