"""Makes the database, puts the keys into it, and becomes gunicorn."""
# mypy: ignore-errors
# Django is nothing that the project needs, so its types are not there when the project is checked.

import os
import sys

import django
from django.core.management import call_command

os.environ["DJANGO_SETTINGS_MODULE"] = "crm.settings"
django.setup()
call_command("migrate", run_syncdb=True, verbosity=0)

from crm.models import Key, Organisation  # noqa: E402  models exist once Django is set up

for name, secret in os.environ.items():
    if name.startswith("KEY_"):
        _, organisation, scope, mark = name.split("_")
        owner, _ = Organisation.objects.get_or_create(name=organisation)
        Key.objects.create(key=secret, user=owner, scope=scope.lower(), is_active=mark.isdigit())

os.execv(sys.executable, [sys.executable, "-m", "gunicorn", "crm.wsgi", "--bind", f"127.0.0.1:{os.environ['PORT']}"])  # noqa: S606
