"""The one table of options, from which the parser, the docs page and the descriptor are made."""

from __future__ import annotations

from bidsapp.audio.networks import FAMILIES, NETWORKS
from bidsapp.brain.strategies import CHOICES
from bidsapp.recipes import RECIPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal["text", "path", "float", "int", "flag", "count", "mapping", "assignment"]

VARIANTS = ("robust", "faithful")
LEVELS = ("participant", "group")
SOLVERS = ("gram", "himalaya")
EXECUTORS = ("serial", "local", "dask", "slurm")

GROUPS = {
    "inputs": "Inputs",
    "filters": "Options for filtering BIDS queries",
    "workflow": "Workflow configuration",
    "performance": "Options to handle performance",
    "outputs": "Outputs and other options",
}


class Option:
    """One option of the command line.

    Attributes
    ----------
    name
        Field of `Config` it sets, and the flag's spelling with hyphens for underscores.
    group
        Key of `GROUPS`.
    kind
        What a value is. ``mapping``: ``NAME=PATH``; ``assignment``: ``RECIPE.SETTING=VALUE``.
    text
        Help text.
    aliases
        Other spellings; each is accepted with hyphens and with underscores.
    many
        Takes one or more values.
    choices
        Values allowed.
    metavar
        Placeholder in the help.
    prefix
        BIDS prefix stripped from values (``sub-``).
    default
        What `Config` holds without the option, where the help says it.
    """

    def __init__(
        self,
        name: str,
        group: str,
        kind: Kind,
        text: str,
        *,
        aliases: tuple[str, ...] = (),
        many: bool = False,
        choices: tuple[str, ...] = (),
        metavar: str | None = None,
        prefix: str = "",
        default: str | float | None = None,
    ) -> None:
        self.name = name
        self.group = group
        self.kind = kind
        self.text = text
        self.aliases = aliases
        self.many = many
        self.choices = choices
        self.metavar = metavar
        self.prefix = prefix
        self.default = default

    @property
    def flags(self) -> tuple[str, ...]:
        """Every accepted spelling, the canonical one first."""
        spellings = [f"--{self.name.replace('_', '-')}", *self.aliases]
        both = [
            form
            for flag in spellings
            for form in (flag, "--" + flag.removeprefix("--").replace("-", "_"))
            if flag.startswith("--") or form == flag
        ]
        return tuple(dict.fromkeys(both))


POSITIONALS = (
    Option(
        "bids_dir",
        "inputs",
        "path",
        "BIDS dataset: a raw dataset with derivatives/fmriprep inside, a raw dataset with "
        "-d fmriprep=PATH, or an fMRIPrep output folder itself. It is never written to.",
    ),
    Option("output_dir", "inputs", "path", "Folder for the results (BIDS-Derivatives)."),
    Option(
        "analysis_level",
        "inputs",
        "text",
        "Level of the analysis; several may follow each other. 'group' reads the results of "
        "finished participants in OUTPUT_DIR.",
        many=True,
        choices=LEVELS,
    ),
)

