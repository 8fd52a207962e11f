"""The fixed rules: what a person sees first, and where a secret may be typed."""

import pytest
from saccade.agent import tool
from saccade.agent.approval import risk_of
from saccade.agent.secrets import Secret, Secrets, belongs
from saccade.errors import PolicyError
from saccade.tools.actions import parse_action
from saccade.tools.element import UNKNOWN, Element

HERE = "https://shop.example/cart"
CLICK = {"action": "left_click", "coordinate": [1, 1]}


def target(role: str, name: str, **facts) -> dict[str, Element]:
    return {"coordinate": Element(role, role, name, (0, 0, 10, 10), **facts)}


@pytest.mark.parametrize(
    ("role", "name", "reason"),
    [
        ("button", "Buy now", "spends money"),
        ("button", "Jetzt kaufen", "spends money"),
        ("link", "Delete account", "deletes"),
        ("button", "Send message", "publishes or sends"),
        ("menuitem", "Transfer ownership", "signs or agrees"),
        ("button", "Search", None),
        ("button", "Display settings", None),
        ("textbox", "Pay attention to this field", None),
    ],
)
def test_presses(role, name, reason):
    found = risk_of(parse_action("computer_use", CLICK), target(role, name), HERE)
    assert found is None if reason is None else (found or "").startswith(reason)


@pytest.mark.parametrize(
    ("facts", "risky"),
    [
        ({"submits": "post", "pays": True}, True),
        ({"submits": "post"}, False),
        ({"submits": "get", "pays": True}, False),
        ({"frame": "https://pay.example/"}, True),
    ],
)
def test_forms_and_frames(facts, risky):
    assert (
        bool(risk_of(parse_action("computer_use", CLICK), target("button", "Go on", **facts), HERE)) == risky
    )


@pytest.mark.parametrize(
    ("arguments", "risky"),
    [
        ({"action": "goto", "url": "https://www.shop.example/help"}, False),
        ({"action": "goto", "url": "evil.example"}, True),
        ({"action": "new_tab", "url": "https://evil.example"}, True),
        ({"action": "new_tab"}, False),
        ({"action": "upload_file", "text": "passport.pdf"}, True),
        ({"action": "accept_dialog"}, True),
        ({"action": "dismiss_dialog"}, False),
        ({"action": "scroll", "pixels": -100}, False),
        ({"action": "key", "keys": ["Tab"]}, False),
    ],
)
def test_other_actions(arguments, risky):
    assert bool(risk_of(parse_action("computer_use", arguments), {}, HERE)) == risky


def test_tools_say_it_themselves():
    safe, risky = tool(name="look")(lambda: 1), tool(name="wire", risky=True)(lambda: 1)
    assert risk_of(safe.read({}), {}, HERE) is None
    assert risk_of(risky.read({}), {}, HERE) == "calls your tool wire"


@pytest.mark.parametrize(
    ("url", "host", "allowed"),
    [
        ("https://shop.example/login", "shop.example", True),
        ("http://shop.example/login", "shop.example", False),
        ("https://shop.example.evil.com/", "shop.example", False),
        ("https://my.shop.example/", "shop.example", False),
        ("https://my.shop.example/", "*.shop.example", True),
        ("https://evilshop.example/", "*.shop.example", False),
        ("http://127.0.0.1:8000/", "127.0.0.1:8000", True),
        ("http://127.0.0.1:9000/", "127.0.0.1:8000", False),
        ("https://shop.example:444/", "shop.example:443", False),
        ("about:blank", "shop.example", False),
    ],
)
def test_where_a_secret_belongs(url, host, allowed):
    assert belongs(url, host) == allowed


def test_a_secret_is_filled_in_and_scrubbed():
    secrets = Secrets({"code": Secret("hunter2!", ("shop.example",))})
    action = parse_action("computer_use", {"action": "type", "text": "it is {{ code }} {{other}}"})
    assert secrets.fill(action, HERE, {}).arguments()["text"] == "it is hunter2! {{other}}"
    assert secrets.scrub("echo hunter2!") == "echo {{code}}"
    assert "hunter2" not in repr(Secret("hunter2!", ("shop.example",)))
    assert secrets.named_in(action)
    assert not secrets.named_in(parse_action("computer_use", {"action": "type", "text": "{{other}}"}))


@pytest.mark.parametrize(
    ("host", "frame", "allowed"),
    [
        ("shop.example", None, True),
        ("pay.example", None, False),
        ("shop.example", "https://pay.example/card", False),
        ("pay.example", "https://pay.example/card", True),
        ("pay.example", "http://pay.example/card", False),
        ("pay.example", "about:srcdoc", False),
        ("pay.example", UNKNOWN, False),
        ("shop.example", UNKNOWN, False),
    ],
)
def test_the_frame_decides_that_takes_the_value(host, frame, allowed):
    secrets = Secrets({"code": Secret("hunter2!", (host,))})
    arguments = {"action": "type", "coordinate": [1, 1], "text": "{{code}}"}
    action = parse_action("computer_use", arguments)
    where = target("textbox", "", frame=frame)
    if allowed:
        assert secrets.fill(action, HERE, where).arguments()["text"] == "hunter2!"
        return
    with pytest.raises(PolicyError, match="belongs to"):
        secrets.fill(action, HERE, where)


def test_a_secret_is_not_typed_at_a_point_that_nobody_knows():
    secrets = Secrets({"code": Secret("hunter2!", ("shop.example",))})
    arguments = {"action": "type", "coordinate": [1, 1], "text": "{{code}}"}
    with pytest.raises(PolicyError, match="whose field"):
        secrets.fill(parse_action("computer_use", arguments), HERE, {})
