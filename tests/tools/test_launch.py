"""Ways to get a browser: one Chromium for several, profiles, saved logins, proxies, what pages are told."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from saccade.errors import BrowserError, InputError
from saccade.tools import Browser, NetworkPolicy, parse_action
from saccade.tools.driver import start_driver
from saccade.tools.gate import Gate

from .conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

COUNT = """<h1 id=it></h1><script>
localStorage.n = Number(localStorage.n ?? 0) + 1; it.textContent = localStorage.n</script>"""


async def test_browsers_share_a_process_and_nothing_else(
    shared: Browser, site: Site, elsewhere: Site
) -> None:
    page = site.page("/count", COUNT)
    async with Browser(page, (800, 600), share=shared) as one, Browser(page, (400, 300), share=one) as two:
        looks = await asyncio.gather(one.observe(), two.observe())
        assert [look.image.size for look in looks] == [(800, 600), (400, 300)]
        assert await one.evaluate("it.textContent") == await two.evaluate("it.textContent") == "1"
        process = shared._running().process
        assert one._running().process is two._running().process is process
        effects = await asyncio.gather(
            *(it.execute(parse_action("goto", {"url": elsewhere.url + "/secret"})) for it in (one, two))
        )
        assert all("denies" in str(effect.error) for effect in effects)
    assert (await shared.observe()).image.size == (1000, 700)


async def test_a_process_ends_with_its_last_browser(site: Site) -> None:
    page = site.page("/plain", "<h1>plain</h1>")
    first = Browser(page)
    await first.start()
    second = Browser(page, share=first)
    await second.start()
    process = second._running().process
    await first.close()
    assert (await second.observe()).url == page
    await second.close()
    assert process is not None
    assert not process.alive
    with pytest.raises(BrowserError, match="not started"):
        await Browser(page, share=first).start()


async def test_saved_logins(shared: Browser, site: Site, tmp_path: Path) -> None:
    page = site.page("/count", COUNT)
    async with Browser(page, share=shared) as browser:
        await browser.evaluate("document.cookie = 'who=ada; max-age=9999'")
        state = await browser.save_storage(tmp_path / "ada.json")
    async with Browser(page, share=shared, storage_state=state) as browser:
        assert await browser.evaluate("[it.textContent, document.cookie]") == ["2", "who=ada"]


async def test_profile(site: Site, tmp_path: Path) -> None:
    page = site.page("/count", COUNT)
    for count in ("1", "2"):
        async with Browser(page, (640, 480), profile=tmp_path / "profile") as browser:
            assert (await browser.observe()).image.size == (640, 480)
            assert await browser.evaluate("it.textContent") == count


async def test_what_pages_are_told(shared: Browser, site: Site) -> None:
    asked = "[navigator.userAgent, navigator.language, Intl.DateTimeFormat().resolvedOptions().timeZone]"
    page = site.page("/plain", "<h1>plain</h1>")
    told: dict[str, Any] = {"user_agent": "Saccade test", "locale": "pt-BR", "timezone": "America/Recife"}
    async with Browser(page, share=shared, **told) as browser:
        assert await browser.evaluate(asked) == list(told.values())
    async with Browser(page, share=shared, device="Pixel 7") as browser:
        assert "Android" in (await browser.evaluate(asked))[0]
        assert await browser.evaluate("[devicePixelRatio > 2, navigator.maxTouchPoints > 0]") == [True, True]
        assert (await browser.observe()).geometry.css_width < 500
    with pytest.raises(BrowserError, match="no device preset"):
        await Browser(page, share=shared, device="Toaster").start()


@pytest.mark.parametrize(
    "options",
    [{"cdp_url": "http://127.0.0.1:9", "proxy": "http://p:1"}, {"profile": "x", "storage_state": {}}],
    ids=str,
)
async def test_options_that_exclude_each_other(options: dict) -> None:
    with pytest.raises(InputError):
        await Browser(**options).start()


class Proxy:
    """HTTP CONNECT with a password; remembers who was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        place = head.split()[1]
        self.asked.append(place)
        if "Basic YWRhOmwwdmU=" not in head:
            writer.write(b"HTTP/1.1 407 No\r\n\r\n")
            return writer.close()
        far = await asyncio.open_connection("127.0.0.1", int(place.rpartition(":")[2]))
        writer.write(b"HTTP/1.1 200 Yes\r\n\r\n")

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while chunk := await source.read(9999):
                target.write(chunk)

        await asyncio.gather(pump(reader, far[1]), pump(far[0], writer))


@pytest_asyncio.fixture(loop_scope="session")
async def proxy() -> AsyncIterator[tuple[Proxy, int]]:
    proxy = Proxy()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    yield proxy, server.sockets[0].getsockname()[1]
    server.close()


