"""What the browser draws itself, or shows to nobody: each has a stand-in on the picture or in words."""

from pathlib import Path

import pytest
from saccade.tools import Browser, parse_action
from saccade.tools.dialogs import Layout
from saccade.tools.observation import Effect
from saccade.vision.screen import changed_fraction

from .conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

BUTTON = "<body style='margin:0'><button style='width:400px;height:200px' onclick='{}'>go</button><p id=out>"
GO = [150, 120]


async def act(browser: Browser, verb: str, **arguments: object) -> Effect:
    return await browser.execute(parse_action(verb, arguments))


def spot(browser: Browser, part: str) -> list[int]:
    """Where a part of the drawn dialog is, relative to the screenshot."""
    assert browser._session is not None
    assert browser._seen is not None
    ask = browser._session.asks.open
    assert ask is not None
    layout = Layout.of(ask, browser._seen.image.size)
    box = layout.rows[0] if part == "row" else getattr(layout, part)
    return list(browser._seen.geometry.image_to_relative(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)))


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        ([("left_click", "accept")], True),
        ([("left_click", "dismiss")], False),
        ([("key", "Enter")], True),
        ([("key", "Escape")], False),
        ([("accept_dialog", None)], True),
        ([("dismiss_dialog", None)], False),
        ([("left_click", [900, 900]), ("accept_dialog", None)], True),
    ],
    ids=str,
)
async def test_confirm_is_held_drawn_and_answered(
    shared: Browser, site: Site, answers: list, result: bool
) -> None:
    page = site.page("/held", BUTTON.format('out.textContent = confirm("Delete all?")'))
    async with Browser(page, viewport=(1000, 700), share=shared) as browser:
        before = await browser.observe()
        effect = await act(browser, "left_click", coordinate=GO)
        seen = await browser.observe()
        assert "Delete all?" in str(effect.dialog)
        assert "Delete all?" in str(seen.dialog)
        assert changed_fraction(before.image, seen.image) > 0.5
        refused = await act(browser, "goto", url=page)
        assert "a dialog is open" in str(refused.error)
        for verb, how in answers:
            arguments = {"keys": how} if verb == "key" else {}
            if verb == "left_click":
                arguments = {"coordinate": how if isinstance(how, list) else spot(browser, how)}
            assert (await act(browser, verb, **arguments)).error is None
        assert await browser.evaluate("out.textContent") == str(result).lower()
        assert "no dialog" in str((await act(browser, "accept_dialog")).error)


async def test_prompt_shows_what_is_typed(shared: Browser, site: Site) -> None:
    page = site.page("/prompt", BUTTON.format('out.textContent = prompt("Name?", "nobody")'))
    async with Browser(page, viewport=(1000, 700), share=shared) as browser:
        await act(browser, "left_click", coordinate=GO)
        await act(browser, "left_click", coordinate=spot(browser, "field"))
        assert (await act(browser, "type", text="Ada Lovelace")).changed > 0
        await act(browser, "left_click", coordinate=spot(browser, "accept"))
        assert await browser.evaluate("out.textContent") == "Ada Lovelace"
        await act(browser, "left_click", coordinate=GO)
        await act(browser, "accept_dialog")
        assert await browser.evaluate("out.textContent") == "nobody"


async def test_leaving_a_page_may_be_refused(shared: Browser, site: Site) -> None:
    site.page("/away", "<h1>away</h1>")
    guard = "addEventListener('beforeunload', (it) => it.preventDefault())"
    page = site.page("/guarded", f"<a href=/away style='font-size:99px'>away</a><script>{guard}</script>")
    async with Browser(page, viewport=(1000, 700), share=shared) as browser:
        for answer, end in [("dismiss_dialog", "/guarded"), ("accept_dialog", "/away")]:
            effect = await act(browser, "left_click", coordinate=[100, 80])
            assert "leave" in str(effect.dialog)
            await act(browser, answer)
            assert (await browser.observe()).url.endswith(end)


