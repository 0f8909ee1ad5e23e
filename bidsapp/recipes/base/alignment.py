"""Tables of a participant's runs: what was played when, and the quality of the data."""

from __future__ import annotations

from bidsapp.results.kinds import Column, Table, overall_table, table

THRESHOLD_MM = 0.5
"""Framewise displacement beyond which a volume counts as moved (Power et al. 2012)."""


def alignment(recipe: str, *, required: bool = True) -> Table:
    """Declare the table of presentations; its rows are `Inputs.alignment`.

    Parameters
    ----------
    recipe
        Whose label it has: ``<recipe>alignment``.
    required
        Whether the group level reads it.
    """
    return overall_table(
        f"{recipe}alignment",
        "Alignment",
        "Which sound meets which volumes: one row per presentation.",
        Column("run", "name of the run", text=True),
        Column("n_trs", "volumes of the run", "volumes", 0),
        Column("tr_s", "repetition time", "TR", unit="s"),
        Column("scan_s", "length of the run", "scan", 1, "s"),
        Column("stim_file", "sound", "piece", text=True),
        Column("onset_s", "when it began in the run", "onset", 2, "s"),
        Column("duration_s", "how long it was played", "played", 1, "s"),
        Column("stim_start_s", "where in its file it began", "from", 1, "s"),
        Column("sound_s", "length of the file", "file", 1, "s"),
        Column("first_volume", "first volume that can be used, from 0", "first\u2013last", 0),
        Column("last_volume", "last volume that can be used, from 0", digits=0),
        Column("n_rows", "volumes that can be used", "volumes used", 0),
        Column("source", "file that says so", text=True),
        Column("note", "what was cut or left out", text=True, prose=True),
        required=required,
    )


def quality(recipe: str) -> Table:
    """Declare the table of quality; its rows are `bidsapp.recipes.base.quality.quality_rows`.

    Parameters
    ----------
    recipe
        Whose label it has: ``<recipe>quality``.
    """
    return table(
        f"{recipe}quality",
        "Quality of the runs",
        "Motion, temporal signal-to-noise ratio, and whether motion follows the loudness of "
        "the music, run by run.",
        Column("run", "name of the run", text=True),
        Column("n_trs", "volumes of the run", "volumes", 0),
        Column("mean_fd", "mean framewise displacement", "mean FD", 3, "mm"),
        Column("max_fd", "largest framewise displacement", "largest FD", 2, "mm"),
        Column(
            "n_moved",
            f"volumes with a framewise displacement above {THRESHOLD_MM:g} mm",
            f"volumes > {THRESHOLD_MM:g} mm",
            0,
        ),
        Column(
            "tsnr",
            "median over voxels or vertices of mean over standard deviation, before cleaning",
            "tSNR",
            1,
        ),
        Column(
            "r_fd_loudness",
            "correlation of framewise displacement with the loudness (root mean square) of "
            "the sound, over the volumes in which one was heard",
            "r (FD, loudness)",
            2,
        ),
        by_space=True,
        by_network=False,
    )
