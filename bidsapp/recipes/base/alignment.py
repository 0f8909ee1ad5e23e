"""The table of what was played when, which recipes on sounds write of each participant."""

from __future__ import annotations

from bidsapp.results.kinds import Column, Table


def alignment(recipe: str, *, required: bool = True) -> Table:
    """Declare the table of presentations; its rows are `Inputs.alignment`.

    Parameters
    ----------
    recipe
        Whose label it has: ``<recipe>alignment``.
    required
        Whether the group level reads it.
    """
    return Table(
        desc=f"{recipe}alignment",
        title="Alignment",
        says="Which sound meets which volumes: one row per presentation.",
        columns=(
            Column("run", "name of the run", text=True),
            Column("n_trs", "volumes of the run", "volumes", 0),
            Column("tr_s", "repetition time", "TR", unit="s"),
            Column("scan_s", "length of the run", "scan", 1, "s"),
            Column("stim_file", "sound", "piece", text=True),
            Column("onset_s", "when it began in the run", "onset", 2, "s"),
            Column("duration_s", "how long it was played", "played", 1, "s"),
            Column("stim_start_s", "where in its file it began", "from", 1, "s"),
            Column("sound_s", "length of the file", "file", 1, "s"),
            Column("first_volume", "first volume that can be used, from 0", "volumes", 0),
            Column("last_volume", "last volume that can be used, from 0", digits=0),
            Column("n_rows", "volumes that can be used", "volumes used", 0),
            Column("source", "file that says so", text=True),
            Column("note", "what was cut or left out", text=True, prose=True),
        ),
        by_space=False,
        by_network=False,
        required=required,
    )
