"""Spark: a Parquet of URLs (column url) to a Parquet of verdicts. Run it again to check what is missing.

    spark-submit check_spark.py urls.parquet verdicts.parquet [PARTITIONS] [OPTIONS]

OPTIONS are those of check_batch, as JSON: '{"files_under": ["/data/images"]}' allows paths of files that every
worker can read. URLs and paths travel, never images, and nothing is submitted.
"""

import json
import sys

import pyarrow as pa
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

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


def check(batches):
    import greenlight_image as g

    for batch in batches:
        yield pa.RecordBatch.from_pydict(g.check_batch(batch["url"].to_pylist(), **options), schema=SCHEMA)


spark = SparkSession.builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", 2000).getOrCreate()
todo = spark.read.parquet(urls).select("url").distinct()
try:
    done = spark.read.parquet(verdicts).select(F.col("source").alias("url"))
    todo = todo.join(done, "url", "left_anti")
except AnalysisException:
    pass  # the first run
host = F.lower(F.regexp_extract("url", "^[a-zA-Z]+://([^/?#]*)", 1))
host = F.when(host == "", F.col("url")).otherwise(host)  # paths have no host
todo = todo.repartition(int(partitions), host)
todo.mapInArrow(check, from_arrow_schema(SCHEMA)).write.mode("append").parquet(verdicts)
spark.read.parquet(verdicts).groupBy("decision").count().show()
