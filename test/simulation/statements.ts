// What the modelled server does for each statement of the gateway. A statement is recognized by a
// part of its text that no other one has; an unknown one is an error of the simulation.

import type { Transaction, Row } from './database.js';
import type { Server, ServerSession, Statement, StatementContext } from './server.js';
import { SqlError } from './sql-error.js';

type Run = Statement['run'];

const NOTHING = { rows: [] };

/** The rows of the table as the session may see them. */
function readTable({
  server,
  session,
  tx,
}: StatementContext): Transaction | ReadonlyMap<string, Row> {
  checkSchema(server);
  const { refusals, database } = server;
  if (refusals.has('no-right'))
    throw new SqlError('42501', 'permission denied for table vms', 'aclcheck_error');
  const holder = database.findTableHolder(tx);
  if (holder !== undefined) return holder;
  if (!refusals.has('row-security')) return database.contents.rows;
  if (session.rowSecurityOff)
    throw new SqlError(
      '42501',
      'query would be affected by row-level security policy',
      'check_enable_rls',
    );
  return new Map();
}

function checkSchema({ refusals }: Server): void {
  if (refusals.has('no-schema'))
    throw new SqlError('42P01', 'relation "public.vms" does not exist');
}

function checkWrite({ server }: StatementContext): void {
  checkSchema(server);
  if (server.refusals.has('read-only'))
    throw new SqlError('25006', 'cannot execute UPDATE in a read-only transaction');
}

const isHeld = (table: Transaction | ReadonlyMap<string, Row>): table is Transaction =>
  !(table instanceof Map);

function formatRead({ hostname, version, status, text }: Row): object {
  return { hostname, version: String(version), status, row_text: text };
}

/** Fails the whole statement if one of its rows cannot be converted. */
function readAll(rows: readonly Row[]): { rows: object[] } {
  if (rows.some(({ isUnreadable }) => isUnreadable))
    throw new SqlError('22021', 'invalid byte sequence for encoding "UTF8"');
  return { rows: rows.map(formatRead) };
}

const begin: Run = ({ server, session }) => {
  session.tx = server.database.begin();
  return [NOTHING, { rows: [{ server: server.identity }] }];
};

const readVms: Run = (context) => {
  if (context.server.refusals.has('no-column'))
    throw new SqlError('42703', 'column "version" does not exist');
  const table = readTable(context);
  if (isHeld(table)) return table;
  const [hostnames] = context.values as [readonly string[] | null];
  if (hostnames === null) return readAll([...table.values()]);
  const rows = hostnames.flatMap((hostname) => table.get(hostname) ?? []);
  return readAll(rows);
};

const check: Run = (context) => {
  const { server } = context;
  if (server.refusals.has('no-column'))
    throw new SqlError('42703', 'column "version" does not exist');
  const table = readTable(context);
  if (isHeld(table)) return table;
  let max = 0;
  let sum = 0;
  for (const { version } of table.values()) {
    max = Math.max(max, version);
    sum += version;
  }
  const { triggers } = server.database.contents;
  return {
    rows: [
      {
        count: String(table.size),
        max_version: String(max),
        sum_of_versions: String(sum),
        triggers: `triggers ${triggers}`,
        in_force: server.database.triggersOff ? '0' : '9',
        queue_usage: server.isQueueFull ? 1 : 0,
        read_only: server.refusals.has('read-only'),
        missing_columns: null,
        is_table: true,
      },
    ],
  };
};

const acknowledge: Run = (context) => {
  checkWrite(context);
  const { server, tx, values } = context;
  const table = readTable(context);
  if (isHeld(table)) return table;
  const [hostname, assignmentId] = values as [string, string];
  if (table.get(hostname)?.assignmentId !== assignmentId) return NOTHING;
  const { deliveries } = server.database.contents;
  const known = deliveries.get(assignmentId);
  if (known?.acknowledged === true) return { rows: [{ took: null }] };
  tx.effects.push(() => {
    server.ledger.acknowledged.add(assignmentId);
    deliveries.set(assignmentId, {
      hostname,
      isAdopted: known?.isAdopted ?? false,
      acknowledged: true,
    });
  });
  return { rows: [{ took: 1 }] };
};

