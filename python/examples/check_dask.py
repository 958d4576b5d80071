"""Dask: a Parquet of URLs (column url) to a Parquet of verdicts. Run it again to check what is missing.

    python check_dask.py urls.parquet verdicts.parquet [PARTITIONS] [OPTIONS]

OPTIONS are those of check_batch, as JSON: '{"files_under": ["/data/images"]}' allows paths of files that every
worker can read. URLs and paths travel, never images, and nothing is submitted.
"""

import json
import sys
import time
from pathlib import Path

import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
from dask.distributed import Client

TYPES = {"codes": pa.list_(pa.string())} | dict.fromkeys(
    ["width", "height", "bytes", "frames", "elapsed_ms", "checked_at"], pa.int64()
)
NAMES = (
    "source decision codes format width height bytes frames elapsed_ms version requirements checked_at error"
).split()
SCHEMA = pa.schema([(name, TYPES.get(name, pa.string())) for name in NAMES])
PANDAS = {name: "Int64" if TYPES.get(name) == pa.int64() else object for name in NAMES}
META = pd.DataFrame({name: pd.Series(dtype=PANDAS[name]) for name in NAMES})


def check(part, options):
    import greenlight_image as g

    columns = g.check_batch(part["url"].tolist(), **options)
    return pd.DataFrame({name: pd.Series(columns[name], dtype=PANDAS[name]) for name in NAMES})


def main(urls, verdicts, partitions="64", given="{}"):
    # The limits of a check are per process: all URLs of a host are in one partition.
    options = {"mode": "header", "concurrency_per_host": 4} | json.loads(given)
    todo = dd.read_parquet(urls, columns=["url"]).drop_duplicates()
    if list(Path(verdicts).glob("*.parquet")):
        done = dd.read_parquet(verdicts, columns=["source"]).rename(columns={"source": "url"})
        todo = todo.merge(done, on="url", how="left", indicator=True)
        todo = todo[todo["_merge"] == "left_only"][["url"]]
    todo["host"] = todo["url"].str.extract(r"^[a-zA-Z]+://([^/?#]*)", expand=False).str.lower()
    todo["host"] = todo["host"].fillna(todo["url"])  # paths have no host
    todo = todo.shuffle("host", npartitions=int(partitions))
    run = f"{time.time_ns()}-"
    checked = todo.map_partitions(check, options, meta=META)
    checked.to_parquet(verdicts, schema=SCHEMA, write_index=False, name_function=lambda part: f"{run}{part:05}.parquet")
    print(dd.read_parquet(verdicts, columns=["decision"])["decision"].value_counts().compute())


if __name__ == "__main__":
    with Client():
        main(*sys.argv[1:])
