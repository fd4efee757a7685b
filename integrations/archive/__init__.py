"""The attendance archive: Delta Lake tables on a folder or S3."""
