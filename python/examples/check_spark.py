"""Spark: a Parquet of URLs (column url) to a Parquet of verdicts. Run it again to check what is missing.

    spark-submit check_spark.py urls.parquet verdicts.parquet [PARTITIONS] [OPTIONS]

Both may be URIs (s3a://bucket/verdicts). OPTIONS are those of check_batch, as JSON: '{"files_under": ["/data/images"]}'
allows paths of files that every worker can read. URLs travel, never images, and nothing is submitted.
"""

import json
import sys

import pyarrow as pa
from greenlight_image import tables
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

SLICE = 250_000  # Sources. A slice is written before the next one is checked.
urls, verdicts, partitions, given = [*sys.argv[1:], *["64", "{}"][len(sys.argv) - 3 :]]
options = {"mode": "header", "concurrency_per_host": 4} | json.loads(given)


def sources(batches):
    for batch in batches:
        yield from tables.sources(pa.Table.from_batches([batch])).to_batches()


def check(batches):
    for batch in batches:
        yield from tables.check(pa.Table.from_batches([batch]), **options).to_batches()


spark = SparkSession.builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", 2000).getOrCreate()
todo = spark.read.parquet(urls).select("url").mapInArrow(sources, "url string, host string").distinct()
try:
    todo = todo.join(spark.read.parquet(verdicts), F.col("url") == F.col("source"), "left_anti")
except AnalysisException:
    pass  # the first run
todo = todo.persist()
slices = -(-todo.count() // SLICE)
for number in range(slices):
    # The limits of a check are per process: all URLs of a host are in one partition.
    part = todo.where(F.crc32("url") % slices == number).repartition(int(partitions), "host")
    part.mapInArrow(check, from_arrow_schema(tables.SCHEMA)).write.mode("append").parquet(verdicts)
spark.read.parquet(verdicts).groupBy("decision").count().show()
