"""What gunicorn serves."""
# mypy: ignore-errors
# Django is nothing that the project needs, so its types are not there when the project is checked.

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm.settings")
application = get_wsgi_application()
