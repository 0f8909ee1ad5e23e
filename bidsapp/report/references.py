"""Works that a report cites, as BibTeX and as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Reference:
    """One cited work; `fields` are BibTeX fields besides author, title and year."""

    kind: str
    author: str
    title: str
    year: str
    fields: Mapping[str, str]

    @property
    def plain(self) -> str:
        """The work in one line."""
        names = [name.split(",")[0] for name in self.author.split(" and ")]
        people = f"{names[0]} et al." if len(names) > 3 else _enumerate(names)
        where = next((self.fields[key] for key in _WHERE if key in self.fields), "")
        volume = f" {self.fields['volume']}" if "volume" in self.fields else ""
        pages = f": {self.fields['pages'].replace('--', '–')}" if "pages" in self.fields else ""
        doi = f" doi:{self.fields['doi']}" if "doi" in self.fields else ""
        year = f" ({self.year})" if self.year else ""
        return f"{people}{year}. {self.title}. {where}{volume}{pages}.{doi}"

    def bibtex(self, key: str) -> str:
        """Return the work as a BibTeX entry with this key."""
        core = {"author": self.author, "title": f"{{{self.title}}}", "year": self.year}
        lines = [
            f"  {name} = {{{text}}}," for name, text in {**core, **self.fields}.items() if text
        ]
        return "\n".join([f"@{self.kind}{{{key},", *lines, "}"])


_WHERE = ("journal", "booktitle", "howpublished")


def _enumerate(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _article(author: str, title: str, year: int, journal: str, **fields: str) -> Reference:
    return Reference("article", author, title, str(year), {"journal": journal, **fields})


REFERENCES: Mapping[str, Reference] = MappingProxyType(
    {
        "kim_gradients": Reference(
            "misc",
            "Kim, Seung-Goo and Overath, Tobias and Sammler, Daniela",
            "Representational gradients of musical information and evoked emotions revealed by CNN",
            "",
            {"howpublished": "Conference poster"},
        ),
        "hershey2017": Reference(
            "inproceedings",
            "Hershey, Shawn and Chaudhuri, Sourish and Ellis, Daniel P. W. and Gemmeke, Jort F.",
            "CNN architectures for large-scale audio classification",
            "2017",
            {
                "booktitle": "IEEE International Conference on Acoustics, Speech and Signal Processing",
                "pages": "131--135",
                "doi": "10.1109/ICASSP.2017.7952132",
            },
        ),
        "naselaris2011": _article(
            "Naselaris, Thomas and Kay, Kendrick N. and Nishimoto, Shinji and Gallant, Jack L.",
            "Encoding and decoding in fMRI",
            2011,
            "NeuroImage",
            volume="56",
            pages="400--410",
            doi="10.1016/j.neuroimage.2010.07.073",
        ),
        "hoerl1970": _article(
            "Hoerl, Arthur E. and Kennard, Robert W.",
            "Ridge regression: biased estimation for nonorthogonal problems",
            1970,
            "Technometrics",
            volume="12",
            pages="55--67",
            doi="10.1080/00401706.1970.10488634",
        ),
        "dupre2022": _article(
            "Dupré la Tour, Tom and Eickenberg, Michael and Nunez-Elizalde, Anwar O. "
            "and Gallant, Jack L.",
            "Feature-space selection with banded ridge regression",
            2022,
            "NeuroImage",
            volume="264",
            pages="119728",
            doi="10.1016/j.neuroimage.2022.119728",
        ),
        "phipson2010": _article(
            "Phipson, Belinda and Smyth, Gordon K.",
            "Permutation P-values should never be zero: calculating exact P-values when "
            "permutations are randomly drawn",
            2010,
            "Statistical Applications in Genetics and Molecular Biology",
            volume="9",
            pages="39",
            doi="10.2202/1544-6115.1585",
        ),
        "nichols2002": _article(
            "Nichols, Thomas E. and Holmes, Andrew P.",
            "Nonparametric permutation tests for functional neuroimaging: a primer with examples",
            2002,
            "Human Brain Mapping",
            volume="15",
            pages="1--25",
            doi="10.1002/hbm.1058",
        ),
        "benjamini1995": _article(
            "Benjamini, Yoav and Hochberg, Yosef",
            "Controlling the false discovery rate: a practical and powerful approach to "
            "multiple testing",
            1995,
            "Journal of the Royal Statistical Society B",
            volume="57",
            pages="289--300",
            doi="10.1111/j.2517-6161.1995.tb02031.x",
        ),
        "hsu2004": _article(
            "Hsu, Anne and Borst, Alexander and Theunissen, Frédéric E.",
            "Quantifying variability in neural responses and its application for the validation "
            "of model predictions",
            2004,
            "Network: Computation in Neural Systems",
            volume="15",
            pages="91--109",
            doi="10.1088/0954-898X_15_2_002",
        ),
        "esteban2019": _article(
            "Esteban, Oscar and Markiewicz, Christopher J. and Blair, Ross W. and Moodie, Craig A.",
            "fMRIPrep: a robust preprocessing pipeline for functional MRI",
            2019,
            "Nature Methods",
            volume="16",
            pages="111--116",
            doi="10.1038/s41592-018-0235-4",
        ),
        "gorgolewski2016": _article(
            "Gorgolewski, Krzysztof J. and Auer, Tibor and Calhoun, Vince D. and Craddock, R. Cameron",
            "The brain imaging data structure, a format for organizing and describing outputs of "
            "neuroimaging experiments",
            2016,
            "Scientific Data",
            volume="3",
            pages="160044",
            doi="10.1038/sdata.2016.44",
        ),
        "gorgolewski2017": _article(
            "Gorgolewski, Krzysztof J. and Alfaro-Almagro, Fidel and Auer, Tibor and Bellec, Pierre",
            "BIDS apps: improving ease of use, accessibility, and reproducibility of neuroimaging "
            "data analysis methods",
            2017,
            "PLOS Computational Biology",
            volume="13",
            pages="e1005209",
            doi="10.1371/journal.pcbi.1005209",
        ),
        "yarkoni2019": _article(
            "Yarkoni, Tal and Markiewicz, Christopher J. and de la Vega, Alejandro "
            "and Gorgolewski, Krzysztof J.",
            "PyBIDS: Python tools for BIDS datasets",
            2019,
            "Journal of Open Source Software",
            volume="4",
            pages="1294",
            doi="10.21105/joss.01294",
        ),
        "abraham2014": _article(
            "Abraham, Alexandre and Pedregosa, Fabian and Eickenberg, Michael and Gervais, Philippe",
            "Machine learning for neuroimaging with scikit-learn",
            2014,
            "Frontiers in Neuroinformatics",
            volume="8",
            pages="14",
            doi="10.3389/fninf.2014.00014",
        ),
        "mcfee2015": Reference(
            "inproceedings",
            "McFee, Brian and Raffel, Colin and Liang, Dawen and Ellis, Daniel P. W.",
            "librosa: audio and music signal analysis in Python",
            "2015",
            {
                "booktitle": "Proceedings of the 14th Python in Science Conference",
                "pages": "18--24",
                "doi": "10.25080/Majora-7b98e3ed-003",
            },
        ),
        "harris2020": _article(
            "Harris, Charles R. and Millman, K. Jarrod and van der Walt, Stéfan J. and Gommers, Ralf",
            "Array programming with NumPy",
            2020,
            "Nature",
            volume="585",
            pages="357--362",
            doi="10.1038/s41586-020-2649-2",
        ),
        "paszke2019": Reference(
            "inproceedings",
            "Paszke, Adam and Gross, Sam and Massa, Francisco and Lerer, Adam",
            "PyTorch: an imperative style, high-performance deep learning library",
            "2019",
            {"booktitle": "Advances in Neural Information Processing Systems 32"},
        ),
        "fischl1999": _article(
            "Fischl, Bruce and Sereno, Martin I. and Dale, Anders M.",
            "Cortical surface-based analysis II: inflation, flattening, and a surface-based "
            "coordinate system",
            1999,
            "NeuroImage",
            volume="9",
            pages="195--207",
            doi="10.1006/nimg.1998.0396",
        ),
        "glasser2013": _article(
            "Glasser, Matthew F. and Sotiropoulos, Stamatios N. and Wilson, J. Anthony "
            "and Coalson, Timothy S.",
            "The minimal preprocessing pipelines for the Human Connectome Project",
            2013,
            "NeuroImage",
            volume="80",
            pages="105--124",
            doi="10.1016/j.neuroimage.2013.04.127",
        ),
        "fonov2011": _article(
            "Fonov, Vladimir and Evans, Alan C. and Botteron, Kelly and Almli, C. Robert",
            "Unbiased average age-appropriate atlases for pediatric studies",
            2011,
            "NeuroImage",
            volume="54",
            pages="313--327",
            doi="10.1016/j.neuroimage.2010.07.033",
        ),
    }
)


def bibliography(keys: Iterable[str]) -> str:
    """Return BibTeX entries of these works, each once, in the given order."""
    unique = dict.fromkeys(keys)
    return "\n\n".join(REFERENCES[key].bibtex(key) for key in unique) + "\n"