OPTIONS = (
    Option(
        "derivatives",
        "inputs",
        "mapping",
        "Derivative datasets, as NAME=PATH (fmriprep=/data/fmriprep). Default: "
        "derivatives/fmriprep* inside BIDS_DIR.",
        aliases=("-d",),
        many=True,
        metavar="NAME=PATH",
    ),
    Option(
        "stimuli_dir",
        "inputs",
        "path",
        "Folder with the sounds and, if events.tsv does not name them, presentations.tsv "
        "(task, run, subject, onset, duration, stim_file, stim_start). Default: "
        "BIDS_DIR/stimuli.",
        aliases=("--stimuli",),
        metavar="DIR",
    ),
    Option(
        "adapter",
        "inputs",
        "text",
        "Named rule that tells which sound was played when in a dataset that does not say so "
        "in BIDS terms (ds003085, ds003720, ds000113-auditoryperception), or a TOML file.",
        metavar="NAME",
    ),
    Option(
        "weights_dir",
        "inputs",
        "path",
        "Folder with network weights, such as `musicotopy-tools fetch` fills. Default: the folder "
        "that MUSICOTOPY_WEIGHTS_DIR names (in the image: /weights).",
        metavar="DIR",
    ),
    Option(
        "atlas",
        "inputs",
        "path",
        "Label image (NIfTI, GIFTI or CIFTI in the space of the data) that defines the parcels "
        "of the subject-level test, or an atlas of TemplateFlow by name: Destrieux2009, "
        "Desikan2006, Schaefer2018:400Parcels7Networks (`musicotopy-tools fetch atlases` brings "
        "it), or HCP-MMP (surfaces; `fetch hcp-mmp --accept-terms`). Default: compact parcels of "
        "equal size.",
        metavar="ATLAS",
    ),
    Option(
        "skip_bids_validation",
        "inputs",
        "flag",
        "Do not report what is odd about the dataset as a whole (what a run needs is always "
        "checked).",
    ),
    Option(
        "participant_label",
        "filters",
        "text",
        "Participants to analyse, with or without 'sub-'. Default: all.",
        aliases=("--participant-labels",),
        many=True,
        metavar="LABEL",
        prefix="sub-",
    ),
    Option(
        "exclude_participant_label",
        "filters",
        "text",
        "Participants to leave out, with or without 'sub-'.",
        many=True,
        metavar="LABEL",
        prefix="sub-",
    ),
    Option(
        "session_label",
        "filters",
        "text",
        "Sessions to analyse, with or without 'ses-'.",
        aliases=("--session-id",),
        many=True,
        metavar="LABEL",
        prefix="ses-",
    ),
    Option(
        "task_id",
        "filters",
        "text",
        "Tasks to analyse, with or without 'task-'. Default: all that present sounds.",
        aliases=("-t", "--task-label", "--task"),
        many=True,
        metavar="TASK",
        prefix="task-",
    ),
    Option(
        "bids_filter_file",
        "filters",
        "path",
        "JSON file with BIDS entities per query, as in fMRIPrep: "
        '{"bold": {"acquisition": "dico", "reconstruction": null, "direction": "*"}}; null '
        "means absent, '*' anything.",
        metavar="FILE",
    ),
    Option(
        "space",
        "filters",
        "text",
        "Spaces to analyse, as the BOLD files spell them (fsaverage5, fsLR, "
        "MNI152NLin2009cAsym). 'auto': the first of fsaverage5, fsLR, MNI152NLin2009cAsym, "
        "MNI152NLin6Asym that the participant has.",
        aliases=("--output-spaces",),
        many=True,
        metavar="SPACE",
    ),
    Option(
        "allow_raw_bold",
        "filters",
        "flag",
        "Analyse unpreprocessed BOLD of BIDS_DIR when there is no fMRIPrep derivative; the "
        "report says so.",
    ),
    Option(
        "dropped_volumes",
        "filters",
        "int",
        "Number of volumes at the start of each run that the derivatives lack and the raw data "
        "have; onsets count from the first volume of the raw run.",
        metavar="N",
    ),
    Option(
        "start_time",
        "filters",
        "float",
        "Time that the first volume stands for (s), instead of what sidecars say: StartTime where "
        "slice times were corrected, else the mean of SliceTiming or half the repetition time.",
        metavar="SECONDS",
    ),
    Option(
        "recipe",
        "workflow",
        "text",
        "Analyses to run.",
        many=True,
        choices=tuple(RECIPES),
        default=next(iter(RECIPES)),
    ),
    Option(
        "variant",
        "workflow",
        "text",
        "'robust': the question of the paper with cross-validation and inference of controlled "
        "type-I error. 'faithful': what the paper did.",
        choices=VARIANTS,
        default="robust",
    ),
    Option(
        "network",
        "workflow",
        "text",
        "Networks whose layers describe the sounds, instead of the recipe's own choice: "
        f"{', '.join(NETWORKS)}, {' or '.join(f'{prefix}:PATH' for prefix in FAMILIES)} "
        "(docs/networks.md).",
        aliases=("--networks",),
        many=True,
        metavar="NAME",
    ),
    Option(
        "weights",
        "workflow",
        "text",
        "Network weights: 'pretrained' (the published file, looked up in --weights-dir), "
        "'random' (seeded untrained network) and 'permuted' (published weights permuted within "
        "each kernel), two controls that are marked in every output, or a file.",
        metavar="pretrained|random|permuted|FILE",
        default="pretrained",
    ),
    Option(
        "confounds",
        "workflow",
        "text",
        "Confound regressors taken from fMRIPrep's table; 'auto' is motion24+wmcsf in runs of 260 "
        "volumes or more and motion6+wmcsf in shorter ones.",
        choices=CHOICES,
    ),
    Option(
        "high_pass_hz",
        "workflow",
        "float",
        "Cut-off of the cosine high-pass filter in Hz; 0 filters nothing.",
        aliases=("--high-pass",),
        metavar="HZ",
        default=1 / 128,
    ),
    Option(
        "smoothing_fwhm_mm",
        "workflow",
        "float",
        "Gaussian smoothing of volumes before the analysis, full width at half maximum in mm.",
        aliases=("--smoothing-fwhm",),
        metavar="MM",
    ),
    Option(
        "solver",
        "workflow",
        "text",
        "Ridge solver: 'gram' (exact, block-wise Gram matrices) or 'himalaya' (the library, "
        "slower; for comparison).",
        choices=SOLVERS,
        default="gram",
    ),
    Option(
        "random_seed",
        "workflow",
        "int",
        "Random seed (permutations, random weights).",
        aliases=("--seed",),
        metavar="INT",
    ),
    Option(
        "device",
        "performance",
        "text",
        "Where networks and regressions run: auto, cpu, cuda or cuda:N.",
        metavar="auto|cpu|cuda[:N]",
    ),
    Option(
        "nprocs",
        "performance",
        "int",
        "Processors to use. Default: those the system grants.",
        aliases=("--nthreads", "--n-cpus", "--n-procs"),
        metavar="N",
    ),
    Option(
        "omp_nthreads",
        "performance",
        "int",
        "Threads per process in numerical libraries. Default: --nprocs.",
        metavar="N",
    ),
    Option(
        "mem",
        "performance",
        "text",
        "Memory to stay within, for example 16G or 800M (a bare number counts MB). Chunk "
        "sizes follow from it. Default: 80 %% of what the system grants.",
        aliases=("--mem-mb",),
        metavar="SIZE",
    ),
    Option(
        "work_dir",
        "performance",
        "path",
        "Folder for intermediate files, which several runs may share. Default: OUTPUT_DIR/.work.",
        aliases=("-w",),
        metavar="DIR",
    ),
    Option(
        "executor",
        "performance",
        "text",
        "Where jobs (one participant in one space) run: 'serial' in this process, 'local' in "
        "processes on this machine, 'dask' on a dask cluster, 'slurm' on a dask cluster of SLURM "
        "jobs. Results are the same.",
        choices=EXECUTORS,
        default="serial",
    ),
    Option(
        "workers",
        "performance",
        "int",
        "Jobs at once. 'local' and 'dask' on this machine divide --nprocs and --mem among them. "
        "Default: one per processor.",
        metavar="N",
    ),
    Option(
        "dask_scheduler",
        "performance",
        "text",
        "Address (tcp://HOST:PORT) or scheduler file of a dask cluster that is running; --mem "
        "and --omp-nthreads hold for each worker.",
        metavar="ADDRESS",
    ),
    Option(
        "slurm",
        "performance",
        "text",
        "How 'slurm' asks for SLURM jobs: arguments of dask_jobqueue.SLURMCluster, for example "
        "queue=main walltime=04:00:00. --workers is the number of SLURM jobs; --mem and "
        "--omp-nthreads hold for each.",
        many=True,
        metavar="KEY=VALUE",
    ),
    Option(
        "shard",
        "performance",
        "text",
        "Analyse part I of N of the participants only (1/8, 2/8, …): for arrays of SLURM jobs.",
        metavar="I/N",
    ),
    Option(
        "overwrite",
        "outputs",
        "flag",
        "Compute again what is already there, and replace results of other settings.",
    ),
    Option(
        "stop_on_first_crash",
        "outputs",
        "flag",
        "Stop at the first participant that fails. Default: go on with the others.",
    ),
    Option(
        "reports_only",
        "outputs",
        "flag",
        "Make the HTML reports again from results that are there.",
    ),
    Option(
        "dry_run",
        "outputs",
        "flag",
        "Print what would be analysed, the alignment of sounds and volumes, and the memory "
        "and disk it takes; compute nothing.",
    ),
    Option(
        "list_inputs",
        "outputs",
        "flag",
        "Print every file of the dataset that a run would read, one per line, by name alone: "
        "works before contents are fetched (xargs -d '\\n' datalad get); compute nothing.",
    ),
    Option(
        "plan_json",
        "outputs",
        "path",
        "Write the plan (jobs with hashes, costs, dependencies and state) to this file and "
        "compute nothing; '-' for standard output.",
        metavar="FILE",
    ),
    Option(
        "verbose",
        "outputs",
        "count",
        "More messages (-v, -vv).",
        aliases=("-v",),
    ),
    Option("quiet", "outputs", "flag", "Only warnings and errors.", aliases=("-q",)),
)
"""Options that set a field of `Config`; ``--config-file`` and ``--set`` are the parser's own."""
