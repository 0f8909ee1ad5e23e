"""The page of a listening test: one file with all sounds, to be opened in any browser."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from bidsapp.audio.listening import Trial, encode_excerpt, excerpt_name
from bidsapp.bids.atomic import write_text
from bidsapp.report.html import environment
from bidsapp.scratch import identity


def write_listening_page(
    trials: Sequence[Trial], path: Path, *, title: str, seed: int, seconds: float = 10.0
) -> Path:
    """Write the page.

    Trials and options are shuffled for each listener, by the seed and the listener's name. A
    choice can be made when all sounds of the trial have been played; answers are kept in the
    browser until they are saved as TSV.

    Parameters
    ----------
    trials
        From `bidsapp.audio.listening.make_trials`.
    path
        HTML file.
    title
        Of the page.
    seed
        As the trials were made with.
    seconds
        Longest excerpt.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputMissingError, InputInvalidError
        A sound cannot be read.
    OutputError
        The file cannot be written.
    """
    excerpts = {
        excerpt_name(excerpt, seed): excerpt
        for trial in trials
        for excerpt in (trial.probe, *trial.options.values())
    }
    listed = [
        {
            "name": trial.name,
            "probe": excerpt_name(trial.probe, seed),
            "options": sorted(excerpt_name(item, seed) for item in trial.options.values()),
        }
        for trial in sorted(trials, key=lambda trial: trial.name)
    ]
    content = {
        "seed": seed,
        "test": identity(json.dumps(listed)),
        "sounds": {name: encode_excerpt(item, seconds) for name, item in sorted(excerpts.items())},
        "trials": listed,
    }
    text = json.dumps(content).replace("<", "\\u003c")
    page = environment().get_template("listening.html.j2")
    write_text(path, page.render(title=title, content=Markup(text)))
    return path
