"""The files that can be fetched: where they are, what they must hash to, under which licence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["weights", "templates", "annotations"]

_VGGISH: Final = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/"
_TAGGERS: Final = (
    "https://github.com/minzwon/sota-music-tagging-models/raw/"
    "1f4d282693ac19cde4d30b86811fe0ae2452f406/models/"
)
_FIGSHARE: Final = "https://ndownloader.figshare.com/files/"
_TORCHAUDIO: Final = "https://download.pytorch.org/torchaudio/models/"


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
    md5
        32 hexadecimal digits, where only these are published.
    """

    name: str
    url: str
    sha256: str = ""
    md5: str = ""

    @property
    def promised(self) -> str:
        """What the file must hash to: digits of its SHA-256, ``md5:`` and digits, or empty."""
        return self.sha256 or (f"md5:{self.md5}" if self.md5 else "")


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
        `bidsapp.fetch.packages`), TemplateFlow's client or neuromaps brings them
        (`bidsapp.fetch.templates`, `bidsapp.fetch.annotations`), or a repository lists them.
    repository
        ``OWNER/NAME`` of a model on the Hugging Face hub (see `bidsapp.fetch.hub`).
    consent
        Option without which it is not fetched: ``--non-commercial`` where the licence forbids
        commercial use, ``--accept-terms`` where terms of use have to be accepted.
    """

    name: str
    summary: str
    kind: Kind
    licence: str
    use: str
    files: tuple[RemoteFile, ...] = ()
    repository: str = ""
    consent: Literal["", "--non-commercial", "--accept-terms"] = ""


def _annotation(side: str, number: str, md5: str) -> RemoteFile:
    """Return a hemisphere of HCP-MMP1.0 on fsaverage, named as TemplateFlow names atlases."""
    name = f"tpl-fsaverage/tpl-fsaverage_hemi-{side}_den-164k_atlas-HCPMMP_dseg.annot"
    return RemoteFile(name, _FIGSHARE + number, md5=md5)


def _pipeline(name: str, title: str, file: str, size: str) -> Bundle:
    """Weights of a bundle of `torchaudio.pipelines`, at the address torchaudio itself uses."""
    return Bundle(
        name,
        f"{title} of torchaudio.pipelines ({size})",
        "weights",
        "MIT (the authors' weights, redistributed by torchaudio)",
        f"--network {name} --weights-dir DIR",
        (RemoteFile(file, _TORCHAUDIO + file),),
    )


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
        _pipeline("hubert-base", "HuBERT base", "hubert_fairseq_base_ls960.pth", "360 MB"),
        _pipeline("hubert-large", "HuBERT large", "hubert_fairseq_large_ll60k.pth", "1.2 GB"),
        _pipeline(
            "wav2vec2-base", "wav2vec 2.0 base", "wav2vec2_fairseq_base_ls960.pth", "360 MB"
        ),
        _pipeline(
            "wav2vec2-large", "wav2vec 2.0 large", "wav2vec2_fairseq_large_ls960.pth", "1.2 GB"
        ),
        _pipeline("wavlm-base", "WavLM base", "wavlm_base.pth", "360 MB"),
        _pipeline("wavlm-large", "WavLM large", "wavlm_large.pth", "1.2 GB"),
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
            "w2v-bert",
            "w2v-BERT 2.0, 24 blocks, speech of many languages (2.3 GB)",
            "weights",
            "MIT (Meta AI)",
            "--network w2v-bert --weights-dir DIR",
            repository="facebook/w2v-bert-2.0",
        ),
        Bundle(
            "musicldm",
            "MusicLDM: generates music from an embedding of its own CLAP (several GB)",
            "weights",
            "CC BY-NC-SA 4.0 (Ke Chen and colleagues): not for commercial use",
            "the folder DIR/musicldm",
            repository="ucsd-reach/musicldm",
            consent="--non-commercial",
        ),
        Bundle(
            "audioldm",
            "AudioLDM small: generates sound from an embedding of clap-music-speech (several GB)",
            "weights",
            "CC BY-NC-SA 4.0 (Haohe Liu and colleagues): not for commercial use",
            "the folder DIR/audioldm-s-full-v2",
            repository="cvssp/audioldm-s-full-v2",
            consent="--non-commercial",
        ),
        Bundle(
            "templates",
            "templates of TemplateFlow: [TEMPLATE[+COHORT][:ENTITY=VALUE,...] ...]; without "
            "entities brain mask and grey matter. Default: registered spheres between fsLR and "
            "fsaverage, better than the shipped approximation",
            "templates",
            "that of each template, shown when it is fetched",
            "TEMPLATEFLOW_HOME=DIR",
        ),
        Bundle(
            "atlases",
            "atlases of TemplateFlow: [NAME[:PART] ...], on fsaverage5 and at 2 mm in the MNI152 "
            "spaces of fMRIPrep. Default: Destrieux2009, HOCPA:th25 (Harvard-Oxford), "
            "Schaefer2018:400Parcels7Networks",
            "templates",
            "that of each template, shown when it is fetched",
            "--atlas NAME, with TEMPLATEFLOW_HOME=DIR",
        ),
        Bundle(
            "hcp-mmp",
            "HCP-MMP1.0 on fsaverage, 180 areas a hemisphere (Glasser et al. 2016; 3 MB)",
            "templates",
            "WU-Minn HCP Open Access Data Use Terms (humanconnectome.org): do not try to identify "
            "participants, acknowledge the HCP in publications, pass data on under the same terms",
            "--atlas HCP-MMP, with TEMPLATEFLOW_HOME=DIR; cite Glasser et al. (2016), Nature 536, "
            "171-178",
            (
                _annotation("L", "5528816", "46a102b59b2fb1bb4bd62d51bf02e975"),
                _annotation("R", "5528819", "75e96b331940227bbcb07c1c791c2463"),
            ),
            consent="--accept-terms",
        ),
        Bundle(
            "neuromaps",
            "maps of the cortex by the package neuromaps: SOURCE/DESC/SPACE/DENSITY ..., "
            "such as hcps1200/myelinmap/fsLR/32k",
            "annotations",
            "that of each map, shown with the works to cite",
            "gradients_group.references or .annotations, with NEUROMAPS_DATA=DIR",
        ),
    )
}
"""Name → bundle. Sources: the projects' own addresses; the hash of MusiCNN was computed from the
published file, that of VGGish agrees with the digits in its name; address and MD5 of HCP-MMP1.0
are those that MNE-Python publishes."""
