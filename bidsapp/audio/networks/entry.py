"""What the registry of networks says of each."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bidsapp.audio.networks import Choice
    from bidsapp.audio.networks.base import Network


class NetworkEntry:
    """One line of the registry.

    Attributes
    ----------
    summary
        What the network is, for ``--help`` and the docs.
    weight_files
        Known weights: name → file names looked for in ``--weights-dir``, first found wins. Empty
        for a network without parameters.
    build
        Makes the network; imports what it needs.
    tool
        Words of ``musicotopy-tools`` that bring or train its weights.
    package
        Optional package that it is built from; empty for none.
    extra
        Extra of musicotopy that brings the package.
    in_folder
        Whether its weights are a folder, not a file.
    seconds
        CPU seconds that it takes for a second of sound, without Gram matrices
        (``benchmarks/network_seconds.py``).
    on_music
        Whether its weights were trained on music, so that a network that was not is its control.
    """

    __slots__ = (
        "build",
        "extra",
        "in_folder",
        "on_music",
        "package",
        "seconds",
        "summary",
        "tool",
        "weight_files",
    )

    def __init__(
        self,
        summary: str,
        weight_files: Mapping[str, tuple[str, ...]],
        build: Callable[[Choice], Network],
        *,
        tool: str = "",
        package: str = "",
        extra: str = "",
        in_folder: bool = False,
        on_music: bool = False,
        seconds: float = 0.1,
    ) -> None:
        self.summary = summary
        self.weight_files = weight_files
        self.build = build
        self.tool = tool
        self.package = package
        self.extra = extra
        self.in_folder = in_folder
        self.on_music = on_music
        self.seconds = seconds
