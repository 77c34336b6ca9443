"""What the documents in and around an image say: OME-XML, JSON, annotations, vendor originals."""
