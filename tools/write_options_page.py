"""Write docs/options.md from the table of options: `python tools/write_options_page.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bidsapp.cli.options import GROUPS, OPTIONS, POSITIONALS, Option
from bidsapp.recipes import RECIPES
from bidsapp.recipes.base.settings import fields_of, spelled

PAGE = Path(__file__).resolve().parent.parent / "docs" / "options.md"


def page() -> str:
    """Return the text of the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Options"
    yield ""
    yield "Made from `bidsapp/cli/options.py` and the recipes' settings; do not edit."
    yield ""
    yield "`musicotopy BIDS_DIR OUTPUT_DIR LEVEL [LEVEL ...] [options]`"
    yield ""
    yield "| argument | meaning |"
    yield "|---|---|"
    yield from (f"| `{item.name}` | {item.text} |" for item in POSITIONALS)
    for group, title in GROUPS.items():
        options = [item for item in OPTIONS if item.group == group]
        yield from ("", f"## {title}", "", "| option | meaning |", "|---|---|")
        yield from (f"| {_flags(item)} | {_meaning(item)} |" for item in options)
    for recipe in RECIPES.values():
        for name, variants in (
            (recipe.name, recipe.variants),
            (recipe.group_table, recipe.group_variants),
        ):
            yield from ("", f"## Settings of `{name}`", "")
            yield f"`--set {name}.SETTING=VALUE`, or the table `[{name}]` of a configuration file."
            yield from (
                "",
                "| setting | robust | faithful | paper | source | why |",
                "|" + "---|" * 6,
            )
            rows = (fields_of(settings) for settings in variants.values())
            for both in zip(*rows, strict=True):
                option, declared, _ = both[0]
                values = [spelled(value) for _, _, value in both]
                cells = [option, *values, *(declared[key] for key in ("paper", "source", "why"))]
                yield "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _flags(option: Option) -> str:
    return ", ".join(f"`{flag}`" for flag in option.flags if "_" not in flag)


def _meaning(option: Option) -> str:
    choices = f" Choices: {', '.join(option.choices)}." if option.choices else ""
    return (option.text.replace("%%", "%") + choices).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
