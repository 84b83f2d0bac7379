"""Reads an export as others read it, and prints what they see as JSON: {table: [row, …]}.

usage: read_back.py FOLDER

Every CSV is read with Hyper by the types that the .tds declares and with polars; every Parquet file with Hyper and with polars;
every .hyper with Hyper. All must agree. Every .tds must be valid by tds.xsd, and Tableau's own reader must find in it what
schema.json says.
"""

import datetime
import json
import pathlib
import re
import sys

import polars
from lxml import etree
from tableaudocumentapi import Datasource
from tableauhyperapi import Connection, HyperProcess, Name, Telemetry, escape_string_literal

HERE = pathlib.Path(__file__).parent
HYPER = {
    "string": "text",
    "integer": "bigint",
    "real": "double precision",
    "boolean": "boolean",
    "date": "date",
    "datetime": "timestamp",
}
POLARS = {
    "string": polars.String,
    "integer": polars.Int64,
    "number": polars.Float64,
    "boolean": polars.Boolean,
    "date": polars.Date,
    "datetime": polars.Datetime("ms", "UTC"),
}
TABLEAU = {
    "string": "string",
    "integer": "integer",
    "number": "real",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
}


def plain(value):
    """A value of Hyper or polars as JSON has it; instants as RFC 3339 in UTC."""
    if hasattr(value, "to_datetime"):  # Hyper's Timestamp
        value = value.to_datetime()
    elif hasattr(value, "to_date"):  # Hyper's Date
        value = value.to_date()
    if isinstance(value, datetime.datetime):
        text = value.replace(tzinfo=None).isoformat()
        return (text.rstrip("0") if value.microsecond else text) + "Z"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def same(what, expected, found):
    """Whether both have the same rows; Hyper gives those of a large file in no order."""
    expected, found = (sorted(rows, key=lambda row: json.dumps(row)) for rows in (expected, found))
    if len(expected) != len(found):
        raise AssertionError(f"{what}: {len(expected)} rows and {len(found)}")
    for a, b in zip(expected, found):
        if a != b:
            raise AssertionError(f"{what}: {a} and {b}")


def hyper_rows(hyper, query):
    return [[plain(value) for value in row] for row in hyper.execute_list_query(query)]


def hyper_csv(hyper, files, columns):
    """Rows of CSV files, with the types that the .tds declares."""
    declared = ", ".join(f"{Name(name)} {HYPER[kind]}" for name, kind in columns)
    hyper.execute_command(f"CREATE TEMPORARY TABLE rows_of_csv ({declared})")
    for file in files:
        place = escape_string_literal(str(file))
        hyper.execute_command(f"COPY rows_of_csv FROM {place} WITH (FORMAT csv, HEADER true, NULL '')")
    rows = hyper_rows(hyper, "SELECT * FROM rows_of_csv")
    hyper.execute_command("DROP TABLE rows_of_csv")
    return rows


def hyper_parquet(hyper, files):
    """Rows and types of Parquet files, one after the other: Hyper reads several of them in no order."""
    rows, kinds = [], []
    for file in files:
        query = f"SELECT * FROM external({escape_string_literal(str(file))}, format => 'parquet')"
        rows += hyper_rows(hyper, query)
        with hyper.execute_query(f"{query} LIMIT 0") as result:
            kinds = [str(column.type) for column in result.schema.columns]
    return rows, kinds


def polars_csv(files, fields):
    frames = []
    for file in files:
        types = {field["name"]: POLARS[field["type"]] for field in fields}
        # polars has no parser of RFC 3339 as a type of a CSV column.
        instants = [name for name, kind in types.items() if kind == POLARS["datetime"]]
        as_text = {name: polars.String if name in instants else kind for name, kind in types.items()}
        frame = polars.read_csv(file, schema=as_text)
        frames.append(frame.with_columns(polars.col(instants).str.to_datetime(time_unit="ms", time_zone="UTC")))
    return polars.concat(frames)


def rows_of(frame):
    return [[plain(value) for value in row] for row in frame.rows()]


