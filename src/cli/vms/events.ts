// The subcommand `events`: prints the changes of VMs from the audit, the latest first.

import { Command, InvalidArgumentError } from 'commander';
import { Type, type Static } from 'typebox';
import { vmPath } from '../../protocol/paths.js';
import { parseDurationMs, type DurationFormat } from '../../time/duration.js';
import { UsageError } from '../exit.js';
import { addGatewayOptions, resolveGateway, type GatewaySelection } from '../find-gateway.js';
import { printInfo, printJson, printTable, type TableCell } from '../print.js';
import { formatQuery, openApi, type ApiConnection } from './api.js';
import { NDJSON_OPTION } from './options.js';

const PAGE = 1_000;
const DEFAULT_LIMIT = 50;

const nullableText = Type.Union([Type.String(), Type.Null()]);

const AuditEvent = Type.Object(
  {
    at: Type.String(),
    op: Type.String(),
    hostname: nullableText,
    old_hostname: nullableText,
    old_status: nullableText,
    new_status: nullableText,
    old_email: nullableText,
    new_email: nullableText,
    crd_command_changed: Type.Union([Type.Boolean(), Type.Null()]),
    database_user: Type.String(),
    actor: nullableText,
  },
  { additionalProperties: true },
);
type AuditEvent = Static<typeof AuditEvent>;

const EventPage = Type.Object({ events: Type.Array(AuditEvent), next: nullableText });

const AGE: DurationFormat = {
  units: ['s', 'm', 'h', 'd'],
  minMs: 1_000,
  maxMs: 36_500 * 86_400_000,
};

interface EventOptions extends GatewaySelection {
  readonly hostname?: string;
  readonly email?: string;
  readonly since?: number;
  readonly limit?: number;
  readonly json?: true;
}

export function createEventsCommand(): Command {
  const command = new Command('events')
    .description('print the changes of VMs, the latest first')
    .option('--hostname <hostname>', 'only those of this VM, which may be deleted')
    .option('--email <email>', 'only those of this person')
    .option(
      '--since <time>',
      'only the last 90s, 15m, 12h, 7d, or since 2026-03-02T09:00Z',
      parseSince,
    )
    .option(
      '--limit <count>',
      `at most so many (default: ${DEFAULT_LIMIT}; with --since all)`,
      parseLimit,
    )
    .option(...NDJSON_OPTION);
  return addGatewayOptions(command).action(async (options: EventOptions) => {
    if (options.hostname !== undefined && options.email !== undefined)
      throw new UsageError('Give --hostname or --email, not both.');
    const api = await openApi(await resolveGateway(options));
    const rows: TableCell[][] = [];
    let count = 0;
    for await (const event of readEvents(api, options)) {
      count++;
      if (options.json) printJson(event);
      else rows.push(formatEvent(event));
    }
    if (rows.length > 0) printTable(HEADERS, rows);
    if (count === 0) printInfo('No change was recorded in this time, or for this VM or person.');
  });
}

async function* readEvents(api: ApiConnection, options: EventOptions): AsyncGenerator<AuditEvent> {
  const { hostname, email, since } = options;
  const limit = options.limit ?? (since === undefined ? DEFAULT_LIMIT : Infinity);
  const base = hostname === undefined ? '/v1/events' : `${vmPath(hostname)}/events`;
  let left = limit;
  for (let after: string | undefined; left > 0;) {
    const path = formatQuery(base, { limit: Math.min(PAGE, left), email, after });
    const { body } = await api.request(EventPage, { path });
    for (const event of body.events) {
      if (since !== undefined && Date.parse(event.at) < since) return;
      yield event;
    }
    left -= body.events.length;
    if (body.next === null) return;
    after = body.next;
  }
}

const HEADERS = ['time (UTC)', 'VM', 'change', 'person', 'by'];

function formatEvent(event: AuditEvent): TableCell[] {
  const { at, op, hostname, old_hostname, actor, database_user } = event;
  const name = hostname ?? old_hostname ?? 'all VMs';
  return [
    at.slice(0, 19),
    old_hostname !== null && hostname !== null && old_hostname !== hostname
      ? `${old_hostname} → ${name}`
      : name,
    describeChange(op, event),
    describeTransition(event.old_email, event.new_email),
    actor ?? `${database_user} (SQL)`,
  ];
}

function describeChange(op: string, event: AuditEvent): string {
  if (op !== 'update') return op;
  const status = describeTransition(event.old_status, event.new_status);
  return event.crd_command_changed === true ? `${status}, command` : status;
}

function describeTransition(before: string | null, now: string | null): string {
  return before === now || before === null ? (now ?? '-') : `${before} → ${now ?? '-'}`;
}

/** @returns the time in milliseconds since 1970. @throws InvalidArgumentError */
function parseSince(text: string): number {
  const age = parseDurationMs(text, AGE);
  if (age !== undefined) return Date.now() - age;
  const isTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  const time = isTime ? Date.parse(text) : NaN;
  if (!Number.isNaN(time)) return time;
  throw new InvalidArgumentError('Expected 90s, 15m, 12h, 7d, or a time like 2026-03-02T09:00Z.');
}

/** @throws InvalidArgumentError */
function parseLimit(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a number from 1 to 9999999.');
}
