// Checks the server itself: its version, whether it is a standby, settings that need a restart, and
// free connections.

import { OLDEST_MAJOR_VERSION } from '../../embedded/binaries.js';
import { takeOnlyRow } from '../session.js';
import type { Finding, CheckContext } from './finding.js';

/** The share of used connections from which a rush of clients may find none. */
const CONNECTIONS_SHARE = 0.8;

interface ServerRow {
  readonly version: number;
  readonly standby: boolean;
  readonly connections: number;
  readonly max: number;
}

const SERVER = `
  SELECT current_setting('server_version_num')::int / 10000 AS version,
    pg_is_in_recovery() AS standby,
    (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend')::float8 AS connections,
    (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int)::float8 AS max`;

/** Settings from the server's command line count as pending too, but stay in force. */
const PENDING = `
  SELECT name, setting FROM pg_catalog.pg_settings
  WHERE pending_restart AND source <> 'command line' ORDER BY name`;

/** Runs the four checks with two queries. */
export async function checkServer({ session }: CheckContext): Promise<Finding[]> {
  const server = takeOnlyRow(await session.query<ServerRow>(SERVER));
  const pending = await session.query<{ name: string; setting: string }>(PENDING);
  const settings = pending.rows.map(({ name, setting }) => `${name} (still ${setting})`);
  return [
    ...checkVersion(server),
    ...checkStandby(server),
    ...checkPendingSettings(settings),
    ...checkConnections(server),
  ];
}

/** Reports a major version that PostgreSQL and the gateway no longer support. */
export function checkVersion({ version }: Pick<ServerRow, 'version'>): Finding[] {
  if (version >= OLDEST_MAJOR_VERSION) return [];
  return [
    {
      id: 'server_too_old',
      severity: 'error',
      explanation: `The server is PostgreSQL ${version}; the gateway works with ${OLDEST_MAJOR_VERSION} and later, and older versions get no fixes.`,
      remedy:
        'Upgrade the server, or copy the database to a newer one: "lablink-gateway db move --to URL".',
    },
  ];
}

function checkStandby({ standby }: ServerRow): Finding[] {
  if (!standby) return [];
  return [
    {
      id: 'standby',
      severity: 'error',
      explanation: 'The server is a standby: it refuses LISTEN and every change.',
      remedy:
        'Name the primary in DATABASE_URL, or promote this one (SELECT pg_promote()) if the primary is gone.',
    },
  ];
}

function checkPendingSettings(settings: readonly string[]): Finding[] {
  if (settings.length === 0) return [];
  return [
    {
      id: 'pending_restart',
      severity: 'warning',
      explanation: `Changed settings take effect only after a restart: ${settings.join(', ')}.`,
      remedy:
        'Restart the server at a quiet time (systemctl restart postgresql). Gateways reconnect by themselves; sockets stay open.',
    },
  ];
}

function checkConnections({ connections, max }: ServerRow): Finding[] {
  if (connections < CONNECTIONS_SHARE * max) return [];
  return [
    {
      id: 'connections_near_limit',
      severity: 'warning',
      explanation: `${connections} of ${max} connections are used: soon no client can connect, gateways included.`,
      remedy:
        'List them ("lablink-gateway db connections"), end idle ones ("db kill-idle"), raise max_connections, or put PgBouncer before everything but LISTEN.',
    },
  ];
}
