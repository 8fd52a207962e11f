"""The example shop: a small web server whose own state says whether a task was done.

Knows HTTP and sessions; knows nothing of agents or models. One cookie per browser, one `Session` behind it.
`GET /api/state` returns the session of the caller's cookie, or the newest one when there is no cookie.

    python examples/shop/server.py --port 8000
"""

import argparse
import json
import sys
import threading
import uuid
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

if __package__:
    from . import pages
else:
    import pages

HERE = Path(__file__).parent
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
DELIVERY_FIELDS = {
    "name": "your full name",
    "email": "your email",
    "address": "your address",
    "city": "your city",
}
FIRST_ORDER = 1001


@dataclass
class Session:
    """What one visitor did: the truth by which a run is judged."""

    pages: list[str] = field(default_factory=list)
    searches: list[str] = field(default_factory=list)
    cart: dict[str, int] = field(default_factory=dict)
    delivery: dict[str, str] = field(default_factory=dict)
    orders: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, str]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(self.cart.values())


class Server(ThreadingHTTPServer):
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves in the middle of a page is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Shop:
    """The shop on 127.0.0.1, as a context manager; `port=0` takes a free one. `theme` names a stylesheet that
    is loaded on top: "night" looks different and has everything somewhere else.
    """

    def __init__(self, port: int = 0, theme: str | None = None):
        self.theme = theme
        self.sessions: dict[str, Session] = {}
        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", port), type("Handler", (Handler,), {"shop": self}))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def __enter__(self) -> "Shop":
        threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def session(self, sid: str | None) -> tuple[str, Session]:
        with self.lock:
            if sid not in self.sessions:
                sid = uuid.uuid4().hex
                self.sessions[sid] = Session()
            return sid, self.sessions[sid]

    def state(self, sid: str | None = None) -> dict[str, Any]:
        """The visitor's state as plain data; without `sid`, that of the newest visitor."""
        with self.lock:
            known = self.sessions.get(sid or "") or next(reversed(self.sessions.values()), Session())
            return json.loads(json.dumps(asdict(known)))

    def next_order(self) -> int:
        with self.lock:
            return FIRST_ORDER + sum(len(session.orders) for session in self.sessions.values())