def check_tds(file, schema):
    """What a .tds declares: the CSV files, and name and type of their columns."""
    tree = etree.parse(str(file))
    etree.XMLSchema(etree.parse(str(HERE / "tds.xsd"))).assertValid(tree)
    relation = tree.find("connection/relation")
    leaves = [relation] if relation.get("type") == "table" else relation.findall("relation")
    connections = {c.get("name"): c.find("connection") for c in tree.findall("connection/named-connections/*")}
    files = []
    for leaf in leaves:
        place = connections[leaf.get("connection")]
        assert leaf.get("table") == f"[{place.get('filename').replace('.', '#')}]", leaf.get("table")
        files.append(file.parent / place.get("directory") / place.get("filename"))
    columns = [(c.get("name"), c.get("datatype")) for c in relation.findall("columns/column")]
    assert all(columns == [(c.get("name"), c.get("datatype")) for c in leaf.findall("columns/column")] for leaf in leaves)
    check_fields(tree, schema, [name for name, _ in columns])
    check_with_tableaus_reader(file, schema)
    return files, columns


def check_fields(tree, schema, names):
    by_name = {column.get("name"): column for column in tree.findall("column")}
    assert names == [field["name"] for field in schema["fields"]], names
    expected = {"sum": "Sum", "mean": "Avg", "min": "Min", "max": "Max", None: None}
    for field in schema["fields"]:
        column = by_name.pop("[" + field["name"].replace("]", "]]") + "]")
        assert column.get("datatype") == TABLEAU[field["type"]], field
        assert column.get("role") == field["role"], field
        assert column.get("aggregation") == expected[field["aggregation"]], field
        assert column.get("caption") == field["title"], field
    # What is left is computed, from columns that are there.
    for name, column in by_name.items():
        used = re.findall(r"\[([^\]]+)\]", column.find("calculation").get("formula"))
        assert used and all(one in names for one in used), (name, used)


def check_with_tableaus_reader(file, schema):
    source = Datasource.from_file(str(file))
    assert {connection.dbclass for connection in source.connections} == {"textscan"}
    for field in schema["fields"]:
        found = source.fields["[" + field["name"].replace("]", "]]") + "]"]
        assert (found.caption, found.datatype, found.role) == (
            field["title"],
            TABLEAU[field["type"]],
            field["role"],
        ), field
        assert found.is_quantitative == (field["role"] == "measure"), field


def read_table(process, hyper, folder, schema_file):
    schema = json.loads(schema_file.read_text(encoding="utf-8"))
    name, fields = schema["name"], schema["fields"]
    files, columns = check_tds(folder / f"{name}.tds", schema)
    by_polars = polars_csv(files, fields)
    rows = rows_of(by_polars)
    same(f"{name}.csv, polars and Hyper", rows, hyper_csv(hyper, files, columns))
    parquet = [file.with_suffix(".parquet") for file in files]
    in_parquet, kinds = hyper_parquet(hyper, parquet)
    same(f"{name}, CSV and Parquet in Hyper", rows, in_parquet)
    wanted = {
        "string": "TEXT",
        "integer": "BIG_INT",
        "number": "DOUBLE",
        "boolean": "BOOL",
        "date": "DATE",
        "datetime": "TIMESTAMP_TZ",
    }
    assert kinds == [wanted[field["type"]] for field in fields], kinds
    typed = polars.concat([polars.read_parquet(file) for file in parquet])
    assert rows == rows_of(typed), f"{name}, CSV and Parquet in polars"
    assert list(typed.schema.items()) == list(by_polars.schema.items()), typed.schema
    extract = folder / f"{name}.hyper"
    if extract.exists():
        with Connection(process.endpoint, str(extract)) as opened:
            same(f"{name}, CSV and extract", rows, hyper_rows(opened, 'SELECT * FROM "Extract"."Extract"'))
    names = [field["name"] for field in fields]
    return name, [dict(zip(names, row)) for row in rows]


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    telemetry = Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU
    with HyperProcess(telemetry, parameters={"log_config": ""}) as process:
        with Connection(process.endpoint) as hyper:
            schemas = sorted(folder.glob("*.schema.json"))
            tables = dict(read_table(process, hyper, folder, schema) for schema in schemas)
    json.dump(tables, sys.stdout, ensure_ascii=False)


if __name__ == "__main__":
    main()