const report: Run = (context) => {
  checkWrite(context);
  const { server, tx, values } = context;
  const [hostname, status, assignmentId] = values as [string, string, string | null];
  const { database } = server;
  const holder = database.lockRow(tx, hostname)();
  if (holder !== undefined) return holder;
  const row = database.contents.rows.get(hostname);
  if (row === undefined) return NOTHING;
  const stale = assignmentId !== null && row.assignmentId !== assignmentId;
  const isAllowed = status === 'failed' || ['failed', 'available'].includes(row.status);
  if (!stale && isAllowed && row.status !== status) {
    if (server.rejectedStatus === status)
      throw new SqlError('23514', 'new row violates check constraint');
    const released = status === 'available' ? { email: null, command: null } : {};
    database.update(tx, hostname, { status, ...released }, () => undefined)();
  }
  return { rows: [{ stale, status: row.status }] };
};

const heartbeat: Run = ({ server, tx, values }) => {
  const [channel, text] = values as [string, string];
  tx.notifications.push({ channel, payload: `${text} ${server.identity}` });
  return { rows: [{ pg_notify: '' }] };
};

const commit: Run = ({ server, session, tx }) => {
  if (!tx.isOpen) {
    session.tx = undefined;
    throw new SqlError('25P02', 'the transaction was rolled back meanwhile');
  }
  if (server.isQueueFull && tx.notifications.length > 0) {
    server.database.rollBack(tx);
    session.tx = undefined;
    throw new SqlError('54000', 'too many notifications in the NOTIFY queue', 'PreCommit_Notify');
  }
  session.tx = undefined;
  server.database.commit(tx);
  return NOTHING;
};

const rollBack: Run = ({ server, session, tx }) => {
  session.tx = undefined;
  server.database.rollBack(tx);
  return NOTHING;
};

const listValidLeases = ({ server }: StatementContext, own: string): object => {
  const nowMs = server.time.nowMs;
  const others = [...server.database.contents.leases].filter(
    ([instance, lease]) => instance !== own && lease.leaseUntilMs > nowMs,
  );
  const ends = others.map(([, { leaseUntilMs }]) => leaseUntilMs - nowMs);
  return {
    gateways: [...others.map(([instance]) => instance), own],
    next_expiry_ms: ends.length === 0 ? null : Math.min(...ends),
  };
};

const acquireLease: Run = (context) => {
  checkWrite(context);
  const { server, tx, values } = context;
  const [instance, leaseMs] = values as [string, number];
  tx.effects.push(() =>
    server.database.contents.leases.set(instance, { leaseUntilMs: server.time.nowMs + leaseMs }),
  );
  return { rows: [listValidLeases(context, instance)] };
};

const isLeaseHeld = ({ server }: StatementContext, instance: string): boolean =>
  (server.database.contents.leases.get(instance)?.leaseUntilMs ?? 0) > server.time.nowMs;

const renewLease: Run = (context) => {
  checkWrite(context);
  const { server, tx, values } = context;
  const [instance, leaseMs] = values as [string, number];
  const renewed = isLeaseHeld(context, instance);
  if (renewed)
    tx.effects.push(() =>
      server.database.contents.leases.set(instance, { leaseUntilMs: server.time.nowMs + leaseMs }),
    );
  return { rows: [{ renewed, ...listValidLeases(context, instance) }] };
};

const releaseLease: Run = (context) => {
  checkWrite(context);
  const { server, tx, values } = context;
  const [instance] = values as [string];
  tx.effects.push(() =>
    server.database.contents.leases.set(instance, { leaseUntilMs: server.time.nowMs }),
  );
  return NOTHING;
};

