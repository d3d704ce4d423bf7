// The subcommand `db`: what operators do with the database itself, the embedded one included.

import { Command } from 'commander';
import pg from 'pg';
import { migrate } from '../database/migrations.js';
import { loadConfig } from '../config.js';
import { findDatabase } from './database.js';

export function dbCommand(): Command {
  return new Command('db')
    .description('work with the database')
    .exitOverride()
    .addCommand(migrateCommand())
    .addCommand(sqlCommand());
}

function migrateCommand(): Command {
  return new Command('migrate').description('bring the schema up to date').action(async () => {
    const report = await migrate(await findDatabase(loadConfig()), { mode: 'apply' });
    process.stdout.write(`${JSON.stringify(report)}\n`);
  });
}

function sqlCommand(): Command {
  return new Command('sql')
    .description('run SQL and print what it gives, a JSON object a row')
    .argument('<statement>')
    .action(async (statement: string) => {
      const client = new pg.Client(await findDatabase(loadConfig()));
      await client.connect();
      try {
        for (const result of [await client.query(statement)].flat()) print(result);
      } finally {
        await client.end();
      }
    });
}

function print({ command, rowCount, rows }: pg.QueryResult): void {
  for (const row of rows) process.stdout.write(`${JSON.stringify(row)}\n`);
  if (rows.length === 0) process.stdout.write(`${command} ${rowCount ?? ''}\n`);
}
