# Reads the parts of one run as users of each library do. Standard input: {"cells": [{reader, root, column, shape, label}]}; one JSON
# list comes out: for each cell the rows that it gave, or the first line of its refusal.
import glob
import json
import sys

import numpy as np


def parts(cell):
    return sorted(glob.glob(f"{cell['root']}/parts/**/*.parquet", recursive=True))


def rows_of(ids, values, shape):
    array = np.asarray(values, dtype=np.float64).reshape(len(ids), -1) if len(ids) else np.zeros((0, 1))
    size = int(np.prod(shape))
    if len(ids) and array.shape[1] != size:
        raise ValueError(f"{array.shape[1]} values a row instead of {size}")
    return {"ids": [str(i) for i in ids], "values": array.tolist()}


def of_arrow(table, cell):
    column = table[cell["column"]].combine_chunks()
    if hasattr(column, "chunks"):
        column = column.chunk(0) if column.num_chunks else column
    storage = getattr(column, "storage", column)
    if table.num_rows == 0:
        return {"ids": [], "values": []}
    flat = storage.flatten().to_numpy(zero_copy_only=False)
    return rows_of(table["sample_id"].to_pylist(), flat.reshape(table.num_rows, -1), cell["shape"])


def wanted(cell):
    import pyarrow.dataset as ds

    condition = ds.field("status") == "ok"
    return condition if cell["label"] is None else condition & (ds.field("label") == cell["label"])


def pyarrow_dataset(cell):
    import pyarrow.dataset as ds

    return of_arrow(ds.dataset(parts(cell), format="parquet").to_table(filter=wanted(cell)), cell)


def pyarrow_table(cell):
    import pyarrow.parquet as pq

    filters = [("status", "==", "ok")] + ([] if cell["label"] is None else [("label", "==", cell["label"])])
    return of_arrow(pq.read_table(f"{cell['root']}/parts", filters=filters), cell)


def of_frame(frame, cell):
    frame = frame[frame["status"] == "ok"]
    if cell["label"] is not None:
        frame = frame[frame["label"] == cell["label"]]
    return rows_of(frame["sample_id"].tolist(), [np.ravel(v) for v in frame[cell["column"]].tolist()], cell["shape"])


def pandas_read(cell):
    import pandas as pd

    return of_frame(pd.read_parquet(parts(cell)), cell)


def polars_scan(cell):
    import polars as pl

    condition = pl.col("status") == "ok"
    if cell["label"] is not None:
        condition = condition & (pl.col("label") == cell["label"])
    frame = pl.scan_parquet(f"{cell['root']}/parts/**/*.parquet").filter(condition).collect()
    column = frame[cell["column"]]
    if hasattr(column, "ext") and type(column.dtype).__name__ not in ("Array", "List"):
        column = column.ext.storage()
    return rows_of(frame["sample_id"].to_list(), [np.ravel(v) for v in column.to_list()], cell["shape"])


def duckdb_read(cell):
    import duckdb

    label = "" if cell["label"] is None else f" AND label = '{cell['label']}'"
    name = cell["column"].replace('"', '""')
    query = f"""SELECT sample_id, "{name}" FROM read_parquet('{cell['root']}/parts/**/*.parquet', file_row_number = true, filename = true)
      WHERE status = 'ok'{label} ORDER BY filename, file_row_number"""
    rows = duckdb.sql(query).fetchall()
    return rows_of([r[0] for r in rows], [r[1] for r in rows], cell["shape"])


def datasets_read(cell, streaming):
    import datasets

    datasets.disable_progress_bars()
    data = datasets.load_dataset("parquet", data_files=parts(cell), split="train", streaming=streaming, cache_dir=cell["cache"])
    data = data.filter(lambda row: row["status"] == "ok" and cell["label"] in (None, row["label"]))
    rows = list(data)
    return rows_of([r["sample_id"] for r in rows], [np.ravel(r[cell["column"]]) for r in rows], cell["shape"])


def daft_read(cell):
    import daft

    frame = daft.read_parquet(f"{cell['root']}/parts/**/*.parquet").where(daft.col("status") == "ok")
    if cell["label"] is not None:
        frame = frame.where(daft.col("label") == cell["label"])
    rows = sorted(frame.select("sample_id", cell["column"]).to_pylist(), key=lambda r: r["sample_id"])
    return rows_of([r["sample_id"] for r in rows], [np.ravel(r[cell["column"]]) for r in rows], cell["shape"])


def lancedb_search(cell):
    import lancedb
    import pyarrow.dataset as ds

    table = ds.dataset(parts(cell), format="parquet").to_table(filter=wanted(cell), columns=["sample_id", cell["column"]])
    db = lancedb.connect(cell["cache"])
    made = db.create_table("features", table.rename_columns(["sample_id", "vector"]), mode="overwrite")
    if table.num_rows == 0:
        return {"ids": [], "values": []}
    first = np.ravel(np.asarray(made.to_pandas()["vector"][0], dtype=np.float32))
    found = made.search(first).limit(table.num_rows).to_list()
    found.sort(key=lambda r: r["sample_id"])
    return rows_of([r["sample_id"] for r in found], [r["vector"] for r in found], cell["shape"])


READERS = {
    "pyarrow dataset": pyarrow_dataset,
    "pyarrow read_table": pyarrow_table,
    "pandas": pandas_read,
    "polars": polars_scan,
    "duckdb": duckdb_read,
    "datasets": lambda cell: datasets_read(cell, False),
    "datasets streaming": lambda cell: datasets_read(cell, True),
    "daft": daft_read,
    "lancedb": lancedb_search,
}


def outcome(cell):
    try:
        return READERS[cell["reader"]](cell)
    except BaseException as error:  # Rust's panics are no Exception.
        cause = error.__cause__ or error
        return {"refused": f"{type(cause).__name__}: {str(cause).strip().splitlines()[0] if str(cause).strip() else ''}"}


print(json.dumps([outcome(cell) for cell in json.load(sys.stdin)["cells"]]))