async def test_http_proxy(shared: Browser, site: Site, elsewhere: Site, proxy: tuple[Proxy, int]) -> None:
    page = site.page("/plain", "<title>Plain</title>")
    upstream = f"http://ada:l0ve@127.0.0.1:{proxy[1]}"
    async with Browser(page, share=shared, proxy=upstream) as browser:
        assert (await browser.observe()).title == "Plain"
        assert proxy[0].asked == [f"127.0.0.1:{site.port}"] * len(proxy[0].asked) != []
        effect = await browser.execute(parse_action("goto", {"url": elsewhere.url + "/secret"}))
        assert "denies" in str(effect.error), "the policy is asked before the proxy"
    with pytest.raises(BrowserError, match="nothing answers there"):
        await Browser(page, share=shared, proxy=f"http://ada:wrong@127.0.0.1:{proxy[1]}").start()


async def test_socks_proxy(shared: Browser, site: Site) -> None:
    """Our own gate speaks SOCKS5, so it can stand for a proxy of the user's."""
    page = site.page("/plain", "<title>Plain</title>")
    far = Gate(NetworkPolicy([f"127.0.0.1:{site.port}"]))
    async with Browser(page, share=shared, proxy=await far.start()) as browser:
        assert (await browser.observe()).title == "Plain"
    await far.close()


async def test_a_proxy_that_is_none(shared: Browser) -> None:
    with pytest.raises(InputError, match="ftp"):
        await Browser(share=shared, proxy="ftp://127.0.0.1:1").start()


async def test_a_proxy_that_is_down(shared: Browser, site: Site) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        browser = Browser(site.page("/plain", ""), share=shared, proxy=f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(BrowserError, match="nothing answers there"):
            await browser.start()


async def test_the_driver_keeps_what_it_compiled_and_leaves_the_environment_alone(tmp_path, monkeypatch):
    monkeypatch.delenv("NODE_COMPILE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    driver = await start_driver()
    await driver.stop()
    assert "NODE_COMPILE_CACHE" not in os.environ
    assert any(it.is_file() for it in (tmp_path / "saccade" / "driver").rglob("*"))


async def test_a_browser_may_be_prepared_before_its_viewport_is_known(site: Site):
    browser = Browser(site.page("/prepared", "<h1>here</h1>"))
    await browser.prepare()
    process = browser._prepared.process if browser._prepared else None
    assert process is not None
    assert not browser.started
    browser.viewport = (500, 400)
    async with browser:
        assert browser._running().process is process
        assert (await browser.observe()).image.size == (500, 400)
        await browser.prepare()  # nothing left to prepare
        assert browser._prepared is None
    assert not process.alive


async def test_what_was_prepared_is_closed(site: Site):
    browser = Browser()
    await browser.prepare()
    process = browser._prepared.process if browser._prepared else None
    await browser.close()
    assert process is not None
    assert process.browser is not None
    assert not process.browser.is_connected()
    with pytest.raises(BrowserError, match="no browser at"):
        await Browser(executable="/nowhere/chromium").prepare()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_what_playwright_switches_off_stays_off(shared: Browser) -> None:
    """Chromium takes the last of several `--disable-features` alone."""
    lists = [
        [word.partition("=")[2].split(",") for word in words if word.startswith("--disable-features=")]
        for words in commands_below(os.getpid())
        if "--remote-debugging-pipe" in words and not any(it.startswith("--type=") for it in words)
    ]
    assert any(len(found) > 1 for found in lists)
    for found in lists:
        assert {name for names in found for name in names} == set(found[-1])


def commands_below(root: int) -> list[list[str]]:
    """The command lines of all processes that descend from one."""
    parents, commands = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            commands[int(folder.name)] = (
                (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            )

    def descends(process: int) -> bool:
        return process == root or (process in parents and descends(parents[process]))

    return [words for process, words in commands.items() if descends(process)]


async def test_a_gate_that_closes_leaves_no_work_behind(site: Site):
    """What is under way when the event loop ends would be reported on stderr."""
    before, gate = asyncio.all_tasks(), Gate(NetworkPolicy([f"127.0.0.1:{site.port}"]))
    port = int((await gate.start()).rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x05\x01\x00" + b"\x05\x01\x00\x01\x7f\x00\x00\x01" + site.port.to_bytes(2, "big"))
    assert await reader.readexactly(2 + 10) == b"\x05\x00" + b"\x05\x00\x00\x01" + bytes(6)
    assert asyncio.all_tasks() > before
    await gate.close()
    assert asyncio.all_tasks() == before
    assert await reader.read() == b""
    writer.close()
