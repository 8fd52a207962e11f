"""A Django site of our own, so that Django's admin has something to administrate.

    PYTHONPATH=<Django> python library.py FOLDER    prints its port; the database lies in FOLDER

`/as-librarian?next=/admin/` opens a page as its only user, so that a task need not begin with a password.
`/anew` puts the books back to how they were.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
import sys
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from django.apps import AppConfig
from django.conf import settings

FOLDER = Path(sys.argv[1])
NAME, PASSWORD = "librarian", "quiet-please"


class Library(AppConfig):
    name, label, verbose_name = "__main__", "library", "Library"


settings.configure(
    DEBUG=True,
    SECRET_KEY="for pages on this machine",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
        "__main__.Library",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "library.sqlite3"}},
    STATIC_URL="/static/",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    USE_TZ=False,
)
django.setup()

from django.contrib import admin, auth  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.contrib.staticfiles.handlers import StaticFilesHandler  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.shortcuts import redirect  # noqa: E402
from django.urls import path  # noqa: E402


class Author(models.Model):
    name = models.CharField(max_length=80)
    born = models.IntegerField("Year of birth", null=True, blank=True)

    class Meta:
        app_label = "library"

    def __str__(self) -> str:
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=80)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    pages = models.IntegerField(default=0)
    lent = models.BooleanField("On loan", default=False)

    class Meta:
        app_label = "library"

    def __str__(self) -> str:
        return self.title


class BookAdmin(admin.ModelAdmin):
    list_display = ("title", "author", "pages", "lent")
    list_filter = ("lent",)
    search_fields = ("title", "author__name")
    actions = ("mark_returned",)

    @admin.action(description="Mark selected books as returned")
    def mark_returned(self, request, books) -> None:
        books.update(lent=False)


admin.site.register(Author)
admin.site.register(Book, BookAdmin)

BOOKS = {
    ("Ursula Marsh", 1929): [("The Tide Tables", 310, True), ("A Map of Rain", 198, False)],
    ("Ivo Brandt", 1951): [("Winter Orchard", 254, True), ("Glass Rivers", 402, False)],
    ("Noor Haddad", 1984): [("Salt and Cedar", 176, True)],
}


def as_librarian(request):
    user = User.objects.get(username=NAME)
    auth.login(request, user, "django.contrib.auth.backends.ModelBackend")
    return redirect(request.GET.get("next", "/admin/"))


def anew(request):
    Author.objects.all().delete()
    for (name, born), books in BOOKS.items():
        author = Author.objects.create(name=name, born=born)
        for title, pages, lent in books:
            Book.objects.create(title=title, author=author, pages=pages, lent=lent)
    User.objects.exclude(username=NAME).delete()
    return HttpResponse("as it was")


urlpatterns = [path("admin/", admin.site.urls), path("as-librarian", as_librarian), path("anew", anew)]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Author)
        editor.create_model(Book)
    User.objects.create_superuser(NAME, "librarian@example.com", PASSWORD)
    server = make_server("127.0.0.1", 0, StaticFilesHandler(get_wsgi_application()), handler_class=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
