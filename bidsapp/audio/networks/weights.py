"""Parameters of networks: read from a file and checked, or drawn from a seed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from bidsapp.audio.io import content_hash
from bidsapp.audio.networks.weight_files import refuse_damaged
from bidsapp.bids.records import Problem
from bidsapp.bids.tables import read_table
from bidsapp.errors import InputInvalidError

KEYS_SUFFIX = ".keys.tsv"
"""Of the table of names that may lie beside a file of weights."""


def read_state(path: Path) -> tuple[dict[str, torch.Tensor], str]:
    """Read a file of named tensors without running any code in it.

    Parameters
    ----------
    path
        Written by ``torch.save``, or safetensors. If its name ends in ``-`` and hexadecimal
        digits, they must be the beginning of its SHA-256.

    Returns
    -------
    state
        Name → tensor, mapped from the file and read when touched.
    sha256
        Of the file.

    Raises
    ------
    InputInvalidError
        The hash is not the promised one, or the file is no dictionary of finite tensors.
    """
    sha256 = refuse_damaged(path) or content_hash(path)
    try:
        state = _load(path)
    except Exception as error:
        msg = f"{path}: not a file of weights ({type(error).__name__}); fetch it again"
        raise InputInvalidError(msg) from error
    if not isinstance(state, dict) or not all(map(torch.is_tensor, state.values())):
        msg = f"{path}: holds no dictionary of tensors; give a state dict"
        raise InputInvalidError(msg)
    broken = [name for name, tensor in state.items() if not torch.isfinite(tensor).all()]
    if broken:
        msg = f"{path}: {broken[0]} holds NaN or infinite values; fetch it again"
        raise InputInvalidError(msg)
    return state, sha256


def _load(path: Path) -> object:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError:  # the format before 2019 cannot be mapped
        return torch.load(path, map_location="cpu", weights_only=True)


def read_parameters(
    path: Path, permuted: int | None = None
) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
    """Read parameters and say where they come from.

    Parameters
    ----------
    path
        As `read_state` takes it. A table of names beside it (``resnet1d.keys.tsv`` beside
        ``resnet1d.pth``) renames what is read, see `rename_keys`.
    permuted
        Seed with which the values of each kernel are permuted (see `permute_kernels`); None
        leaves them.

    Returns
    -------
    state
        Name → tensor.
    facts
        ``source`` (``file`` or ``permuted``), ``file``, ``sha256``, and the seed if permuted.
    """
    state, sha256 = read_state(path)
    facts: dict[str, object] = {"source": "file", "file": path.name, "sha256": sha256}
    names = path.with_suffix(KEYS_SUFFIX)
    if names.is_file():
        state = rename_keys(state, names)
        facts |= {"keys": names.name, "keys_sha256": content_hash(names)}
    if permuted is None:
        return state, facts
    return permute_kernels(state, permuted), {**facts, "source": "permuted", "seed": permuted}


def rename_keys(state: Mapping[str, torch.Tensor], path: Path) -> dict[str, torch.Tensor]:
    """Rename the parameters of a network that is ours under other names.

    Parameters
    ----------
    state
        Name → tensor; names are parts joined by dots.
    path
        Table with the columns ``theirs`` and ``ours``: a part of their names, and what takes its
        place, which may have dots (``proj``, ``carry.0``).

    Returns
    -------
    dict
        Name → tensor.

    Raises
    ------
    InputInvalidError
        The table lacks a column or is unreadable, gives a part of their names two places, or two
        parameters get one name.
    """
    table = read_table(path)
    if isinstance(table, Problem):
        msg = f"{path}: {table.what}; {table.remedy}"
        raise InputInvalidError(msg)
    if not {"theirs", "ours"} <= set(table.columns):
        msg = f"{path}: columns are {', '.join(table.columns)}; write theirs and ours"
        raise InputInvalidError(msg)
    names: dict[str, str] = {}
    for row in table.rows:
        theirs, ours = row["theirs"], row["ours"]
        if names.setdefault(theirs, ours) != ours:
            msg = f"{path}: {theirs} is both {names[theirs]} and {ours}; write it once"
            raise InputInvalidError(msg)
    renamed = {
        ".".join(names.get(part, part) for part in key.split(".")): value
        for key, value in state.items()
    }
    if len(renamed) < len(state):
        msg = f"{path}: {len(state)} parameters get {len(renamed)} names; give each its own"
        raise InputInvalidError(msg)
    return renamed


def permute_kernels(state: Mapping[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
    """Permute the values within each kernel: the distribution of weights stays, what they do not.

    Parameters
    ----------
    state
        Name → tensor. Tensors of two or more dimensions are kernels; biases and the parameters
        and running averages of normalisations stay.
    seed
        The permutation of a kernel belongs to the seed and the kernel's rank among the names.
    """
    result = dict(state)
    kernels = sorted(key for key, value in state.items() if value.ndim > 1)
    for index, key in enumerate(kernels):
        result[key] = permute(state[key], seed, index)
    return result


def permute(kernel: torch.Tensor, seed: int, index: int) -> torch.Tensor:
    """Permute the values of one kernel; the permutation belongs to (seed, index) alone."""
    generator = np.random.Generator(np.random.Philox(key=[seed, index]))
    order = torch.from_numpy(generator.permutation(kernel.numel()))
    return kernel.flatten()[order].reshape(kernel.shape)


def random_facts(seed: int) -> dict[str, object]:
    """Say where the weights of an untrained network come from."""
    return {"source": "random", "initialisation": "He normal", "seed": seed}


def he_normal(shape: tuple[int, ...], seed: int, index: int) -> torch.Tensor:
    """Draw one layer's weights: normal, variance ``2 / fan_in``.

    The stream belongs to (seed, index) alone, whatever was drawn before and on however many
    threads.

    Parameters
    ----------
    shape
        (outputs, inputs, …).
    seed, index
        Seed of the network and position of the layer.

    Source: He et al. 2015, Delving deep into rectifiers, §2.2.
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, index]))
    values = generator.standard_normal(shape, dtype=np.float32)
    values *= np.float32(np.sqrt(2.0 / np.prod(shape[1:])))
    return torch.from_numpy(values)


def he_initialise(module: torch.nn.Module, seed: int) -> None:
    """Draw a module's parameters in place: He-normal weights, zero biases, plain norms.

    Parameters
    ----------
    module
        Parameters named ``weight`` with two or more dimensions are drawn; position in
        ``named_parameters`` is the index of `he_normal`.
    seed
        Seed of the network.
    """
    with torch.no_grad():
        for index, (name, parameter) in enumerate(module.named_parameters()):
            if parameter.ndim > 1:
                parameter.copy_(he_normal(tuple(parameter.shape), seed, index))
            else:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)


def load_state(
    module: torch.nn.Module, state: Mapping[str, torch.Tensor], path: Path, network: str
) -> None:
    """Give a module the parameters and running averages of a state dict.

    Entries that the module does not have (spectrogram constants) are passed over.

    Raises
    ------
    InputInvalidError
        One is missing or has another shape.
    """
    own = {name: value for name, value in module.state_dict().items() if value.ndim}
    for name, value in own.items():
        found = tuple(state[name].shape) if name in state else "nothing"
        if found != tuple(value.shape):
            msg = (
                f"{path}: parameter {name} should have shape {tuple(value.shape)}, found "
                f"{found}; give a state dict of {network}, or its names in "
                f"{path.with_suffix(KEYS_SUFFIX).name}"
            )
            raise InputInvalidError(msg)
    module.load_state_dict({name: state[name].float() for name in own}, strict=False)
