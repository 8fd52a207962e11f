"""`act`, `ask` and `extract` on an open page."""

import pytest
import pytest_asyncio
from pydantic import BaseModel
from saccade import Browser
from saccade.agent import Preferences, Reply, ScriptedModel, ToolCall
from saccade.errors import ModelError

pytestmark = pytest.mark.asyncio(loop_scope="module")
PRESS = {"action": "left_click", "coordinate": [500, 250]}


class Count(BaseModel):
    presses: int


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(site):
    async with Browser(site + "/counter", viewport=(640, 480)) as browser:
        yield browser


@pytest.fixture
def said(shared):
    """The browser with a model that says these lines."""

    def script(*lines) -> Browser:
        shared._loaded = ScriptedModel(lines, Preferences((640, 480), "snapshot"))
        return shared

    return script


def call(name: str, **arguments) -> Reply:
    return Reply(calls=[ToolCall(name, arguments)])


async def test_act(said, shared, tmp_path):
    run = await said(PRESS, PRESS, {"action": "terminate", "status": "success"}).act(
        "Press it twice", out=tmp_path / "r"
    )
    assert run.success
    assert await shared.evaluate("n") == 2


async def test_ask(said):
    assert await said(call("answer", text="2")).ask("How often was it pressed?") == "2"
    assert await said("It says 2.").ask("How often?") == "It says 2."
    with pytest.raises(ModelError, match="no usable answer"):
        await said("", "", "").ask("How often?")


async def test_extract(said):
    assert await said(call("finish", presses="2")).extract(Count) == Count(presses=2)
    assert await said("No idea", '{"presses": 2}').extract(Count, "the count") == Count(presses=2)
    with pytest.raises(ModelError, match="is no Count"):
        await said("many", "very many", "really").extract(Count)
