"""What a paper about denoised images cites, as text and as BibTeX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Reference:
    """One entry of a list of references."""

    cited: str
    """How a text names it, in brackets."""
    full: str
    """Entry of a list."""
    kind: str
    """Kind of entry in BibTeX, such as ``article``."""
    fields: Mapping[str, str]
    """Fields of the entry in BibTeX."""

    def bibtex(self, key: str) -> str:
        """Return the entry under a key."""
        fields = "".join(f"  {name} = {{{value}}},\n" for name, value in self.fields.items())
        return f"@{self.kind}{{{key},\n{fields}}}\n"


REFERENCES: Final[Mapping[str, Reference]] = {
    "autodip": Reference(
        "AUTO-DIP, arXiv:2601.12055",
        "Automating Parameter Selection in Deep Image Prior for Fluorescence Microscopy Image Denoising via"
        " Similarity-Based Parameter Transfer. arXiv:2601.12055. https://doi.org/10.48550/arXiv.2601.12055",
        "misc",
        {
            "title": "Automating Parameter Selection in Deep Image Prior for Fluorescence Microscopy Image"
            " Denoising via Similarity-Based Parameter Transfer",
            "author": "{The authors of AUTO-DIP}",
            "eprint": "2601.12055",
            "archiveprefix": "arXiv",
            "doi": "10.48550/arXiv.2601.12055",
            "note": "Authors as arXiv has them are to be filled in",
        },
    ),
    "ulyanov2018": Reference(
        "Ulyanov et al., 2018",
        "Ulyanov D, Vedaldi A, Lempitsky V. Deep Image Prior. IEEE Conference on Computer Vision and Pattern"
        " Recognition (2018) 9446-9454. https://doi.org/10.1109/CVPR.2018.00984",
        "inproceedings",
        {
            "title": "Deep Image Prior",
            "author": "Ulyanov, Dmitry and Vedaldi, Andrea and Lempitsky, Victor",
            "booktitle": "IEEE Conference on Computer Vision and Pattern Recognition",
            "year": "2018",
            "pages": "9446--9454",
            "doi": "10.1109/CVPR.2018.00984",
        },
    ),
    "ramani2008": Reference(
        "Ramani et al., 2008",
        "Ramani S, Blu T, Unser M. Monte-Carlo SURE: a black-box optimization of regularization parameters"
        " for general denoising algorithms. IEEE Transactions on Image Processing 17 (2008) 1540-1554."
        " https://doi.org/10.1109/TIP.2008.2001404",
        "article",
        {
            "title": "{Monte-Carlo SURE}: a black-box optimization of regularization parameters for general"
            " denoising algorithms",
            "author": "Ramani, Sathish and Blu, Thierry and Unser, Michael",
            "journal": "IEEE Transactions on Image Processing",
            "volume": "17",
            "year": "2008",
            "pages": "1540--1554",
            "doi": "10.1109/TIP.2008.2001404",
        },
    ),
    "buades2011": Reference(
        "Buades et al., 2011",
        "Buades A, Coll B, Morel J-M. Non-Local Means Denoising. Image Processing On Line 1 (2011) 208-212."
        " https://doi.org/10.5201/ipol.2011.bcm_nlm",
        "article",
        {
            "title": "Non-Local Means Denoising",
            "author": "Buades, Antoni and Coll, Bartomeu and Morel, Jean-Michel",
            "journal": "Image Processing On Line",
            "volume": "1",
            "year": "2011",
            "pages": "208--212",
            "doi": "10.5201/ipol.2011.bcm_nlm",
        },
    ),
    "chambolle2004": Reference(
        "Chambolle, 2004",
        "Chambolle A. An Algorithm for Total Variation Minimization and Applications. Journal of Mathematical"
        " Imaging and Vision 20 (2004) 89-97. https://doi.org/10.1023/B:JMIV.0000011325.36760.1e",
        "article",
        {
            "title": "An Algorithm for Total Variation Minimization and Applications",
            "author": "Chambolle, Antonin",
            "journal": "Journal of Mathematical Imaging and Vision",
            "volume": "20",
            "year": "2004",
            "pages": "89--97",
            "doi": "10.1023/B:JMIV.0000011325.36760.1e",
        },
    ),
    "yu2011": Reference(
        "Yu and Sapiro, 2011",
        "Yu G, Sapiro G. DCT Image Denoising: a Simple and Effective Image Denoising Algorithm. Image"
        " Processing On Line 1 (2011) 292-296. https://doi.org/10.5201/ipol.2011.ys-dct",
        "article",
        {
            "title": "{DCT} Image Denoising: a Simple and Effective Image Denoising Algorithm",
            "author": "Yu, Guoshen and Sapiro, Guillermo",
            "journal": "Image Processing On Line",
            "volume": "1",
            "year": "2011",
            "pages": "292--296",
            "doi": "10.5201/ipol.2011.ys-dct",
        },
    ),
}
"""References by key, in the order of a list."""
