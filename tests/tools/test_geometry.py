"""Laws of the coordinate transform, over device-pixel ratios, page zoom and odd sizes."""

from hypothesis import given
from hypothesis import strategies as st
from saccade.tools.geometry import RELATIVE_MAX, Geometry

RATIOS = st.sampled_from([1.0, 1.25, 1.5, 2.0, 3.0])
ZOOMS = st.sampled_from([0.5, 0.8, 1.0, 1.1, 1.25, 2.0])
SIZES = st.integers(min_value=200, max_value=4097)
UNITS = st.integers(min_value=0, max_value=RELATIVE_MAX)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    width, height = draw(SIZES), draw(SIZES)
    ratio, zoom = draw(RATIOS), draw(ZOOMS)
    return Geometry(width / zoom, height / zoom, round(width * ratio), round(height * ratio))


@given(geometries(), UNITS, UNITS)
def test_round_trip_through_css_stays_within_one_unit(geometry: Geometry, x: int, y: int) -> None:
    back = geometry.css_to_relative(geometry.relative_to_css((x, y)))
    for start, end, size in zip((x, y), back, (geometry.css_width, geometry.css_height), strict=True):
        assert abs(start - end) <= max(
            1, 0.5 + 500 / size
        )  # small viewports: half a pixel is more than a unit


@given(geometries(), UNITS, UNITS)
def test_round_trip_below_the_edge_is_exact(geometry: Geometry, x: int, y: int) -> None:
    x, y = min(x, 990), min(y, 990)
    assert geometry.css_to_relative(geometry.relative_to_css((x, y))) == (x, y)
    assert geometry.image_to_relative(geometry.relative_to_image((x, y))) == (x, y)


@given(geometries(), UNITS, UNITS)
def test_every_point_is_inside_viewport_and_image(geometry: Geometry, x: int, y: int) -> None:
    css_x, css_y = geometry.relative_to_css((x, y))
    assert 0 <= css_x < geometry.css_width
    assert 0 <= css_y < geometry.css_height
    image_x, image_y = geometry.relative_to_image((x, y))
    assert 0 <= int(image_x) < geometry.image_width
    assert 0 <= int(image_y) < geometry.image_height


@given(geometries(), UNITS, UNITS)
def test_css_and_image_are_inverse(geometry: Geometry, x: int, y: int) -> None:
    start = geometry.relative_to_css((x, y))
    back = geometry.image_to_css(geometry.css_to_image(start))
    assert abs(back[0] - start[0]) < 1e-6
    assert abs(back[1] - start[1]) < 1e-6


@given(geometries(), UNITS, UNITS)
def test_larger_numbers_are_never_further_left(geometry: Geometry, x: int, y: int) -> None:
    low, high = sorted((x, y))
    assert geometry.relative_to_css((low, 0))[0] <= geometry.relative_to_css((high, 0))[0]


def test_1000_is_the_last_pixel() -> None:
    geometry = Geometry(1280, 800, 2560, 1600)
    assert geometry.relative_to_css((1000, 1000)) == (1279.5, 799.5)
    assert geometry.relative_to_image((1000, 1000)) == (2559.0, 1599.0)
    assert geometry.css_to_relative((5000, -5)) == (1000, 0)
