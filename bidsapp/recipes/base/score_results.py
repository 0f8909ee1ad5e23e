"""Results that several recipes write: alignment, quality, parcels, ratings, profiles and folds."""

from __future__ import annotations

from bidsapp.results.kinds import Column, Labels, Mask, Result, Table, overall_table, table

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


N_COMPONENTS = 3
"""Regressors that are written beside the prediction."""
SHIFT, SHIFT_FDR = "circular_shift", "circular_shift_fdr"
DISPLACED = "displacement"
RATERS, BOOTSTRAP = "displacement_raters", "bootstrap"

LAYER_COLUMNS = (
    Column("layer", "name of the layer", text=True),
    Column("layer_index", "number of the layer from 1", "layer", 0),
)
LAGS_COLUMN = Column(
    "lags", "positive (after the sound) or negative (the control, without p-values)", text=True
)
PLACE_COLUMNS = (
    Column("structure", "L, R or the name of a structure", "side", text=True),
    Column("x", "mean coordinate", digits=0, unit="mm"),
    Column("y", "mean coordinate", digits=0, unit="mm"),
    Column("z", "mean coordinate", digits=0, unit="mm"),
    Column("n_units", "voxels or vertices", "size", 0),
)
PARCEL_COLUMN = Column("parcel", "number from 1", digits=0)
_PARCELS_COLUMNS = (
    LAGS_COLUMN,
    PARCEL_COLUMN,
    *LAYER_COLUMNS,
    *PLACE_COLUMNS,
    Column("r", "mean correlation over blocks"),
    Column("p", "(b + 1) / (m + 1) over circular shifts", by=SHIFT),
    Column("q", "false discovery rate over layers and parcels", by=SHIFT_FDR),
)
_PROFILE_COLUMNS = (
    LAGS_COLUMN,
    *LAYER_COLUMNS,
    Column("kind", "of the layer", text=True),
    Column("n_features", "values per frame", "features", 0),
    Column("explained_variance", "of the training frames in the components", "explained", 2),
    Column("mean_r", "mean over units", "mean r"),
    Column("median_r", "median over units", "median r"),
    Column("p95_r", "95th percentile over units", "95th percentile"),
    Column("mean_r_significant", "mean over significant units", "mean r, significant"),
    Column("n_units", "units with data", "size", 0),
    Column("n_best", "significant units whose best layer this is", "best in", 0),
    Column("alpha_edge_low", "share of significant units and folds with the smallest penalty"),
    Column("alpha_edge_high", "share of significant units and folds with the largest penalty"),
)
_RATINGS_COLUMNS = (
    LAGS_COLUMN,
    Column("rating", "what was rated", text=True),
    Column("rater", "by whom; missing for an average", text=True),
    *LAYER_COLUMNS,
    Column("piece", "sound file, or 'mean' over blocks", text=True),
    Column("r", "correlation inside held-out blocks"),
    Column("p", "of the mean, over circular shifts; not corrected over layers", by=SHIFT),
)
_FOLDS_COLUMNS = (
    Column("block", "number from 1", digits=0),
    Column("kind", "piece, run or part of a piece", text=True),
    Column("fold", "outer fold in which it is tested", digits=0),
    Column("run", "name of the run", text=True),
    Column("piece", "sound file", text=True),
    Column("n_rows", "volumes", "volumes", 0),
    Column("first_volume", "first volume, from 0", digits=0),
    Column("last_volume", "last volume, from 0", digits=0),
)


def significant(recipe: str, where: str = "") -> Mask:
    """Declare the mask of a participant's significant parcels; `where` says at which lags."""
    return Mask(
        desc=f"{recipe}significant",
        title="Significant parcels",
        says="Units in parcels whose best layer passes the refitted temporal null, family-wise "
        f"over layers and parcels{where}; not written where nothing was tested.",
        by=SHIFT,
    )


def parcel_labels(recipe: str, *, required: bool) -> Labels:
    """Declare the parcels of a participant; `required` if the group level reads them."""
    return Labels(
        desc=f"{recipe}parcels",
        title="Parcels",
        says="Parcels of the test within the participant.",
        by_network=False,
        required=required,
    )


def parcel_scores(recipe: str, *, lags: bool) -> Table:
    """Declare the scores of parcels; `lags` if there are control lags, too."""
    return table(
        f"{recipe}parcels",
        "Scores of parcels",
        "Score of each layer in each parcel against the refitted temporal null.",
        *_PARCELS_COLUMNS[not lags :],
    )


def null_scores(recipe: str, where: str = "") -> Result:
    """Declare the scores of displaced music that the group level reads."""
    return Result(
        desc=f"{recipe}nullscores",
        title="Scores of displaced music",
        says=f"Score of each layer in each parcel{where}, and under each displacement of the "
        "music: observed (layers, parcels), null (copies, layers, parcels). Copy k moves each "
        "piece by the same time in all participants.",
        required=True,
    )