const writePresence: Run = (context) => {
  checkWrite(context);
  const { server, tx, values } = context;
  const [instance, hostnames, online, ago, , , payloads] = values as [
    string,
    string[],
    boolean[],
    number[],
    string[],
    number[],
    string[],
  ];
  if (
    server.encoding === 'LATIN1' &&
    [...hostnames, ...payloads].some((text) => /[^\u0000-\u00ff]/.test(text))
  )
    throw new SqlError('22P05', 'character has no equivalent in encoding "LATIN1"');
  const live = isLeaseHeld(context, instance);
  if (!live) return { rows: [{ live }] };
  const { presence } = server.database.contents;
  tx.effects.push(() =>
    hostnames.forEach((hostname, n) =>
      presence.set(`${hostname} ${instance}`, {
        hostname,
        gateway: instance,
        online: online[n] === true,
        sinceMs: server.time.nowMs - (ago[n] ?? 0),
      }),
    ),
  );
  for (const payload of payloads) tx.notifications.push({ channel: 'vm_presence', payload });
  return { rows: [{ live }] };
};

/** Whether an agent of this hostname counts as online, and what else its presence says. */
export function describePresence(
  server: Server,
  hostname: string,
): { online: boolean; text: string } | undefined {
  const { presence, leases, rows, deliveries } = server.database.contents;
  let gateways = 0;
  let awayMs = -1;
  for (const record of presence.values()) {
    if (record.hostname !== hostname) continue;
    const { leaseUntilMs = 0 } = leases.get(record.gateway) ?? {};
    if (record.online && leaseUntilMs > server.time.nowMs) gateways++;
    else awayMs = Math.max(awayMs, record.online ? leaseUntilMs : record.sinceMs);
  }
  const row = rows.get(hostname);
  const delivery = deliveries.get(row?.assignmentId ?? '');
  if (gateways === 0 && (row === undefined || (awayMs < 0 && delivery === undefined)))
    return undefined;
  const online = gateways > 0;
  const acked = delivery?.acknowledged === true ? row?.assignmentId : null;
  const text = JSON.stringify({
    hostname,
    online,
    duplicate: gateways > 1,
    acked_assignment_id: acked,
  });
  return { online, text };
}

const readPresence: Run = (context) => {
  const { server, values } = context;
  const table = readTable(context);
  if (isHeld(table)) return table;
  const [hostnames] = values as [readonly string[] | null];
  if (
    server.encoding === 'LATIN1' &&
    hostnames?.some((text) => /[^\u0000-\u00ff]/.test(text)) === true
  )
    throw new SqlError('22P05', 'character has no equivalent in encoding "LATIN1"');
  const online = [...server.database.contents.presence.values()].filter((record) => record.online);
  const wanted = hostnames ?? [...table.keys(), ...online.map(({ hostname }) => hostname)];
  return {
    rows: [...new Set(wanted)].flatMap((hostname) => {
      const known = describePresence(server, hostname);
      return known === undefined ? [] : [{ hostname, online: known.online, entry: known.text }];
    }),
  };
};

const readIds: Run = (context) => {
  const table = readTable(context);
  if (isHeld(table)) return table;
  return { rows: [...table.values()].map(({ id }) => ({ id })) };
};

const readByIds: Run = (context) => {
  const table = readTable(context);
  if (isHeld(table)) return table;
  const [ids] = context.values as [readonly string[]];
  return readAll([...table.values()].filter(({ id }) => ids.includes(id)));
};

const readHostname: Run = (context) => {
  const table = readTable(context);
  if (isHeld(table)) return table;
  const [id] = context.values as [string];
  return {
    rows: [...table.values()].filter((row) => row.id === id).map(({ hostname }) => ({ hostname })),
  };
};

const readAdopted: Run = (context) => {
  const table = readTable(context);
  if (isHeld(table)) return table;
  const { deliveries } = context.server.database.contents;
  return {
    rows: [...table.values()].flatMap(({ assignmentId }) =>
      assignmentId !== null && deliveries.get(assignmentId)?.isAdopted === true
        ? [{ assignment_id: assignmentId }]
        : [],
    ),
  };
};

