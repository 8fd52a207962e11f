"""What a page hears while text is written into it: keys, compositions, insertions."""

import pytest
from saccade.tools import Browser, parse_action
from saccade.tools.writing import parts

from .conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIELDS = {
    "input": "<input id=it class=at style='left:0;top:0;width:500px;height:80px'>",
    "textarea": "<textarea id=it class=at style='left:0;top:0;width:500px;height:80px'></textarea>",
    "rich": "<div id=it contenteditable class=at style='left:0;top:0;width:500px;height:80px'></div>",
}
HEARING = """<script>
  window.heard = [];
  for (const type of ["keydown", "keyup", "compositionstart", "compositionend", "input"])
    it.addEventListener(type, (event) => heard.push([type, event.key ?? event.data ?? ""]));
</script>"""


async def listen(browser: Browser, site: Site, kind: str, text: str) -> list[list[str]]:
    await browser.execute(parse_action("goto", {"url": site.page(f"/hears-{kind}", FIELDS[kind] + HEARING)}))
    await browser.execute(parse_action("left_click", {"coordinate": [100, 50]}))
    effect = await browser.execute(parse_action("type", {"text": text}))
    assert effect.error is None
    value = await browser.evaluate("it.value ?? it.textContent")
    assert value.replace("\xa0", " ") == text
    return await browser.evaluate("heard")


@pytest.mark.parametrize("kind", FIELDS)
async def test_an_input_method_composes(shared: Browser, site: Site, kind: str) -> None:
    heard = await listen(shared, site, kind, "in 東京 と 서울!")
    composed = [data for type_, data in heard if type_ == "compositionend"]
    assert composed == ["東京", "と", "서울"]
    assert sum(type_ == "compositionstart" for type_, _ in heard) == 3
    assert ["keydown", "i"] in heard
    assert ["keydown", "!"] in heard


@pytest.mark.parametrize("kind", FIELDS)
async def test_letters_of_other_layouts_are_keys(shared: Browser, site: Site, kind: str) -> None:
    heard = await listen(shared, site, kind, "Größe Ñandú привет αβγ שלום")
    for letter in "öÑúпαש":
        assert ["keydown", letter] in heard
        assert ["keyup", letter] in heard
    assert not any(type_.startswith("composition") for type_, _ in heard)


async def test_emoji_are_inserted_whole(shared: Browser, site: Site) -> None:
    text = "Hi 👋🏽 🇦🇹 e\u0301 𠮷野家"
    heard = await listen(shared, site, "input", text)
    assert ["input", "👋🏽"] in heard
    assert ["compositionend", "𠮷野家"] in heard


async def test_a_letter_is_pressed_as_a_key(shared: Browser, site: Site) -> None:
    await listen(shared, site, "input", "a")
    assert (await shared.execute(parse_action("key", {"keys": ["ß"]}))).error is None
    assert (await shared.execute(parse_action("key", {"keys": ["あ"]}))).error is None
    assert await shared.evaluate("it.value") == "aßあ"


async def test_composed_text_in_a_foreign_frame(shared: Browser, site: Site, elsewhere: Site) -> None:
    elsewhere.page("/writes", FIELDS["input"] + HEARING)
    url = f"http://localhost:{elsewhere.port}/writes"
    page = site.page(
        "/frames-writing", f"<iframe src='{url}' width=600 height=200 style='border:0'></iframe>"
    )
    async with Browser(page, (1000, 700), share=shared, allow_hosts=[url.split("/")[2]]) as browser:
        await browser.execute(parse_action("type", {"text": "ä東京", "coordinate": [100, 50]}))
        (frame,) = browser.page.frames[1:]
        assert await frame.evaluate("it.value") == "ä東京"
        assert ["compositionend", "東京"] in await frame.evaluate("heard")


async def test_parts() -> None:
    assert list(parts("ab é東京👋🏽c")) == [
        ("keys", "ab "),
        ("letter", "é"),
        ("compose", "東京"),
        ("insert", "👋🏽"),
        ("keys", "c"),
    ]
    assert list(parts("")) == []
