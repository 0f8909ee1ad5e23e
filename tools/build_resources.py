"""Build the small tables of ``bidsapp/resources`` from package data; needs no network.

    python tools/build_resources.py [--output FOLDER] [--oracle FOLDER]

Reads text and GIFTI files that BrainSpace, nilearn and the TemplateFlow client install (none of
the three is imported). With ``--oracle`` (a folder with the registered spheres
``fs_LR-deformed_to-fsaverage.{L,R}.sphere.32k_fs_LR.surf.gii``) it prints how accurate the
correspondence of the two meshes is; the numbers in ``bidsapp/resources/README.md`` come from it.

The correspondence is anatomical: vertices of the two average cortices match when they are close
and face the same way. Spheres of different templates are never compared: they are not registered.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, diags, eye
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HEMISPHERES = {"lh": "left", "rh": "right"}
NORMAL_WEIGHT_MM = 5.0
ALIGNMENT_STEPS = 20
SMOOTHING_STEPS = 16
SKELETON_TABLE = (
    "tpl-MNI152NLin2009cAsym/"
    "tpl-MNI152NLin2009cAsym_atlas-Schaefer2018_desc-400Parcels7Networks_dseg.tsv"
)


def package_folder(name: str) -> Path:
    """Folder of an installed package, found without importing it."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        msg = f"{name} is not installed; the tables are derived from its data"
        raise ModuleNotFoundError(msg)
    return Path(next(iter(spec.submodule_search_locations)))


def read_surface(path: Path) -> tuple[Floats, Ints]:
    """Coordinates (n_vertices, 3) and triangles (n_faces, 3) of a GIFTI surface."""
    surface: Any = nib.load(path)
    points, faces = (array.data for array in surface.darrays[:2])
    return points.astype(np.float64), faces.astype(np.int64)


def read_conte69(name: str) -> Floats:
    """One value per vertex of both hemispheres, from BrainSpace's text files."""
    folder = package_folder("brainspace") / "datasets"
    return np.loadtxt(folder / name)


def vertex_normals(points: Floats, faces: Ints) -> Floats:
    """Return unit normals, the area-weighted mean of the triangles around each vertex."""
    a, b, c = points[faces.T]
    face_normals = np.cross(b - a, c - a)
    normals = np.zeros_like(points)
    for corner in faces.T:
        np.add.at(normals, corner, face_normals)
    return on_sphere(normals, 1.0)


def match(source: tuple[Floats, Ints], target: tuple[Floats, Ints]) -> Ints:
    """For each target vertex the source vertex near in place and in the way it faces."""
    features = [
        np.hstack([points, NORMAL_WEIGHT_MM * vertex_normals(points, faces)])
        for points, faces in (source, target)
    ]
    return nearest(features[0], features[1])


def nearest(points: Floats, queries: Floats) -> Ints:
    """Return the number of the point nearest to each query."""
    return np.asarray(cKDTree(points).query(queries)[1], dtype=np.int64)


def align(source: tuple[Floats, Ints], target: tuple[Floats, Ints]) -> Ints:
    """Match, fit an affine transform to the matches, and again (iterative closest points)."""
    points, faces = source
    extended = np.column_stack([points, np.ones(len(points))])
    moved = points
    for _ in range(ALIGNMENT_STEPS):
        matched = match((moved, faces), target)
        affine = np.linalg.lstsq(extended[matched], target[0], rcond=None)[0]
        moved = extended @ affine
    return match((moved, faces), target)


def smooth_on_mesh(values: Floats, faces: Ints, steps: int) -> Floats:
    """Average each vertex with its neighbours, `steps` times."""
    n = len(values)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    ring = coo_matrix((np.ones(len(edges)), edges.T), shape=(n, n)).tocsr() + eye(n)
    ring = diags(1 / np.asarray(ring.sum(axis=1)).ravel()) @ ring
    for _ in range(steps):
        values = ring @ values
    return values


