"""Ray: a Parquet of URLs (column url) to a Parquet of verdicts. Run it again to check what is missing.

    python check_ray.py urls.parquet verdicts.parquet [PARTITIONS] [OPTIONS]

OPTIONS are those of check_batch, as JSON: '{"files_under": ["/data/images"]}' allows paths of files that every
worker can read. The join of a second run needs polars. URLs and paths travel, never images, and nothing is submitted.
"""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import ray

TYPES = {"codes": pa.list_(pa.string())} | dict.fromkeys(
    ["width", "height", "bytes", "frames", "elapsed_ms", "checked_at"], pa.int64()
)
NAMES = (
    "source decision codes format width height bytes frames elapsed_ms version requirements checked_at error"
).split()
SCHEMA = pa.schema([(name, TYPES.get(name, pa.string())) for name in NAMES])
urls, verdicts, partitions, given = [*sys.argv[1:], *["64", "{}"][len(sys.argv) - 3 :]]
# The limits of a check are per process: all URLs of a host are in one partition.
options = {"mode": "header", "concurrency_per_host": 4} | json.loads(given)


def with_host(table):
    found = pc.extract_regex(table["url"], r"^[a-zA-Z]+://(?P<host>[^/?#]*)")
    host = pc.coalesce(pc.utf8_lower(pc.struct_field(found, "host")), table["url"])  # paths have no host
    return table.append_column("host", host)


def check(table):
    import greenlight_image as g

    return pa.Table.from_pydict(g.check_batch(table["url"].to_pylist(), **options), schema=SCHEMA)


todo = ray.data.read_parquet(urls, columns=["url"])
if list(Path(verdicts).glob("*.parquet")):
    done = ray.data.read_parquet(verdicts, columns=["source"])
    todo = todo.join(done, "left_anti", int(partitions), on=("url",), right_on=("source",))
todo = todo.map_batches(with_host, batch_format="pyarrow").repartition(int(partitions), keys=["host"])
# Less than a CPU for each task, or nothing is left to read with.
checked = todo.map_batches(check, batch_format="pyarrow", batch_size=2000, num_cpus=0.5)
checked.write_parquet(verdicts, mode="append")
ray.data.read_parquet(verdicts, columns=["decision"]).groupby("decision").count().show()
