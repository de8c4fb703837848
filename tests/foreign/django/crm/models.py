"""Organisations, their keys and their leads."""
# mypy: ignore-errors
# Django is nothing that the project needs, so its types are not there when the project is checked.

import uuid

from django.db import models


class Organisation(models.Model):
    name = models.CharField(max_length=100, unique=True)
    is_authenticated = True

    def __str__(self):
        return self.name


class Key(models.Model):
    """What `TokenAuthentication` calls a token; its user is an organisation."""

    key = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(Organisation, on_delete=models.CASCADE)
    scope = models.CharField(max_length=10)
    is_active = models.BooleanField()

    def __str__(self):
        return f"{self.scope} key {self.pk}"


class Lead(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE)
    name = models.CharField(max_length=100)
    email = models.CharField(max_length=100, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("created", "id")

    def __str__(self):
        return self.name
