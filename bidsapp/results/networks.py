"""What networks are called in sentences, and the works that describe them."""

from __future__ import annotations

from collections.abc import Mapping

NETWORKS: Mapping[str, tuple[str, str | None]] = {
    "resnet1d": ("ResNet-1D", "he2016"),
    "musicnn": ("MusiCNN", "pons2019"),
    "musicnnmtt": ("musicnn (MagnaTagATune)", "pons2019"),
    "musicnnmsd": ("musicnn (Million Song Dataset)", "pons2019"),
    "vggmtt": ("the VGG of the package musicnn (MagnaTagATune)", "pons2019"),
    "vggmsd": ("the VGG of the package musicnn (Million Song Dataset)", "pons2019"),
    "vggish": ("VGGish", "hershey2017"),
    "hubertbase": ("HuBERT (base)", "hsu2021"),
    "hubertlarge": ("HuBERT (large)", "hsu2021"),
    "wav2vec2base": ("wav2vec 2.0 (base)", "baevski2020"),
    "wav2vec2large": ("wav2vec 2.0 (large)", "baevski2020"),
    "wavlmbase": ("WavLM (base)", "chen2022"),
    "wavlmlarge": ("WavLM (large)", "chen2022"),
}
"""Label of results → name, and key of the reference."""
_FEATURES = {
    "baseline": "acoustic descriptors",
    "harmonic": "harmonic network",
    "consonance": "roughness and harmonicity",
}


def network_title(name: str) -> str:
    """Return the name for a reader of a network.

    Parameters
    ----------
    name
        As registered (``musicnn-mtt``), or the label of its results (``musicnnmtt``).
    """
    label = name.replace("-", "")
    return _FEATURES.get(label) or NETWORKS.get(label, (name, None))[0]
