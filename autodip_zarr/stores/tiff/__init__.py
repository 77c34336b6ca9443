"""TIFF files and multi-file sets, and the OME-XML that says which page is which plane."""
