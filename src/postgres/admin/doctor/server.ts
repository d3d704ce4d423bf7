// Checks the server itself: its version, whether it is a standby, settings that need a restart,
// free connections, and settings that write commands into the log.

import { OLDEST_MAJOR_VERSION } from '../../embedded/binaries.js';
import { takeOnlyRow } from '../session.js';
import type { Finding, CheckContext } from './finding.js';
import { checkRelease } from './releases.js';

/** The share of used connections from which a rush of clients may find none. */
const CONNECTIONS_SHARE = 0.8;

interface ServerRow {
  /** The major version. */
  readonly version: number;
  /** `server_version_num`. */
  readonly release: number;
  readonly standby: boolean;
  readonly connections: number;
  readonly max: number;
}

/** Without pg_read_all_stats the types of the sessions of other roles are NULL. */
const SERVER = `
  SELECT current_setting('server_version_num')::int / 10000 AS version,
    current_setting('server_version_num')::int AS release,
    pg_is_in_recovery() AS standby,
    (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datid IS NOT NULL
      AND coalesce(backend_type, 'client backend') = 'client backend')::float8 AS connections,
    (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int)::float8 AS max`;

/** Settings from the server's command line count as pending too, but stay in force. */
const PENDING = `
  SELECT name, setting FROM pg_catalog.pg_settings
  WHERE pending_restart AND source <> 'command line' ORDER BY name`;

/**
 * Statements are logged with their values. The lengths are numbers of bytes; 0 logs no value and -1
 * logs the whole value. Each condition is a way in which a statement comes into the log.
 */
const VALUES_LOGGED = `
  SELECT current_setting('log_parameter_max_length') <> '0' AND (
      current_setting('log_min_duration_statement') <> '-1'
      OR current_setting('log_min_duration_sample') <> '-1'
      OR current_setting('log_transaction_sample_rate')::float8 > 0
      OR current_setting('log_statement') IN ('mod', 'all')) AS always,
    current_setting('log_parameter_max_length_on_error') <> '0' AS on_error`;

/** Runs the six checks with three queries. */
export async function checkServer({ session, nowMs }: CheckContext): Promise<Finding[]> {
  const server = takeOnlyRow(await session.query<ServerRow>(SERVER));
  const pending = await session.query<{ name: string; setting: string }>(PENDING);
  const logged = takeOnlyRow(
    await session.query<{ always: boolean; on_error: boolean }>(VALUES_LOGGED),
  );
  const settings = pending.rows.map(({ name, setting }) => `${name} (still ${setting})`);
  return [
    ...checkVersion(server),
    ...checkRelease(server.release, nowMs()),
    ...checkStandby(server),
    ...checkPendingSettings(settings),
    ...checkConnections(server),
    ...checkLoggedValues(logged.always, logged.on_error),
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

function checkLoggedValues(always: boolean, onError: boolean): Finding[] {
  const names = [
    ...(always ? ['log_parameter_max_length'] : []),
    ...(onError ? ['log_parameter_max_length_on_error'] : []),
  ];
  if (names.length === 0) return [];
  const statements = names.map((name) => `ALTER SYSTEM SET ${name} = 0;`).join(' ');
  return [
    {
      id: 'values_logged',
      severity: 'warning',
      explanation: `The server logs the values of statements (${names.join(', ')}), and so the commands of assignments, which often contain one-time codes.`,
      remedy: `As a superuser: ${statements} SELECT pg_reload_conf();`,
    },
  ];
}
