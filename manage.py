#!/usr/bin/env python3
"""Django's manage.py, except that `demo` and `test` first make their own environment (see bootstrap)."""

import os
import sys

if sys.version_info < (3, 11):  # this file is plain enough for any Python 3 to read as far as the sentence
    sys.exit("Python 3.11 or newer is needed; %s is %d.%d." % (sys.executable, *sys.version_info[:2]))

import bootstrap


def main():
    bootstrap.enter(sys.argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise ImportError("There is no Django here: run `python3 manage.py demo` first.") from error

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
