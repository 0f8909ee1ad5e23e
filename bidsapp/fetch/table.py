"""The files that can be fetched: where they are, what they must hash to, under which licence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["weights", "templates"]

_TEMPLATEFLOW: Final = "https://templateflow.s3.amazonaws.com/"
_VGGISH: Final = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/"
_TAGGERS: Final = (
    "https://github.com/minzwon/sota-music-tagging-models/raw/"
    "1f4d282693ac19cde4d30b86811fe0ae2452f406/models/"
)
_SCHAEFER: Final = "atlas-Schaefer2018_desc-400Parcels7Networks_dseg"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file.

    Attributes
    ----------
    name
        Path below the folder it belongs to, and below a mirror.
    url
        Where its authors keep it.
    sha256
        All 64 hexadecimal digits, the first eight (the authors' promise in the file's name), or
        none: then the first download is trusted and recorded.
    """

    name: str
    url: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What one name on the command line fetches.

    Attributes
    ----------
    name, summary
        What the user types, and what it is.
    kind
        Which folder it goes to.
    licence
        Shown before anything is fetched.
    use
        How a run finds the files.
    files
        In the order they are fetched; empty if a Python package carries them (see
        `bidsapp.fetch.packages`) or a repository lists them.
    repository
        ``OWNER/NAME`` of a model on the Hugging Face hub (see `bidsapp.fetch.hub`).
    non_commercial
        The licence forbids commercial use: fetched only with ``--non-commercial``.
    """

    name: str
    summary: str
    kind: Kind
    licence: str
    use: str
    files: tuple[RemoteFile, ...] = ()
    repository: str = ""
    non_commercial: bool = False


def _templateflow(template: str, *names: str) -> tuple[RemoteFile, ...]:
    paths = (f"tpl-{template}/tpl-{template}_{name}" for name in names)
    return tuple(RemoteFile(path, _TEMPLATEFLOW + path) for path in paths)


BUNDLES: Final = {
    bundle.name: bundle
    for bundle in (
        Bundle(
            "vggish",
            "VGGish trained on AudioSet, and the principal components of its last layer (288 MB)",
            "weights",
            "Apache-2.0 (PyTorch port of Google's AudioSet release)",
            "--weights-dir DIR",
            (
                RemoteFile(
                    "vggish-10086976.pth",
                    _VGGISH + "vggish-10086976.pth",
                    "10086976245803799d9194e9a73d9b6c1549c71d1b80106f5cade5608a561f4b",
                ),
                RemoteFile(
                    "vggish_pca_params-970ea276.pth",
                    _VGGISH + "vggish_pca_params-970ea276.pth",
                    "970ea276",
                ),
            ),
        ),
        Bundle(
            "musicnn",
            "musicnn-mtt, musicnn-msd, vgg-mtt, vgg-msd of the package musicnn 0.1.0, by pip "
            "(29 MB, kept: 11 MB)",
            "weights",
            "ISC (Music Technology Group, Universitat Pompeu Fabra; code by Jordi Pons)",
            "--network musicnn-mtt --weights-dir DIR",
        ),
        Bundle(
            "musicnn-mtat",
            "MusiCNN trained on MagnaTagATune by another project (3 MB)",
            "weights",
            "MIT (Music Technology Group, Universitat Pompeu Fabra; code by Minz Won)",
            "--network musicnn --weights-dir DIR",
            (
                RemoteFile(
                    "mtat_musicnn_best_model.pth",
                    _TAGGERS + "mtat/musicnn/best_model.pth",
                    "690ace3bb5d49d90dd38fe3ec05a1185350b3bc3742bd7ee941f56b649b2c893",
                ),
            ),
        ),
        Bundle(
            "clap-music",
            "CLAP trained on music: space of music and captions, for retrieval (0.8 GB)",
            "weights",
            "Apache-2.0 (LAION)",
            "--network clap --weights DIR/larger_clap_music",
            repository="laion/larger_clap_music",
        ),
        Bundle(
            "clap-music-speech",
            "CLAP trained on music and speech: the space of AudioLDM (0.8 GB)",
            "weights",
            "Apache-2.0 (LAION)",
            "--network clap --weights DIR/larger_clap_music_and_speech",
            repository="laion/larger_clap_music_and_speech",
        ),
        Bundle(
            "ast",
            "Audio spectrogram transformer, 527 classes of AudioSet (0.35 GB)",
            "weights",
            "BSD-3-Clause (Yuan Gong)",
            "--network ast --weights-dir DIR",
            repository="MIT/ast-finetuned-audioset-10-10-0.4593",
        ),
        Bundle(
            "encodec",
            "EnCodec at 24 kHz (0.1 GB)",
            "weights",
            "MIT (Meta AI)",
            "--network encodec --weights-dir DIR",
            repository="facebook/encodec_24khz",
        ),
        Bundle(
            "musicldm",
            "MusicLDM: generates music from an embedding of its own CLAP (several GB)",
            "weights",
            "CC BY-NC-SA 4.0 (Ke Chen and colleagues): not for commercial use",
            "the folder DIR/musicldm",
            repository="ucsd-reach/musicldm",
            non_commercial=True,
        ),
        Bundle(
            "audioldm",
            "AudioLDM small: generates sound from an embedding of clap-music-speech (several GB)",
            "weights",
            "CC BY-NC-SA 4.0 (Haohe Liu and colleagues): not for commercial use",
            "the folder DIR/audioldm-s-full-v2",
            repository="cvssp/audioldm-s-full-v2",
            non_commercial=True,
        ),
        Bundle(
            "templates",
            "Registered spheres between fsLR and fsaverage, better than the shipped approximation",
            "templates",
            "that of the HCP Pipelines (LICENSE in tpl-fsLR of TemplateFlow)",
            "TEMPLATEFLOW_HOME=DIR",
            _templateflow(
                "fsLR",
                "space-fsaverage_hemi-L_den-32k_sphere.surf.gii",
                "space-fsaverage_hemi-R_den-32k_sphere.surf.gii",
            ),
        ),
        Bundle(
            "atlases",
            "Schaefer 2018 atlas of 400 parcels at 2 mm in both MNI152 spaces of fMRIPrep",
            "templates",
            "MIT (Computational Brain Imaging Group)",
            "--atlas DIR/tpl-<space>/<file>.nii.gz",
            (
                *_templateflow(
                    "MNI152NLin2009cAsym", f"res-02_{_SCHAEFER}.nii.gz", f"{_SCHAEFER}.tsv"
                ),
                *_templateflow(
                    "MNI152NLin6Asym", f"res-02_{_SCHAEFER}.nii.gz", f"{_SCHAEFER}.tsv"
                ),
            ),
        ),
    )
}
"""Name → bundle. Sources: the projects' own addresses; the hash of MusiCNN was computed from the
published file, that of VGGish agrees with the digits in its name."""
