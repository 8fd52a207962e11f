"""How the web UI looks: calm greys, one warm accent, the colour of the marks on the page."""

from typing import Any

from gradio import themes

HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""Of every event: no spinners over what is read, no public API."""

EMBER = themes.Color(
    "#fff4f0", "#ffe4db", "#ffc7b6", "#ffa287", "#ff7653", "#f2542d",
    "#cf3f1b", "#ad3313", "#8f2d16", "#742817", "#401208",
)  # fmt: skip
QUIET, QUIET_DARK = "#526074", "#9aa8bc"


def look() -> themes.Base:
    theme = themes.Base(
        primary_hue=EMBER,
        secondary_hue=EMBER,
        neutral_hue="slate",
        radius_size="lg",
        font=["ui-sans-serif", "system-ui", "Segoe UI", "Noto Sans", "sans-serif"],
        font_mono=["ui-monospace", "SF Mono", "Consolas", "monospace"],
    )
    return theme.set(
        body_background_fill="*neutral_50",
        body_text_color_subdued=QUIET,
        body_text_color_subdued_dark=QUIET_DARK,
        block_info_text_color=QUIET,
        block_info_text_color_dark=QUIET_DARK,
        block_title_text_color=QUIET,
        block_title_text_color_dark="#c3cddb",
        block_label_text_color=QUIET,
        block_label_text_color_dark="#c3cddb",
        input_placeholder_color="#66748a",
        input_placeholder_color_dark="#8696ad",
        body_background_fill_dark="#0d1118",
        block_background_fill="white",
        block_background_fill_dark="#151b26",
        block_border_color="*neutral_200",
        block_border_color_dark="#263042",
        block_border_width="1px",
        block_radius="12px",
        block_label_radius="12px",
        input_background_fill="*neutral_50",
        input_background_fill_dark="#0f141d",
        input_border_color="*neutral_300",
        input_border_color_dark="#2c374a",
        input_border_width="1px",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="white",
    )
