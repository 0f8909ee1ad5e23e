"""Which weights a network runs with."""

from __future__ import annotations

from bidsapp.audio.networks import NETWORKS, RANDOM


def network_weights(network: str, wish: str) -> str:
    """Turn ``--weights`` into what `bidsapp.audio.networks.get_network` takes.

    Parameters
    ----------
    network
        Registered name.
    wish
        ``random``, ``pretrained`` (the first published weights of the network), the name of
        published weights, or a file.
    """
    published = NETWORKS[network].weight_files if network in NETWORKS else {}
    if wish != "pretrained":
        return wish
    return next(iter(published), RANDOM)
