"""How a page looks: one draw of colours, type, spacing and the styles of controls, often after a school of design."""

import random
from dataclasses import dataclass

from .page import Builder

TRAIN_FONTS = """Liberation Sans|Liberation Serif|DejaVu Sans|DejaVu Serif|Roboto|Open Sans|Inter|Noto Sans|Roboto Condensed
Liberation Mono|DejaVu Sans Mono|Fira Code|sans-serif|system-ui
Liberation Sans|DejaVu Sans|Roboto|Open Sans|Noto Sans|Inter""".replace("\n", "|").split("|")
HELD_OUT_FONTS = ["Lato", "Cantarell", "Noto Serif"]
LOOKS = ("boxed", "line", "filled", "native")
BUTTONS = ("solid", "solid", "outline", "grey", "raised", "text")


@dataclass
class Theme:
    """What is drawn once per page. Lengths in CSS px."""

    accent: str
    back: str
    ink: str
    faint: str
    edge: str
    panel: str
    dark: bool
    font: str
    size: int
    leading: float
    spacing: str  # between letters
    radius: int
    gap: int
    look: str  # of fields
    first: str  # of buttons
    second: str
    shadow: str
    underline: bool
    upper: bool  # buttons in capitals
    zoom: float
    pad: int = 0  # more room inside of controls
    wide: bool = False  # fields take the whole width


def draw_theme(b: Builder) -> Theme:
    rng = b.rng
    hue, dark, plain = rng.randint(0, 359), b.chance(0.14), b.chance(0.5)
    ground = f"hsl({rng.randint(0, 359)} {0 if plain else rng.randint(10, 40)}% "
    size = rng.choices([10, 11, 12, 13, 14, 15, 16, 17, 18, 20], [1, 2, 4, 5, 5, 3, 4, 1, 2, 1])[0]
    theme = Theme(
        accent=f"hsl({hue} {rng.randint(45, 95)}% {rng.randint(28, 48)}%)",
        back=ground + (f"{rng.randint(8, 18)}%)" if dark else f"{100 if plain else rng.randint(92, 99)}%)"),
        ink=f"hsl(0 0% {rng.randint(82, 100)}%)" if dark else f"hsl({hue} 10% {rng.randint(0, 30)}%)",
        faint="hsl(0 0% 65%)" if dark else f"hsl(0 0% {rng.randint(35, 58)}%)",
        edge="hsl(0 0% 35%)" if dark else f"hsl(0 0% {rng.randint(65, 90)}%)",
        panel=ground + (f"{rng.randint(18, 26)}%)" if dark else f"{rng.choice([100, 97, 94])}%)"),
        dark=dark,
        font=rng.choice(HELD_OUT_FONTS if b.held_out else TRAIN_FONTS),
        size=size,
        leading=rng.choice([1.2, 1.3, 1.4, 1.5]),
        spacing=rng.choice(["normal"] * 8 + ["0.3px", "0.6px", "-0.2px"]),
        radius=rng.choice([0, 2, 3, 4, 6, 8, 14]),
        gap=rng.choice([3, 4, 6, 8, 10]),
        look=rng.choice(LOOKS),
        first=rng.choice(BUTTONS[:5]),
        second=rng.choice(BUTTONS),
        shadow=rng.choice(["none"] * 3 + ["0 1px 3px rgb(0 0 0/.3)", "0 3px 8px rgb(0 0 0/.2)"]),
        underline=b.chance(0.33),
        upper=False,
        zoom=rng.choice(
            [1] * 7 + ([0.8, 0.9, 1.25] if size > 12 else [1.25, 1.5] if size < 12 else [1.1, 1.25, 1.5])
        ),
    )
    if b.chance(0.45):
        rng.choice(SCHOOLS)(theme, rng)
    return theme


def _framework(t: Theme, rng: random.Random) -> None:
    """Even spacing, mid radius, boxed fields, a blue or so."""
    t.accent = rng.choice(["#0d6efd", "#0d6efd", "#198754", "#6610f2", "#dc3545", "#1f6feb"])
    t.radius, t.look, t.first, t.second = (
        rng.choice([4, 6]),
        "boxed",
        "solid",
        rng.choice(["outline", "solid", "grey"]),
    )
    t.gap, t.leading, t.shadow = rng.choice([6, 8]), 1.5, "none"


def _layers(t: Theme, rng: random.Random) -> None:
    """Cards with shadows, fields as lines or filled, capitals on buttons."""
    t.accent = rng.choice(["#6200ee", "#1976d2", "#00796b", "#c2185b", "#3f51b5"])
    t.radius, t.look, t.first, t.second = (
        rng.choice([4, 12, 20]),
        rng.choice(["line", "filled"]),
        "solid",
        "text",
    )
    t.shadow, t.upper, t.spacing = "0 2px 4px rgb(0 0 0/.3)", rng.random() < 0.5, "normal"