def correspondence(hemisphere: str) -> Ints:
    """Vertex of fsLR-32k for each vertex of fsaverage5, one hemisphere.

    The matched vertices, seen as points of fsLR's own sphere, are smoothed over fsaverage5's
    mesh: neighbours must map to neighbours, which removes matches across a sulcus.
    """
    own = package_folder("brainspace") / "datasets" / "surfaces"
    theirs = package_folder("nilearn") / "datasets" / "data" / "fsaverage5"
    side = HEMISPHERES[hemisphere]
    white, faces = read_surface(theirs / f"white_{side}.gii.gz")
    middle = (white + read_surface(theirs / f"pial_{side}.gii.gz")[0]) / 2
    matched = align(read_surface(own / f"conte69_32k_{hemisphere}.gii"), (middle, faces))
    sphere = read_surface(own / f"conte69_32k_{hemisphere}_sphere.gii")[0]
    smoothed = smooth_on_mesh(sphere[matched], faces, SMOOTHING_STEPS)
    return nearest(sphere, on_sphere(smoothed))


def on_sphere(points: Floats, radius: float = 100.0) -> Floats:
    """Points pushed out to the sphere around the origin."""
    return np.asarray(radius * points / np.linalg.norm(points, axis=1, keepdims=True))


def fslr_tables() -> dict[str, NDArray[Any]]:
    """Sphere, cortex, gradients and parcels of fsLR-32k, left hemisphere first."""
    surfaces = package_folder("brainspace") / "datasets" / "surfaces"
    spheres = [read_surface(surfaces / f"conte69_32k_{h}_sphere.gii")[0] for h in HEMISPHERES]
    if not np.array_equal(spheres[0] * [-1, 1, 1], spheres[1]):
        raise ValueError("the right sphere of fsLR-32k is not the mirror image of the left one")
    cortex = np.hstack([read_conte69(f"surfaces/conte69_32k_{h}_mask.csv") for h in HEMISPHERES])
    gradients = np.array(
        [read_conte69(f"matrices/main_group/conte69_32k_fc_gradient{k}.csv") for k in range(2)]
    )
    gradients[:, cortex == 0] = np.nan
    return {
        "sphere_left": spheres[0].astype(np.float32),
        "cortex": cortex.astype(bool),
        "gradients": gradients.astype(np.float32),
        "schaefer400": read_conte69("parcellations/schaefer_400_conte69.csv").astype(np.uint16),
    }


def fslr_midthickness() -> dict[str, NDArray[Any]]:
    """Average cortex of fsLR-32k in hundredths of a millimetre, and the left triangles."""
    surfaces = package_folder("brainspace") / "datasets" / "surfaces"
    (left, faces), (right, mirrored) = (
        read_surface(surfaces / f"conte69_32k_{h}.gii") for h in HEMISPHERES
    )
    if not np.array_equal(faces[:, ::-1], mirrored):
        raise ValueError("the right triangles of fsLR-32k are not the left ones turned round")
    hundredths = np.round(100 * np.stack([left, right])).astype(np.int16)
    return {"hundredths_mm": hundredths, "faces_left": faces.astype(np.uint16)}


