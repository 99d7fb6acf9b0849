// Runs the SQL of stdin in a DuckDB of its own, and prints the rows of the last statement as a JSON array.
import { readFileSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';

const connection = await (await DuckDBInstance.create(':memory:')).connect();
const statements = await connection.extractStatements(readFileSync(0, 'utf8'));
let rows = [];
for (let i = 0; i < statements.count; i++) {
    const statement = await statements.prepare(i);
    rows = (await statement.runAndReadAll()).getRowObjectsJson();
}
console.log(JSON.stringify(rows));