def _old_school(t: Theme, rng: random.Random) -> None:
    """The web before style sheets: plain links, raised buttons, ruled tables."""
    t.accent, t.underline, t.radius, t.shadow = "#0000ee", True, 0, "none"
    t.look, t.first, t.second = "native", "raised", "raised"
    if not t.dark:
        t.back, t.panel, t.ink, t.edge = rng.choice(["#fff", "#fff", "#eee", "#ffe"]), "#eee", "#000", "#888"
    else:
        t.accent = "#8ab4ff"


def _bare(t: Theme, rng: random.Random) -> None:
    """No style sheet at all: what the browser itself makes of a page."""
    t.dark, t.back, t.panel, t.ink, t.edge, t.faint = False, "#fff", "#fff", "#000", "#888", "#444"
    t.accent, t.underline, t.radius, t.shadow, t.upper, t.zoom = "#0000ee", True, 0, "none", False, 1
    t.look, t.first, t.second, t.spacing = "native", "native", "native", "normal"
    t.font, t.size = (
        rng.choice(["Liberation Serif", "Liberation Sans", "DejaVu Sans"]),
        rng.choice([10, 11, 12, 13, 14, 16]),
    )
    t.leading, t.gap = 1.2, rng.choice([2, 4, 8])


def _dense(t: Theme, rng: random.Random) -> None:
    """Dashboards and admin pages: small type, small gaps."""
    t.size, t.gap, t.radius, t.leading = (
        rng.choice([10, 11, 11]),
        rng.choice([2, 3]),
        rng.choice([0, 2, 3]),
        1.25,
    )
    t.zoom, t.look = 1, "boxed"


def _airy(t: Theme, rng: random.Random) -> None:
    """Documents and landing pages: large type, much room."""
    t.size, t.gap, t.leading, t.shadow = rng.choice([14, 15, 16]), rng.choice([8, 10, 12]), 1.55, "none"
    t.zoom, t.second = 1, rng.choice(["text", "outline"])


def _narrow(t: Theme, rng: random.Random) -> None:
    """A full page in a narrow window: large type, wide margins, controls for fingers; little fits."""
    t.size, t.gap, t.leading = (
        rng.choice([15, 16, 16, 17, 18, 20]),
        rng.choice([8, 10, 12, 15, 18]),
        rng.choice([1.4, 1.5, 1.6]),
    )
    t.zoom, t.pad, t.wide = rng.choice([1, 1, 1.15]), rng.choice([4, 8, 11, 14]), True
    t.look = rng.choice(["boxed", "boxed", "boxed", "line", "filled"])


SCHOOLS = [_framework, _framework, _layers, _old_school, _bare, _bare, _dense, _airy, _narrow, _narrow]


def theme_css(t: Theme, b: Builder, scope: str) -> str:
    rng = b.rng
    bar = rng.choice([t.panel, t.accent, t.ink if not t.dark else t.panel])
    return f"""{scope}{{background:{t.back};color:{t.ink};font:{t.size}px/{t.leading} '{t.font}',sans-serif;letter-spacing:{t.spacing};
& h1{{font-size:{rng.choice([1.3, 1.5, 1.8, 2.4, 3] if t.wide else [1.3, 1.5, 1.8])}em;margin:{t.gap}px 0}}& h2{{font-size:1.15em;margin:{t.gap}px 0}}
& p{{margin:{t.gap}px 0}}& .faint{{color:{t.faint}}}& .small{{font-size:.85em}}
& .pad{{padding:{t.gap + 2}px {rng.choice([6, 8, 12, 16])}px}}& .block{{margin:0 0 {t.gap}px}}
& .row{{display:flex;gap:{t.gap}px;align-items:center;flex-wrap:wrap}}& .wide{{gap:{t.gap + 8}px}}
& .between{{justify-content:space-between}}& .end{{justify-content:flex-end}}& .nowrap{{flex-wrap:nowrap}}
& .panel{{background:{t.panel};border:1px solid {t.edge};border-radius:{t.radius}px;padding:{t.gap + 3}px;box-shadow:{t.shadow}}}
& .bar{{background:{bar};border-bottom:1px solid {t.edge};padding:{rng.choice([4, 6, 8])}px 10px}}{_bar_ink(rng, bar, t)}
& .grid{{display:grid;gap:{t.gap}px;grid-template-columns:repeat({rng.choice([2, 2, 3, 3, 4])},1fr);&>*{{min-width:0}}}}
& a{{cursor:pointer}}& .link{{background:none;border:0;padding:0;font:inherit;color:{t.accent if b.chance(0.7) and not t.dark else t.ink};text-decoration:{"underline" if t.underline else "none"}}}
& svg{{vertical-align:-.3em;flex:none}}& .off{{opacity:.45}}
{_button_css(t, rng)}{_control_css(t, rng)}
& table{{border-collapse:collapse;width:100%}}& td,& th{{text-align:left;padding:{rng.choice([2, 3, 4, 6])}px 6px;
  {rng.choice(["border:1px solid " + t.edge, "border-bottom:1px solid " + t.edge, ""])}}}
{rng.choice(["", "", f"& tr:nth-child(even) td{{background:color-mix(in srgb,{t.edge} 30%,transparent)}}"])}
{_tab_css(t, rng)}
& .chip{{display:inline-block;border:1px solid {t.edge};border-radius:99px;padding:1px 8px;color:{t.ink}}}
& .pic{{background:hsl({rng.randint(0, 359)} 40% {rng.randint(50, 85)}%);border-radius:{t.radius}px}}
& .side{{width:{rng.randint(84, 140)}px;flex:none;border-right:1px solid {t.edge};background:{t.panel}}}
& .over{{position:absolute;inset:0;background:rgb(0 0 0/{rng.choice([0.25, 0.45, 0.6])});display:grid;place-items:center;z-index:9}}
& .pop{{position:absolute;z-index:5;background:{t.panel};border:1px solid {t.edge};border-radius:{min(t.radius, 6)}px;
  box-shadow:0 2px 8px rgb(0 0 0/.3);color:{t.ink}}}& .pop>*{{display:block;padding:2px 9px;white-space:nowrap}}
& .opened{{position:relative;display:inline-block}}& .opened select{{background-color:color-mix(in lab,currentColor 20%,transparent)}}
& .badge{{background:{t.accent};color:#fff;border-radius:9px;padding:0 5px;font-size:.8em}}
{_widget_css(t, rng)}}}"""


