"""Images and tables that are broken in ways their readers do not notice."""

from __future__ import annotations

import gzip

import nibabel as nib
import numpy as np
import pytest

from bidsapp.brain.clean import Cleaning, load_bold
from bidsapp.brain.confounds import read_confounds
from bidsapp.brain.images import read_gifti
from bidsapp.brain.units import unit_space
from bidsapp.errors import InputInvalidError, InputMissingError

PLAIN = Cleaning("none", 0.0)


def test_a_changed_byte_fails_the_checksum(make, tmp_path) -> None:
    run = make.plain("volume", n_trs=40)
    path = run.bold[0]
    raw = bytearray(gzip.decompress(path.read_bytes()))
    trailer = path.read_bytes()[-8:]
    middle = len(raw) // 2
    raw[middle : middle + 400] = b"@" * 400
    path.write_bytes(gzip.compress(bytes(raw), mtime=0)[:-8] + trailer)
    units = unit_space([run])
    with pytest.raises(InputInvalidError, match=rf"{path.name}.*CRC"):
        load_bold([run], units, PLAIN, tmp_path / "cache")


@pytest.mark.parametrize("kind", ["volume", "gifti", "cifti"])
def test_the_run_without_signal_is_named(make, tmp_path, kind) -> None:
    good, bad = make.plain(kind, n_trs=20), make.plain(kind, n_trs=20, seed=1)
    for path in bad.bold:
        image = nib.load(path)
        if kind == "gifti":
            for array in image.darrays:
                array.data[:] = np.nan
        else:
            values = np.full(image.shape, np.nan, np.float32)
            image = type(image)(
                values, *([image.affine] if kind == "volume" else []), image.header
            )
        nib.save(image, path)
    units = unit_space([good, bad])
    with pytest.raises(InputInvalidError, match=rf"{bad.bold[0].name}.*of this run"):
        load_bold([good, bad], units, PLAIN, tmp_path / "cache")


def test_volumes_of_a_surface_that_differ_in_size(make) -> None:
    path = make.plain("gifti", n_trs=4).bold[0]
    image = nib.load(path)
    array = nib.gifti.GiftiDataArray(image.darrays[0].data[:-1], "NIFTI_INTENT_TIME_SERIES")
    image.darrays[2] = array
    nib.save(image, path)
    with pytest.raises(InputInvalidError, match=rf"{path.name} holds arrays of 29 to 30 vertices"):
        read_gifti(path)


class TestConfounds:
    @staticmethod
    def table(make, tmp_path, cell: str, sidecar: str | None = None):
        names = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
        rows = [["0.1", "0.2", "0.3", "0.1", "0.2", str(0.01 * index)] for index in range(20)]
        rows[7][2] = cell
        path = tmp_path / "sub-01_task-a_desc-confounds_timeseries.tsv"
        path.write_text("\n".join("\t".join(row) for row in [names, *rows]) + "\n")
        if sidecar is not None:
            path.with_suffix(".json").write_text(sidecar)
        return make.plain("gifti", n_trs=20, confounds=path)

    @pytest.mark.parametrize("cell", ["0,3", "bad"])
    def test_cells_that_are_no_numbers_are_quoted(self, make, tmp_path, cell) -> None:
        run = self.table(make, tmp_path, cell, "{}")
        with pytest.raises(InputInvalidError, match=rf"no numbers \(trans_z '{cell}'\)"):
            read_confounds(run, "motion6", keep_cosines=False)

    def test_a_broken_json_is_named(self, make, tmp_path) -> None:
        run = self.table(make, tmp_path, "0.3", '{"csf": ')
        with pytest.raises(InputInvalidError, match=r"timeseries\.json: is not valid JSON"):
            read_confounds(run, "motion6", keep_cosines=False)

    def test_components_that_are_not_described(self, make, tmp_path) -> None:
        run = self.table(make, tmp_path, "0.3", '{"a_comp_cor_00": {"Method": "aCompCor"}}')
        with pytest.raises(InputMissingError, match=r"cannot serve --confounds motion24\+compcor"):
            read_confounds(run, "motion24+compcor", keep_cosines=True)
