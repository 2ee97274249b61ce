"""Where the bytes of pictures are: one interface, a local folder or S3."""