def _bar_ink(rng: random.Random, bar: str, t: Theme) -> str:
    """Text on a coloured bar must be readable."""
    if bar == t.panel and rng.random() < 0.5:
        return ""
    ground = bar if bar == t.accent else f"hsl({rng.randint(0, 359)} 45% {rng.randint(12, 32)}%)"
    return f"& .bar{{background:{ground};color:#fff;& .link,& b,& .icon{{color:#fff}}& .icon{{background:none}}& input:not([type=checkbox]):not([type=radio]){{background:#fff;color:#222;border:1px solid #999}}& ::placeholder{{color:#666}}}}"


def _button_css(t: Theme, rng: random.Random) -> str:
    pad = f"{rng.choice([2, 3, 4, 5, 7]) + t.pad // 2}px {rng.choice([6, 8, 10, 14]) + t.pad}px"
    shape = f"display:inline-block;font:inherit;padding:{pad};border-radius:{rng.choice([t.radius, t.radius, 99])}px;"
    shape += rng.choice(["", "", "font-weight:bold;", "font-size:.9em;"])
    shape += "text-transform:uppercase;letter-spacing:.5px;" if t.upper else ""
    styles = {
        "native": "",
        "solid": f"background:{t.accent};color:#fff;border:0",
        "outline": f"background:transparent;color:{t.accent if not t.dark else t.ink};border:1px solid currentColor",
        "grey": f"background:{'#444' if t.dark else '#e8e8e8'};color:{t.ink};border:1px solid {t.edge}",
        "raised": f"background:linear-gradient({'#555,#333' if t.dark else '#fff,#ddd'});color:{t.ink};border:1px solid {t.edge}",
        "text": f"background:none;border:0;color:{t.accent if not t.dark else t.ink};font-weight:bold",
    }
    icon = rng.choice(
        [
            "border:0;background:none;",
            f"border:1px solid {t.edge};background:none;",
            f"border:0;background:color-mix(in srgb,{t.edge} 40%,transparent);",
        ]
    )
    first, second = (f"{{{shape}{styles[s]}}}" for s in (t.first, t.second))
    if t.first == "native":  # as the browser draws a button; what is only written as one gets a frame
        first = second = (
            f"{{font-size:{rng.choice(['.83em', '1em'])};&:not(button){{{styles['raised']};padding:1px 6px}}}}"
        )
    return (
        f"& .btn{first}& .btn2{second}"
        f"& .icon{{display:inline-grid;place-items:center;padding:{rng.choice([1, 2, 3, 4])}px;{icon}"
        f"border-radius:{rng.choice([0, 4, 99])}px;color:{t.ink};font:inherit;min-width:16px;box-sizing:content-box}}"
    )


