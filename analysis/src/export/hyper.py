"""Writes extracts for Tableau from exported CSV files; `analysis export --hyper` runs it.

It reads a list of tables as JSON from standard input:
    [{"csv": ["a.csv"], "hyper": "a.hyper", "columns": [["window_start", "date"], …]}, …]
and needs Tableau's Hyper API: pip install tableauhyperapi
"""

import json
import os
import sys

NO_API = 3

try:
    from tableauhyperapi import (
        Connection,
        CreateMode,
        HyperProcess,
        Nullability,
        SqlType,
        TableDefinition,
        TableName,
        Telemetry,
        escape_string_literal,
    )
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(NO_API)

TYPES = {
    "string": SqlType.text,
    "int": SqlType.big_int,
    # An integer beyond 64 bits. Only Tableau 2022.4 and newer read the third version of the format, in which it has 38 digits.
    "long_int": lambda: SqlType.numeric(38, 0),
    "float": SqlType.double,
    "bool": SqlType.bool,
    "date": SqlType.date,
    # The time of day in the zone of the export: Tableau shows it as it stands.
    "timestamp": SqlType.timestamp,
}

# The name under which Tableau looks for the rows of an extract.
EXTRACT = TableName("Extract", "Extract")


def write(endpoint, table):
    columns = [
        TableDefinition.Column(name, TYPES[kind](), Nullability.NULLABLE) for name, kind in table["columns"]
    ]
    os.makedirs(os.path.dirname(table["hyper"]), exist_ok=True)
    with Connection(endpoint, table["hyper"], CreateMode.CREATE_AND_REPLACE) as hyper:
        hyper.catalog.create_schema(EXTRACT.schema_name)
        hyper.catalog.create_table(TableDefinition(EXTRACT, columns))
        for csv in table["csv"]:
            hyper.execute_command(
                f"COPY {EXTRACT} FROM {escape_string_literal(csv)} WITH (FORMAT csv, HEADER true, NULL '')"
            )


def main():
    tables = json.load(sys.stdin)
    # Nobody is told about the use of the program, and the log goes nowhere.
    parameters = {"log_config": ""}
    if any(kind == "long_int" for table in tables for _, kind in table["columns"]):
        parameters["default_database_version"] = "3"
    with HyperProcess(
        Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, parameters=parameters
    ) as process:
        for table in tables:
            write(process.endpoint, table)


if __name__ == "__main__":
    main()
