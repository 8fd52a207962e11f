"""The policy by itself, and the gate that enforces it, with real browsers and real servers."""

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saccade.errors import BrowserError, PolicyError
from saccade.tools import Browser, NetworkPolicy, parse_action

from .conftest import Site

DENIED = [
    "http://127.0.0.1/",
    "http://127.1:8080/",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://localhost:3000/",
    "http://foo.localhost/",
    "http://printer.local/",
    "http://10.1.2.3/",
    "http://192.168.0.1/",
    "http://172.16.0.1/",
    "http://169.254.169.254/latest/meta-data",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://[::1]/",
    "http://[fe80::1]/",
    "http://[fd00::1]/",
    "http://[::ffff:127.0.0.1]/",
    "ws://127.0.0.1/",
    "file:///etc/passwd",
    "chrome://settings",
    "view-source:https://example.com",
    "javascript:alert(1)",
    "data:text/html,x",
    "ftp://example.com/",
    "https://",
]


@pytest.mark.parametrize("url", DENIED)
async def test_denied_unless_allowed(url: str) -> None:
    with pytest.raises(PolicyError):
        await NetworkPolicy().check(url)


@pytest.mark.parametrize("url", ["https://93.184.215.14/", "http://8.8.8.8:8080/x", "about:blank"])
async def test_public_addresses_are_open(url: str) -> None:
    await NetworkPolicy().check(url)


@pytest.mark.parametrize(
    ("rule", "url"),
    [
        ("localhost", "http://localhost:9/"),
        ("127.0.0.1", "http://127.0.0.1:9/"),
        ("127.0.0.1:9", "http://127.0.0.1:9/"),
        ("10.0.0.0/8", "http://10.200.3.4/"),
        ("*.localhost", "http://a.b.localhost/"),
        ("[::1]:9", "http://[::1]:9/"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9/x"),
    ],
)
async def test_allowed_hosts(rule: str, url: str) -> None:
    await NetworkPolicy([rule]).check(url)


@pytest.mark.parametrize(
    ("rule", "url"),
    [
        ("127.0.0.1:9", "http://127.0.0.1:10/"),
        ("10.0.0.0/8", "http://11.0.0.1.localhost/"),
        ("*.localhost", "http://localhost/"),
        ("example.com", "http://127.0.0.1/"),
    ],
)
async def test_rules_allow_no_more_than_they_say(rule: str, url: str) -> None:
    with pytest.raises(PolicyError):
        await NetworkPolicy([rule]).check(url)


async def test_names_that_resolve_to_private_addresses_are_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(host: str) -> tuple:
        return (ipaddress.ip_address("93.184.215.14"), ipaddress.ip_address("10.0.0.1"))

    monkeypatch.setattr("saccade.tools.policy._look_up", resolve)
    with pytest.raises(PolicyError, match=r"rebind\.example"):
        await NetworkPolicy().check("https://rebind.example/")
    await NetworkPolicy(["rebind.example"]).check("https://rebind.example/")


@given(st.ip_addresses().filter(lambda it: it.is_private or it.is_loopback or it.is_link_local))
def test_no_private_number_gets_through(address: ipaddress.IPv4Address) -> None:
    from saccade.tools.policy import _is_public

    assert not _is_public(address)


def test_a_file_start_page_opens_its_folder_only() -> None:
    policy = NetworkPolicy()
    policy.allow_url("file:///home/me/site/index.html")
    assert policy.allows_local("file:///home/me/site/next.html")
    assert not policy.allows_local("file:///home/me/secret.txt")
    assert not policy.allows_local("file:///home/me/site/../secret.txt")
    assert not policy.allows_local("file:///home/me/site/%2e%2e/secret.txt")


async def test_start_url_allows_its_own_port_only(site: Site, elsewhere: Site) -> None:
    start = site.page("/start", "<h1>start</h1>")
    async with Browser(start) as browser:
        effect = await browser.execute(parse_action("goto", {"url": elsewhere.url + "/secret"}))
        assert effect.error is not None
        assert f"127.0.0.1:{elsewhere.port}" in effect.error
        assert (await browser.observe()).url == start
        assert elsewhere.hits == []

        site.page(
            "/link", f"<a class=at style='left:0;top:0;font-size:99px' href='{elsewhere.url}/secret'>go</a>"
        )
        await browser.execute(parse_action("goto", {"url": site.url + "/link"}))
        effect = await browser.execute(parse_action("left_click", {"coordinate": [20, 80]}))
        assert "denies" in str(effect.error)
        assert elsewhere.hits == []


async def test_every_other_way_out_is_closed_too(site: Site, elsewhere: Site) -> None:
    site.page("/inner", "<p>inner")
    start = site.page("/ways", f"<iframe src='{site.url}/to?url={elsewhere.url}/secret'></iframe>")
    async with Browser(start) as browser:
        redirect = parse_action("goto", {"url": f"{site.url}/to?url={elsewhere.url}/secret"})
        assert "denies" in str((await browser.execute(redirect)).error)
        await browser.execute(parse_action("goto", {"url": start}))
        await browser.evaluate(
            """async (url) => {
              await Promise.allSettled([
                fetch(url + "/secret", {mode: "no-cors"}),
                new Promise((done) => { new WebSocket(url.replace("http", "ws")).onclose = done; }),
                new Promise((done) => {
                  const it = new Image(); it.onerror = done; it.src = url + "/secret";
                }),
                new Promise((done) => {
                  const text = `fetch("${url}/secret", {mode: "no-cors"}).finally(() => postMessage(1))`;
                  const it = new Worker(URL.createObjectURL(new Blob([text]))); it.onmessage = done;
                }),
              ]);
              open(url + "/secret");
            }""",
            elsewhere.url,
        )
        await browser.observe()
        assert elsewhere.hits == []
        assert "/ways" in site.hits


async def test_a_start_page_that_is_not_there_is_one_line(elsewhere: Site) -> None:
    elsewhere.close()
    with pytest.raises(BrowserError, match="nothing answers there") as caught:
        await Browser(elsewhere.url).start()
    assert "\n" not in str(caught.value)
    with pytest.raises(BrowserError, match="no such host"):
        await Browser("http://nowhere.invalid/").start()


async def test_files_are_denied_unless_the_user_starts_there(tmp_path: Path, site: Site) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    page = tmp_path / "site" / "index.html"
    page.write_text("<a style='font-size:99px' href='../secret.txt'>out</a>")
    async with Browser(page.as_uri()) as browser:
        assert (await browser.observe()).url == page.as_uri()
        await browser.execute(parse_action("left_click", {"coordinate": [40, 80]}))
        seen = await browser.observe()
        assert seen.url == "about:blank"
        effect = await browser.execute(parse_action("goto", {"url": (tmp_path / "secret.txt").as_uri()}))
        assert "denies" in str(effect.error)
