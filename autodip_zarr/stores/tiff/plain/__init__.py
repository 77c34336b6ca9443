"""TIFF files without OME-XML: series, tags, formats of vendors, and pages that nothing explains."""