def fsaverage5_tables(
    fslr: dict[str, NDArray[Any]], indices: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    """Read what fsLR-32k has at the corresponding vertices (nothing is interpolated)."""
    return {
        "cortex": fslr["cortex"][indices],
        "gradients": fslr["gradients"][:, indices],
        "schaefer400": fslr["schaefer400"][indices],
    }


def parcel_table() -> str:
    """Index, name, hemisphere and network of the 400 parcels, tab separated."""
    skeleton = package_folder("templateflow") / "conf" / "templateflow-skel.zip"
    with zipfile.ZipFile(skeleton) as archive:
        lines = archive.read(SKELETON_TABLE).decode().splitlines()[1:]
    rows = ["index\tname\themisphere\tnetwork"]
    for line in filter(None, lines):
        index, name, *_ = line.split("\t")
        _, hemisphere, network, *_ = name.split("_")
        rows.append(f"{index}\t{name}\t{hemisphere[0]}\t{network}")
    return "\n".join(rows) + "\n"


def write_npz(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write a compressed .npz whose bytes depend on nothing but the arrays."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, values in sorted(arrays.items()):
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type, member.create_system, member.external_attr = 8, 3, 0o644 << 16
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.ascontiguousarray(values), version=(1, 0))
            archive.writestr(member, buffer.getvalue(), compresslevel=9)


def build(output: Path) -> None:
    """Write all tables to `output`."""
    output.mkdir(parents=True, exist_ok=True)
    pairs = [correspondence(hemisphere) for hemisphere in HEMISPHERES]
    fslr = fslr_tables()
    indices = np.hstack([pairs[0], pairs[1] + len(fslr["sphere_left"])]).astype(np.uint16)
    write_npz(output / "fsLR32k.npz", fslr)
    write_npz(output / "fsLR32k_midthickness.npz", fslr_midthickness())
    write_npz(output / "fsaverage5.npz", fsaverage5_tables(fslr, indices))
    write_npz(output / "fsLR32k_to_fsaverage5.npz", {"indices": indices})
    (output / "schaefer400.tsv").write_text(parcel_table(), encoding="utf-8")


def accuracy(indices: Ints, side: str, oracle: Path) -> dict[str, float]:
    """Compare the correspondence of one hemisphere with fsLR's registered sphere.

    Returns median and 90th percentile of the distance on the sphere of radius 100 mm between
    each fsaverage5 vertex and the registered place of its fsLR vertex, the correlation of the
    first gradient carried by both, and the share of vertices with the same Schaefer parcel.
    """
    hemisphere = side[0].upper()
    name = f"fs_LR-deformed_to-fsaverage.{hemisphere}.sphere.32k_fs_LR.surf.gii"
    registered = on_sphere(read_surface(oracle / name)[0])
    theirs = package_folder("nilearn") / "datasets" / "data" / "fsaverage5"
    target = on_sphere(read_surface(theirs / f"sphere_{side}.gii.gz")[0])
    truth = nearest(registered, target)
    cosine = np.clip((registered[indices] * target).sum(1) / 1e4, -1, 1)
    error = 100 * np.arccos(cosine)
    fslr, n = fslr_tables(), len(registered)
    part = slice(0, n) if side == "left" else slice(n, None)
    carried, expected = (fslr["gradients"][0, part][which] for which in (indices, truth))
    both = np.isfinite(carried) & np.isfinite(expected)
    parcels = fslr["schaefer400"][part]
    wall = [~fslr["cortex"][part][which] for which in (indices, truth)]
    return {
        "median_mm": float(np.median(error)),
        "p90_mm": float(np.percentile(error, 90)),
        "gradient_r": float(np.corrcoef(carried[both], expected[both])[0, 1]),
        "same_parcel": float(np.mean(parcels[indices] == parcels[truth])),
        "wall_dice": float(2 * np.sum(wall[0] & wall[1]) / (wall[0].sum() + wall[1].sum())),
    }


def main() -> None:
    """Parse the command line, build, and report the accuracy when there is an oracle."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).parents[1] / "bidsapp" / "resources"
    parser.add_argument("--output", type=Path, default=default)
    parser.add_argument("--oracle", type=Path, help="folder with the registered spheres")
    arguments = parser.parse_args()
    build(arguments.output)
    for path in sorted(arguments.output.glob("*.[nt]*[zv]")):
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")
    if arguments.oracle:
        with np.load(arguments.output / "fsLR32k_to_fsaverage5.npz") as table:
            halves = np.split(table["indices"].astype(np.int64), 2)
        for side, half in zip(HEMISPHERES.values(), halves, strict=True):
            figures = accuracy(half - 32492 * (side == "right"), side, arguments.oracle)
            print(side, ", ".join(f"{name} {value:.3f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
