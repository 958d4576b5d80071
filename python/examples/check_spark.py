"""Spark: a Parquet of URLs (column url) to a Parquet of verdicts. Run it again to check what is missing.

    spark-submit check_spark.py urls.parquet verdicts.parquet [PARTITIONS] [ALLOWED ADDRESS]

The allowed address is for tests on loopback. URLs travel, never images, and nothing is submitted.
"""

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
urls, verdicts, partitions, *allow = [*sys.argv[1:3], *(sys.argv[3:] or ["64"])]
# The limits of a check are per process: all URLs of a host are in one partition.
options = {"mode": "header", "concurrency_per_host": 4, "allow_address": allow}


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
todo = todo.repartition(int(partitions), host)
todo.mapInArrow(check, from_arrow_schema(SCHEMA)).write.mode("append").parquet(verdicts)
spark.read.parquet(verdicts).groupBy("decision").count().show()