def group_parcels(recipe: str, where: str = "") -> Table:
    """Declare the parcels of a group against music displaced alike in everybody."""
    return table(
        f"{recipe}groupparcels",
        "Parcels of the group",
        "Mean score of each layer in each parcel over participants, among those of music "
        f"displaced alike in all of them{where}.",
        PARCEL_COLUMN,
        *LAYER_COLUMNS,
        *PLACE_COLUMNS,
        Column("mean_r", "mean over participants (Fisher z)", "mean r"),
        Column("effect", "in standard deviations of its null, above the null mean", digits=1),
        Column("p", "(b + 1) / (m + 1) over displacements", by=DISPLACED),
        Column(
            "p_fwe", "effect against the largest over layers and parcels", "p (FWE)", by=DISPLACED
        ),
        Column("may_be_best", "whether the layer is not worse than the best one", text=True),
        Column("n", "participants", digits=0),
        level="group",
    )


def group_significant(recipe: str, where: str = "") -> Mask:
    """Declare the mask of the parcels of a group that pass against displaced music."""
    return Mask(
        desc=f"{recipe}groupsignificant",
        title="Significant parcels of the group",
        says="Units in parcels in which some layer passes, family-wise over layers and parcels, "
        f"against music displaced alike in all participants{where}.",
        level="group",
        by=DISPLACED,
    )


def profile(recipe: str, *, lags: bool) -> Table:
    """Declare what each layer reaches; `lags` if there are control lags, too."""
    return table(
        f"{recipe}profile",
        "Layer profile",
        "Scores over all units, layer by layer.",
        *_PROFILE_COLUMNS[not lags :],
    )


def ratings(recipe: str, *, lags: bool) -> Table:
    """Declare the prediction of ratings; `lags` if there are control lags, too."""
    return table(
        f"{recipe}ratings",
        "Ratings",
        "Prediction of continuous ratings by each layer.",
        *_RATINGS_COLUMNS[not lags :],
        by_space=False,
    )


def ratings_null(recipe: str, *, lags: bool) -> Table:
    """Declare the scores of ratings by displaced music; `lags` if there are control lags, too."""
    return table(
        f"{recipe}ratingsnull",
        "Ratings and displaced music",
        "Mean score over blocks of each rating and layer under each displacement of the "
        "music; copy k moves each piece by the same time in all participants.",
        *_RATINGS_COLUMNS[not lags : 3],
        *LAYER_COLUMNS,
        Column("copy", "number of the displacement", digits=0),
        Column("r", "correlation inside held-out blocks"),
        by_space=False,
    )


def group_ratings(recipe: str, *, lags: bool) -> Table:
    """Declare the prediction of ratings over raters; `lags` if there are control lags, too."""
    return table(
        f"{recipe}ratingsmean",
        "Ratings over raters",
        "Prediction of continuous ratings by each layer, over raters.",
        *_RATINGS_COLUMNS[not lags : 2],
        *LAYER_COLUMNS,
        Column("mean_r", "mean over raters (Fisher z)", "mean r"),
        Column("ci_low", "95 % interval over raters", "low", by=BOOTSTRAP),
        Column("ci_high", "95 % interval over raters", "high", by=BOOTSTRAP),
        Column("n", "raters", digits=0),
        Column("p", "against displaced music; not corrected over layers", by=RATERS),
        Column("p_fwe", "the same, family-wise over layers", "p (FWE)", by=RATERS),
        level="group",
        by_space=False,
    )


def folds(recipe: str) -> Table:
    """Declare the folds."""
    return overall_table(
        f"{recipe}folds", "Folds", "Blocks and folds of the cross-validation.", *_FOLDS_COLUMNS
    )


def peak_courses(recipe: str) -> Table:
    """Declare the courses of the parcel with the largest score."""
    components = (
        Column(f"component_{number}", f"regressor {number} of the layer, standardised likewise")
        for number in range(1, N_COMPONENTS + 1)
    )
    return table(
        f"{recipe}peak",
        "Predicted and measured response",
        "Response of the parcel with the largest score and its prediction from music that "
        "was held out, volume by volume. The parcel and its layer were chosen by this score.",
        Column("parcel", "number from 1", digits=0),
        Column("layer", "name of the layer", text=True),
        Column("block", "held-out block, from 1", digits=0),
        Column("piece", "sound file, or run where a block holds several", text=True),
        Column("r", "correlation of prediction and response inside the block"),
        Column("volume", "of the run, from 0", digits=0),
        Column("stim_time_s", "position in the sound", unit="s"),
        Column("measured", "cleaned BOLD, mean over the parcel, standardised in the block"),
        Column("predicted", "prediction of the held-out block, standardised in the block"),
        *components,
    )
