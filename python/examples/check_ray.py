"""Ray: a Parquet of URLs (column url) to a Parquet of verdicts. Run it again to check what is missing.

    python check_ray.py urls.parquet verdicts.parquet [PARTITIONS] [OPTIONS]

Both may be URIs (s3://bucket/verdicts). OPTIONS are those of check_batch, as JSON: '{"files_under": ["/data/images"]}'
allows paths of files that every worker can read. The join needs polars. URLs travel, never images; nothing is submitted.
"""

import json
import sys

import ray
from greenlight_image import tables

SLICE = 250_000  # Sources. A slice is written before the next one is checked.
urls, verdicts, partitions, given = [*sys.argv[1:], *["64", "{}"][len(sys.argv) - 3 :]]
options = {"mode": "header", "concurrency_per_host": 4} | json.loads(given)

todo = ray.data.read_parquet(urls).select_columns("url").map_batches(tables.sources, batch_format="pyarrow")
todo = todo.groupby(["url", "host"], num_partitions=int(partitions)).count()  # each source once
if tables.written(verdicts):
    done = ray.data.read_parquet(verdicts).select_columns("source")
    todo = todo.join(done, "left_anti", int(partitions), on=("url",), right_on=("source",))
todo = todo.materialize()
for part in todo.split_at_indices([*range(0, todo.count(), SLICE), todo.count()])[1:-1]:
    # The limits of a check are per process: all URLs of a host are in one partition.
    part = part.repartition(int(partitions), keys=["host"])
    # With more tasks than cores, downloads are slow.
    checked = part.map_batches(tables.check, fn_kwargs=options, batch_format="pyarrow", batch_size=2000, num_cpus=1)
    checked.write_parquet(verdicts, mode="append")
ray.data.read_parquet(verdicts).groupby("decision").count().show()
