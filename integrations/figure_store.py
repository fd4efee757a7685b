"""Stores attendance facts as Parquet files. A file carries what it was computed from, and appears whole or not at all.

The folder of a fact table has one folder per span of days, with one file per group of gyms.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

_INPUTS: Final = "fitmonitor_inputs"


@dataclass(frozen=True, slots=True)
class FigureStore:
    """Fact files below a folder or an `s3://` address.

    Args:
        storage_options: of S3, as Polars names them.
    """

    url: str
    storage_options: Mapping[str, str] | None = None

    def path(self, table: str, span: str, part: str) -> str:
        """Where the facts of a group of gyms are stored."""
        return f"{self.url.rstrip('/')}/{table}/{span}/{part}.parquet"

    def inputs(self, path: str) -> Mapping[str, Any] | None:
        """What a file was computed from; None if there is no such file."""
        try:
            metadata = pl.read_parquet_metadata(path, storage_options=self._options)
        except (OSError, pl.exceptions.ComputeError):  # S3: no such key
            return None
        found: Mapping[str, Any] | None = json.loads(metadata.get(_INPUTS, "null"))
        return found

    def read(self, path: str) -> pl.DataFrame:
        """All facts of one file."""
        return pl.read_parquet(path, storage_options=self._options, hive_partitioning=False)

    def scan(self, paths: Sequence[str]) -> pl.LazyFrame:
        """The facts of several files."""
        return pl.scan_parquet(list(paths), storage_options=self._options, hive_partitioning=False)

    def write(self, path: str, facts: pl.DataFrame, inputs: Mapping[str, Any]) -> None:
        """Write or replace a file."""
        metadata = {_INPUTS: json.dumps(inputs)}
        if "://" in path:
            facts.write_parquet(path, metadata=metadata, storage_options=self._options)
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.{os.getpid()}")
        facts.write_parquet(unfinished, metadata=metadata)
        unfinished.replace(target)

    @property
    def _options(self) -> dict[str, str] | None:
        return dict(self.storage_options) if self.storage_options else None