class Handler(BaseHTTPRequestHandler):
    """Routes: GET renders a page; POST changes the session and redirects, or answers the page's script."""

    shop: Shop
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, query = self.parse()
        if path == "/api/state":
            return self.send_json(self.shop.state(self.cookie()))
        if path.startswith("/static/"):
            return self.send_static(path.removeprefix("/static/"))
        self.open_session()
        self.session.pages.append(self.path)
        html = self.page(path, query)
        status = HTTPStatus.NOT_FOUND if html is None else HTTPStatus.OK
        self.send(html or pages.missing(self.session), "text/html", status)

    def page(self, path: str, query: dict[str, str]) -> str | None:
        session = self.session
        match path.strip("/").split("/"):
            case [""]:
                return pages.home(session)
            case ["search"]:
                if query.get("q", "").strip():
                    session.searches.append(query["q"].strip())
                return pages.search(session, query.get("q", "").strip())
            case ["category", slug] if slug in pages.CATEGORIES:
                return pages.category(session, slug)
            case ["product", slug] if slug in pages.PRODUCTS:
                return pages.product(session, slug)
            case ["cart"]:
                return pages.cart(session)
            case ["checkout"]:
                return pages.checkout(session) if session.cart else pages.cart(session)
            case ["checkout", "review"]:
                return pages.review(session) if session.cart and session.delivery else pages.cart(session)
            case ["order", number]:
                order = next((o for o in session.orders if str(o["number"]) == number), None)
                return pages.order(session, order) if order else None
            case ["help" | "about" | "contact" as name]:
                return pages.article(session, name, sent="sent" in query)
        return None

    def do_POST(self) -> None:
        path, _ = self.parse()
        form = self.read_form()
        self.open_session()
        match path:
            case "/cart/add" if form.get("id") in pages.PRODUCTS:
                self.add(form["id"], max(1, number(form.get("quantity"), 1)))
            case "/cart/change" if form.get("id") in self.session.cart:
                self.change(form["id"], number(form.get("quantity"), 0))
            case "/checkout" if self.session.cart:
                self.deliver(form)
            case "/checkout/place" if self.session.cart and self.session.delivery:
                self.place(form.get("payment", "card"))
            case "/contact":
                self.contact(form)
            case _:
                self.send(pages.missing(self.session), "text/html", HTTPStatus.NOT_FOUND)

    def add(self, slug: str, quantity: int) -> None:
        cart = self.session.cart
        cart[slug] = min(99, cart.get(slug, 0) + quantity)
        if self.headers.get("Accept") == "application/json":
            product = pages.PRODUCTS[slug]
            self.send_json({"count": self.session.count, "name": product["name"], "quantity": cart[slug]})
        else:
            self.redirect("/cart")

    def change(self, slug: str, quantity: int) -> None:
        self.session.cart[slug] = min(99, quantity)
        if quantity < 1:
            del self.session.cart[slug]
        self.redirect("/cart")

    def deliver(self, form: dict[str, str]) -> None:
        values = {key: form.get(key, "").strip() for key in DELIVERY_FIELDS}
        values["shipping"] = "express" if form.get("shipping") == "express" else "standard"
        errors = {key: f"Enter {what}" for key, what in DELIVERY_FIELDS.items() if not values[key]}
        if "email" not in errors and "@" not in values["email"]:
            errors["email"] = "Enter an email with an @"
        if errors:
            self.send(pages.checkout(self.session, values, errors), "text/html")
            return
        self.session.delivery = values
        self.redirect("/checkout/review")

    def place(self, payment: str) -> None:
        session, order = self.session, self.shop.next_order()
        totals = pages.totals(session.cart, session.delivery["shipping"])
        session.orders.append(
            {"number": order, "items": dict(session.cart), **session.delivery, "payment": payment, **totals}
        )
        session.cart.clear()
        self.redirect(f"/order/{order}")

    def contact(self, form: dict[str, str]) -> None:
        self.session.messages.append({key: form.get(key, "").strip() for key in ("email", "message")})
        self.redirect("/contact?sent=1")

    def parse(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        return parts.path, {key: values[-1] for key, values in parse_qs(parts.query).items()}

    def read_form(self) -> dict[str, str]:
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 64_000))
        return {key: values[-1] for key, values in parse_qs(body.decode("utf-8", "replace")).items()}

    def cookie(self) -> str | None:
        morsel = SimpleCookie(self.headers.get("Cookie", "")).get("visitor")
        return morsel.value if morsel else None

    def open_session(self) -> None:
        self.sid, self.session = self.shop.session(self.cookie())

    def send_static(self, name: str) -> None:
        file = HERE / "static" / Path(name).name
        if file.suffix not in TYPES or not file.is_file():
            return self.send("Not found", "text/plain", HTTPStatus.NOT_FOUND)
        self.send(file.read_text("utf-8"), TYPES[file.suffix], cache="max-age=3600")

    def send_json(self, value: Any) -> None:
        self.send(json.dumps(value), "application/json")

    def redirect(self, location: str) -> None:
        self.send("", "text/plain", HTTPStatus.SEE_OTHER, location=location)

    def send(
        self, text: str, kind: str, status: int = HTTPStatus.OK, location: str = "", cache: str = "no-store"
    ) -> None:
        if kind == "text/html" and self.shop.theme:
            theme = f'<link rel="stylesheet" href="/static/{self.shop.theme}.css">'
            text = text.replace("</head>", f"{theme}</head>", 1)
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", cache)
        if location:
            self.send_header("Location", location)
        if getattr(self, "sid", None) and self.sid != self.cookie():
            self.send_header("Set-Cookie", f"visitor={self.sid}; Path=/; HttpOnly; SameSite=Lax")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve the example shop on 127.0.0.1.")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--theme", choices=["night"], help="another design of the same shop")
    options = parser.parse_args()
    shop = Shop(options.port, options.theme)
    print(f"The shop is open at {shop.url} (Ctrl-C closes it)", flush=True)
    try:
        shop.server.serve_forever()
    except KeyboardInterrupt:
        shop.server.server_close()


if __name__ == "__main__":
    main()
