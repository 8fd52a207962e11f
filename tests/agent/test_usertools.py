"""Functions with type hints as actions: their schema, their arguments, their names."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field
from saccade.agent import tool
from saccade.errors import ActionError, InputError
from saccade.tools import Browser


class Article(BaseModel):
    name: str
    amount: int = 1


@tool
def order(
    articles: list[Article],
    currency: Annotated[Literal["EUR", "USD"], Field(description="To pay in.")] = "EUR",
) -> str:
    """Order articles from the warehouse."""
    return ", ".join(article.name for article in articles)


def test_the_schema_comes_from_the_hints():
    function = order.schema()["function"]
    assert (function["name"], function["description"]) == ("order", "Order articles from the warehouse.")
    parameters = function["parameters"]
    assert parameters["required"] == ["articles"]
    assert parameters["properties"]["currency"]["enum"] == ["EUR", "USD"]
    assert parameters["properties"]["currency"]["description"] == "To pay in."
    assert parameters["additionalProperties"] is False


def test_a_tool_is_still_a_function():
    assert order([Article(name="mug")]) == "mug"


async def test_arguments_are_validated_and_text_is_opened():
    use = order.read({"articles": '[{"name": "mug"}, {"name": "lamp", "amount": "2"}]'})
    assert use.values["articles"][1].amount == 2
    assert await use.run(None) == "mug, lamp"
    assert use.arguments()["articles"][0] == {"name": "mug", "amount": 1}


@pytest.mark.parametrize("arguments", [{}, {"articles": 3}, {"articles": [], "color": "red"}])
def test_wrong_arguments_are_an_action_error(arguments):
    with pytest.raises(ActionError, match=r"^order: "):
        order.read(arguments)


def test_the_browser_is_hidden_from_the_model():
    @tool
    def shoot(browser: Browser, name: str) -> None:
        """Take a picture."""

    assert list(shoot.schema()["function"]["parameters"]["properties"]) == ["name"]
    assert shoot.injected == ("browser",)


def test_names_and_hints_are_needed():
    with pytest.raises(InputError, match="that is an action"):
        tool(name="left_click")(lambda: None)
    with pytest.raises(InputError, match="no type hint"):
        tool(name="half")(lambda x: x)
