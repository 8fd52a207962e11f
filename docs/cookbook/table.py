"""Take a table out of a page as pydantic objects. What does not fit the types is asked for again, with the
fault named; here the model's first attempt forgets a platform.

Prints:
    09:12 Leeds, platform 4
    09:30 York, platform 11
    09:41 Hull, platform 2
"""

import asyncio

from pydantic import BaseModel
from saccade import Browser
from stage import model, site


class Train(BaseModel):
    time: str
    to: str
    platform: int


class Departures(BaseModel):
    trains: list[Train]


HASTY = '{"trains": [{"time": "09:12", "to": "Leeds"}]}'
WHOLE = """{"trains": [{"time": "09:12", "to": "Leeds", "platform": 4},
    {"time": "09:30", "to": "York", "platform": 11}, {"time": "09:41", "to": "Hull", "platform": 2}]}"""


async def main() -> None:
    with site("departures.html") as url:
        async with Browser(url) as browser:
            browser.model = model(browser, HASTY, WHOLE)
            board = await browser.extract(Departures, "all departures")
    for train in board.trains:
        print(f"{train.time} {train.to}, platform {train.platform}")


if __name__ == "__main__":
    asyncio.run(main())
