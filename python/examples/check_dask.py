"""Dask: a Parquet of URLs (column url) to a Parquet of verdicts. Run it again to check what is missing.

    python check_dask.py urls.parquet verdicts.parquet [PARTITIONS] [OPTIONS]

Both may be URIs (s3://bucket/verdicts, which needs s3fs). OPTIONS are those of check_batch, as JSON:
'{"files_under": ["/data/images"]}' allows paths of files that every worker can read. URLs travel, never images, and
nothing is submitted.
"""

import json
import sys
import time

import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
from dask.distributed import Client
from greenlight_image import tables

SLICE = 250_000  # Sources. A slice is written before the next one is checked.
TYPES = {pa.int64(): pd.Int64Dtype(), pa.string(): pd.StringDtype("pyarrow")}.get
META = tables.SCHEMA.empty_table().to_pandas(types_mapper=TYPES)


def sources(part):
    return tables.sources(pa.Table.from_pandas(part)).to_pandas(types_mapper=TYPES)


def check(part, options):
    return tables.check(pa.Table.from_pandas(part), **options).to_pandas(types_mapper=TYPES)


def main(urls, verdicts, partitions="64", given="{}"):
    options = {"mode": "header", "concurrency_per_host": 4} | json.loads(given)
    todo = dd.read_parquet(urls, columns=["url"]).map_partitions(sources).drop_duplicates()
    if tables.written(verdicts):
        done = dd.read_parquet(verdicts, columns=["source"])
        todo = todo.merge(done, left_on="url", right_on="source", how="left")
        todo = todo[todo["source"].isna()]
    todo = todo.persist()
    hashes = todo.map_partitions(lambda part: pd.util.hash_pandas_object(part["url"], index=False))
    slices = -(-len(todo) // SLICE)
    for number in range(slices):
        # The limits of a check are per process: all URLs of a host are in one partition.
        part = todo[hashes % slices == number].shuffle("host", npartitions=int(partitions))
        checked, run = part.map_partitions(check, options, meta=META), time.time_ns()
        names = {"name_function": lambda index, run=run: f"{run}-{index:05}.parquet"}
        checked.to_parquet(verdicts, schema=tables.SCHEMA, write_index=False, **names)
    print(dd.read_parquet(verdicts, columns=["decision"])["decision"].value_counts().compute())


if __name__ == "__main__":
    # Without an address or DASK_SCHEDULER_ADDRESS, this starts a cluster on the local host.
    with Client():
        main(*sys.argv[1:])