const readSequence: Run = ({ server }) => {
  checkSchema(server);
  return { rows: [{ last_value: String(server.database.contents.sequence) }] };
};

const readKey: Run = ({ server }) => {
  checkSchema(server);
  return { rows: [{ key: server.database.contents.key.export() }] };
};

const readQueueUsage: Run = ({ server }) => ({ rows: [{ usage: server.isQueueFull ? 1 : 0 }] });

const readTokens: Run = ({ server }) => {
  checkSchema(server);
  return NOTHING;
};

const listen: Run = () => NOTHING;
const nothing: Run = () => NOTHING;

/** The first part that a statement contains decides. */
const PARTS: readonly (readonly [part: string, run: Run])[] = [
  ['BEGIN ', begin],
  ['public.read_vms($1)', readVms],
  ['AS queue_usage', check],
  ['vm_deliveries AS d (assignment_id', acknowledge],
  ['WITH locked AS', report],
  ['SELECT pg_notify($1, concat_ws', heartbeat],
  ['WITH entered AS', acquireLease],
  ['WITH renewed AS', renewLease],
  ['SET lease_until = statement_timestamp()\n', releaseLease],
  ['INSERT INTO public.vm_presence', writePresence],
  ['read_vm_presence', readPresence],
  ['SELECT id FROM public.vms', readIds],
  ['public.vm_text(vms)', readByIds],
  ['SELECT hostname FROM public.vms WHERE id', readHostname],
  ['d.adopted_at IS NOT NULL', readAdopted],
  ['vms_version_seq', readSequence],
  ['public.vm_keys', readKey],
  ['AS usage', readQueueUsage],
  ['vm_token_revocations', readTokens],
  ['pg_try_advisory_xact_lock', () => ({ rows: [{ locked: false, may: false, bytes: 0 }] })],
  ['pg_stat_activity', nothing],
  ['set_config', nothing],
  ['SET TimeZone', nothing],
  ['SET LOCAL', nothing],
  ['LISTEN ', listen],
];

const WHOLE: Readonly<Record<string, Run>> = {
  COMMIT: commit,
  ROLLBACK: rollBack,
  SELECT: nothing,
};

const known = new Map<string, Statement>();

export function findStatement(text: string): Statement {
  let statement = known.get(text);
  if (statement === undefined) {
    statement = { run: recognize(text) };
    known.set(text, statement);
  }
  return statement;
}

function recognize(text: string): Run {
  const run = WHOLE[text] ?? PARTS.find(([part]) => text.includes(part))?.[1];
  if (run === undefined)
    throw new Error(`the modelled server does not know this statement: ${text}`);
  if (run === listen) {
    const channel = text.replace('LISTEN ', '').replaceAll('"', '');
    return ({ session }) => {
      session.channels.add(channel);
      return NOTHING;
    };
  }
  const limits = readLimits(text);
  return (context) => {
    Object.assign(context.session, limits);
    return run(context);
  };
}

/** The settings of a transaction that the text makes. */
function readLimits(text: string): Partial<ServerSession> {
  const lock = readDuration(text, 'lock_timeout');
  const statement = readDuration(text, 'statement_timeout');
  return {
    ...(text.startsWith('BEGIN')
      ? { lockTimeoutMs: Infinity, statementTimeoutMs: Infinity, rowSecurityOff: false }
      : {}),
    ...(lock === undefined ? {} : { lockTimeoutMs: lock }),
    ...(statement === undefined ? {} : { statementTimeoutMs: statement }),
    ...(text.includes('row_security = off') ? { rowSecurityOff: true } : {}),
  };
}

function readDuration(text: string, setting: string): number | undefined {
  const [, digits, unit] = new RegExp(`${setting} = '(\\d+)(s|min)'`).exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * (unit === 'min' ? 60_000 : 1_000);
}
