// Checks that every row can be read, and every hostname stored: in the encoding of the database.

import { processInHalves } from '../../isolate.js';
import { takeOnlyRow } from '../session.js';
import type { Finding, CheckContext } from './finding.js';

/** How many rows a finding names. */
const MAX_NAMED = 10;

/** Reports an encoding other than UTF-8, and the rows that are not text in it. */
export async function checkEncoding({ session }: CheckContext): Promise<Finding[]> {
  const { encoding } = takeOnlyRow(
    await session.query<{ encoding: string }>(
      "SELECT current_setting('server_encoding') AS encoding",
    ),
  );
  if (encoding === 'UTF8') return [];
  const unreadable = await findUnreadableRows(session);
  return [createEncodingFinding(encoding), ...createUnreadableFindings(unreadable)];
}

const createEncodingFinding = (encoding: string): Finding => ({
  id: 'encoding',
  severity: 'warning',
  explanation:
    encoding === 'SQL_ASCII'
      ? 'The encoding of the database is SQL_ASCII, which accepts bytes that are no text: a row with such a byte cannot be read.'
      : `The encoding of the database is ${encoding}: hostnames, emails and commands with other characters cannot be stored.`,
  remedy: `Create a database with ENCODING 'UTF8', and run "lablink-gateway db move".`,
});

function createUnreadableFindings(ids: readonly string[]): Finding[] {
  if (ids.length === 0) return [];
  const named = ids.slice(0, MAX_NAMED).join(', ');
  const more = ids.length > MAX_NAMED ? ` and ${ids.length - MAX_NAMED} more` : '';
  return [
    {
      id: 'unreadable_rows',
      severity: 'error',
      explanation: `Rows of vms have values that are not text in UTF-8, so the gateway does not know their state: id ${named}${more}.`,
      remedy:
        'Find the value with SELECT hostname::bytea, email::bytea, crd_command::bytea FROM vms WHERE id = …, and correct it with UPDATE.',
    },
  ];
}

/** Returns the ids of the rows that cannot be converted to the client's encoding. */
async function findUnreadableRows(session: CheckContext['session']): Promise<string[]> {
  const { rows } = await session.query<{ id: string }>('SELECT id::text FROM public.vms');
  const unreadable: string[] = [];
  await processInHalves(
    rows.map(({ id }) => id),
    (ids) =>
      session.query('SELECT row_to_json(v)::text FROM public.vms v WHERE id = ANY ($1::int8[])', [
        ids,
      ]),
    (id) => unreadable.push(id),
  );
  return unreadable;
}