async def test_uploads_are_confined(shared: Browser, site: Site, tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    (tmp_path / "allowed" / "cv.txt").write_text("my cv")
    (tmp_path / "secret.txt").write_text("secret")
    script = "document.querySelector('input').files[0].text().then((it) => out.textContent = it)"
    page = site.page("/upload", f"<input type=file style='font-size:60px' onchange=\"{script}\"><p id=out>")
    async with Browser(page, viewport=(1000, 700), share=shared, uploads=[tmp_path / "allowed"]) as browser:
        for name in ("secret.txt", str(tmp_path / "secret.txt"), "../secret.txt", "allowed/../secret.txt"):
            effect = await act(browser, "upload_file", text=name, coordinate=[100, 60])
            assert "the allowed files are: cv.txt" in str(effect.error)
            await act(browser, "dismiss_dialog")
        await act(browser, "left_click", coordinate=[100, 60])
        assert "cv.txt" in str((await browser.observe()).dialog)
        await act(browser, "left_click", coordinate=spot(browser, "row"))
        assert await browser.evaluate("out.textContent") == "my cv"
        (tmp_path / "allowed" / "photo.txt").write_text("my photo")
        assert (await act(browser, "upload_file", text="photo.txt", coordinate=[100, 60])).visible
        assert await browser.evaluate("out.textContent") == "my photo"


async def test_downloads_stay_in_their_folder_and_can_be_uploaded(
    shared: Browser, site: Site, tmp_path: Path
) -> None:
    link = f"<a style='font-size:99px' href='{site.url}/wait?file=..%2Freport.pdf'>get</a>"
    page = site.page("/files", f"{link}<br><input type=file id=it style='font-size:60px'>")
    async with Browser(page, viewport=(1000, 700), share=shared, downloads=tmp_path / "down") as browser:
        for _ in range(2):
            effect = await act(browser, "left_click", coordinate=[50, 90])
            assert "downloaded: " in str(effect.dialog)
            assert "4 bytes" in str(effect.dialog)
        assert [path.parent for path in browser.downloaded] == [tmp_path / "down"] * 2
        assert [path.read_text() for path in browser.downloaded] == ["late", "late"]
        assert len({path.name for path in browser.downloaded}) == 2
        name = browser.downloaded[0].name
        await act(browser, "upload_file", text=name, coordinate=[100, 220])
        assert await browser.evaluate("it.files[0].name") == name


async def test_sign_in(shared: Browser, site: Site) -> None:
    site.secure["/vault"] = "ada:l0ve"
    site.page("/vault", "<h1 id=it>the vault</h1>")
    page = site.page("/door", "<a style='font-size:99px' href=/vault>in</a>")
    async with Browser(page, viewport=(1000, 700), share=shared) as browser:
        effect = await act(browser, "left_click", coordinate=[40, 80])
        assert "user name" in str(effect.dialog)
        assert "failed" in str((await act(browser, "accept_dialog", text="ada:wrong")).error)
        await act(browser, "accept_dialog", text="ada:l0ve")
        seen = await browser.observe()
        assert seen.url == site.url + "/vault"
        assert await browser.evaluate("it.textContent") == "the vault"


@pytest.mark.parametrize("granted", [False, True])
async def test_permissions_asked_for_are_told(shared: Browser, site: Site, granted: bool) -> None:
    script = "navigator.geolocation.getCurrentPosition((it) => out.textContent = it.coords.latitude)"
    page = site.page("/where", BUTTON.format(script))
    where = {"permissions": ["geolocation"], "geolocation": (48.2, 16.4)} if granted else {}
    async with Browser(page, viewport=(1000, 700), share=shared, **where) as browser:
        effect = await act(browser, "left_click", coordinate=GO)
        assert "geolocation" in str(effect.dialog)
        assert ("not allowed" in str(effect.dialog)) is not granted
        assert await browser.evaluate("out.textContent") == ("48.2" if granted else "")


FIELDS = [
    ("date", "2026-11-25", "2026-11-25"),
    ("date", "March 7, 2027", "2027-03-07"),
    ("month", "2027-03", "2027-03"),
    ("week", "2026-W48", "2026-W48"),
    ("time", "2:30 pm", "14:30"),
    ("datetime-local", "2026-11-25 14:30", "2026-11-25T14:30"),
    ("color", "teal", "#008080"),
    ("range", "70", "70"),
]


@pytest.mark.parametrize(("kind", "text", "value"), FIELDS, ids=str)
async def test_fields_without_letters(shared: Browser, site: Site, kind: str, text: str, value: str) -> None:
    events = "oninput='n++' onchange='n++'"
    field = f"<input type={kind} id=it {events} style='width:600px;height:200px'><script>n = 0</script>"
    await act(shared, "goto", url=site.page("/field", field))
    await act(shared, "type", text=text, coordinate=[150, 120])
    assert await shared.evaluate("it.value") == value
    assert await shared.evaluate("n") >= 2
    effect = await act(shared, "type", text="no such thing", coordinate=[150, 120])
    if kind != "range":  # every text is some number to a slider
        assert "the field takes" in str(effect.error)
        assert await shared.evaluate("it.value") == value


async def test_pickers_stay_closed(shared: Browser, site: Site) -> None:
    field = "<input type=date id=it style='font-size:60px'>"
    button = "<button id=b class=at style='top:200px;left:0' onclick='this.textContent = 1'>x</button>"
    await act(shared, "goto", url=site.page("/picker", field + button))
    box = await shared.evaluate("it.getBoundingClientRect().toJSON()")
    effect = await act(shared, "left_click", coordinate=[round(box["right"] - 30), 60])
    assert effect.changed < 0.05
    await act(shared, "left_click", coordinate=[10, 300])
    assert await shared.evaluate("b.textContent") == "1"


async def test_pdf_files_are_shown(shared: Browser, site: Site) -> None:
    site.pages["/paper.pdf"] = PDF
    effect = await act(shared, "goto", url=site.url + "/paper.pdf")
    assert effect.error is None  # a browser without a viewer calls it a download
    seen = await shared.observe()
    assert seen.url.endswith("/paper.pdf")
    pixels = seen.image.convert("L").histogram()
    assert sum(pixels[250:]) > 20_000, "no white sheet"
    assert sum(pixels[:10]) > 50, "no letters"


PDF = """%PDF-1.1
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 144]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 44>>stream
BT /F1 24 Tf 50 80 Td (Hello PDF) Tj ET
endstream endobj 5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>"""