def _tab_css(t: Theme, rng: random.Random) -> str:
    """The open one is underlined, filled, part of the page below it, or the one that is not filled."""
    shade = f"color-mix(in srgb,{t.ink} {rng.choice([8, 14, 20])}%,{t.back})"
    tab, on = rng.choice(
        [
            (f"border:1px solid {t.edge}", f"border-bottom:2px solid {t.accent};font-weight:bold"),
            ("border-bottom:2px solid transparent", f"border-bottom:2px solid {t.accent};font-weight:bold"),
            (f"border:1px solid {t.edge}", f"background:{t.accent};color:#fff"),
            ("border-radius:99px", f"background:{t.accent};color:#fff"),
            (
                f"border:1px solid {t.edge};border-radius:{min(t.radius, 8)}px {min(t.radius, 8)}px 0 0;background:{shade}",
                f"background:{t.back};border-bottom-color:{t.back}",
            ),
            (f"background:{t.accent};color:#fff", f"background:{t.back};color:{t.ink}"),
            (f"background:{shade}", f"background:{t.back};border:1px solid {t.edge};font-weight:bold"),
        ]
    )
    pad = f"{rng.choice([2, 4, 4, 7])}px {rng.choice([6, 9, 9, 14])}px"
    return f"& .tab{{padding:{pad};color:{t.ink};{tab}}}& .tab.on{{{on}}}"


def _control_css(t: Theme, rng: random.Random) -> str:
    look = {
        "boxed": f"border:1px solid {t.edge};background:{t.panel};border-radius:{t.radius}px",
        "line": f"border:0;border-bottom:1px solid {t.ink};background:transparent",
        "filled": f"border:0;background:color-mix(in srgb,{t.edge} 45%,transparent);border-radius:{t.radius}px",
        "native": "",
    }[t.look]
    ink = "#000" if t.look == "native" else t.ink
    box = rng.choice([11, 13, 15])
    return f"""& input:not([type=checkbox]):not([type=radio]),& textarea,& select{{font:inherit;color:{ink};
padding:{rng.choice([1, 2, 3, 5]) + t.pad}px {rng.choice([3, 5, 8]) + t.pad}px;{look};min-width:0}}{"& .field>input,& .field>select{width:100%!important}" if t.wide else ""}
& ::placeholder{{color:color-mix(in srgb,{ink} {rng.randint(45, 70)}%,transparent)}}
& .focus{{outline:2px solid {t.accent}}}& textarea{{resize:none;vertical-align:top}}
& input[type=checkbox],& input[type=radio]{{width:{box}px;height:{box}px;margin:0 4px 0 0;vertical-align:-2px;accent-color:{t.accent}}}
& .field{{margin:0 0 {rng.choice([3, 5, 8])}px;position:relative}}& .stack label{{display:block}}& .stack input{{width:100%}}
& .inline{{display:flex;align-items:center;gap:6px}}& .inline label{{width:{rng.randint(70, 120)}px;flex:none;
text-align:{rng.choice(["left", "right"])}}}& .inline input{{flex:1}}"""


def _widget_css(t: Theme, rng: random.Random) -> str:
    """Switches, sliders, days of a calendar."""
    height = rng.choice([12, 14, 16, 18])
    knob = rng.choice([10, 12, 14])
    return f"""& .switch{{display:inline-block;width:{2 * height}px;height:{height}px;border-radius:{rng.choice([99, 99, 3])}px;
background:color-mix(in srgb,{t.ink} 35%,{t.back});position:relative;vertical-align:-3px}}
& .switch:after{{content:"";position:absolute;top:2px;left:2px;width:{height - 4}px;height:{height - 4}px;border-radius:inherit;background:#fff}}
& .switch.on{{background:{t.accent}}}& .switch.on:after{{left:auto;right:2px}}
& .track{{position:relative;display:inline-block;height:{knob + 6}px;vertical-align:middle}}
& .track:before{{content:"";position:absolute;left:0;right:0;top:50%;height:{rng.choice([2, 4, 6])}px;transform:translateY(-50%);
background:color-mix(in srgb,{t.ink} 30%,{t.back});border-radius:9px}}
& .knob{{position:absolute;top:3px;width:{knob}px;height:{knob}px;margin-left:{-knob / 2}px;background:{t.accent};
border-radius:{rng.choice([99, 99, 2])}px;border:1px solid #fff}}
& .days{{display:grid;grid-template-columns:repeat(7,{rng.choice([19, 22, 25])}px);text-align:center;gap:1px}}
& .days>*{{padding:{rng.choice([0, 1, 2])}px 0;border-radius:{rng.choice([0, 3, 99])}px}}& .days .on{{background:{t.accent};color:#fff}}
& .swatch{{display:inline-block;width:{rng.choice([16, 20, 26, 40, 64])}px;height:{rng.choice([16, 20, 20, 44])}px;border-radius:{rng.choice([0, 4, 99])}px;border:1px solid #777}}
& .swatch.on{{outline:2px solid {t.ink};outline-offset:2px}}& .seg{{border:1px solid {t.edge};padding:2px 8px}}
& .seg.on{{background:{t.accent};color:#fff}}"""
