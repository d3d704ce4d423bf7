// The judgement at the end: what clients were shown against what the database says is, the table
// `vms`, and what it says was, the audit `vm_events`. Pure.

import type { Vm } from '../helpers/model.js';
import type { Witness } from './witness.js';

/** Events in the order of commits of each hostname. */
export interface AuditEvent {
  readonly op: string;
  readonly hostname: string;
  readonly version: number;
  readonly assignmentId: string | null;
}

export interface Violation {
  readonly kind:
    /** The client's state differs from the table. */
    | 'diverged'
    /** On one socket a row was followed by an earlier one of its hostname. */
    | 'backwards'
    /** A current assignment never reached a client that it concerns. */
    | 'undelivered'
    /** A delivered assignment is not in the audit. */
    | 'unknown assignment';
  readonly client: string;
  /** The hostname, or the unknown assignment. */
  readonly about: string;
}

export function findViolations(
  witnesses: readonly Witness[],
  table: ReadonlyMap<string, Vm>,
  audit: readonly AuditEvent[],
): Violation[] {
  const order = indexAudit(audit);
  const assignments = new Set(audit.map(({ assignmentId }) => assignmentId));
  return witnesses.flatMap((witness) => [
    ...(witness.fold().knows(table) ? [] : [violation('diverged', witness, 'the table')]),
    ...backwards(witness, order).map((hostname) => violation('backwards', witness, hostname)),
    ...undelivered(witness, table).map((hostname) => violation('undelivered', witness, hostname)),
    ...[...witness.delivered]
      .filter((id) => !assignments.has(id))
      .map((id) => violation('unknown assignment', witness, id)),
  ]);
}

const violation = (kind: Violation['kind'], { name }: Witness, about: string): Violation => ({
  kind,
  client: name,
  about,
});

const formatKey = (hostname: string, version: number): string => `${version} ${hostname}`;

/** Where in the audit each row of each hostname came to be. */
function indexAudit(audit: readonly AuditEvent[]): Map<string, number> {
  const order = new Map<string, number>();
  audit.forEach(({ op, hostname, version }, position) => {
    if (op === 'insert' || op === 'update') order.set(formatKey(hostname, version), position);
  });
  return order;
}

/**
 * A lower version is no step backwards where the row did come later: an INSERT may take its
 * version, wait for another transaction's DELETE, and land below it. What the audit does not know
 * came from nowhere.
 */
function backwards(witness: Witness, order: ReadonlyMap<string, number>): string[] {
  const isLater = (hostname: string, from: number, to: number): boolean => {
    const [before, after] = [
      order.get(formatKey(hostname, from)),
      order.get(formatKey(hostname, to)),
    ];
    return before !== undefined && after !== undefined && after > before;
  };
  return witness.falls
    .filter(({ hostname, from, to }) => !isLater(hostname, from, to))
    .map(({ hostname }) => hostname);
}

function undelivered({ watcher, delivered }: Witness, table: ReadonlyMap<string, Vm>): string[] {
  return [...table.values()]
    .filter((vm) => typeof watcher === 'string' || vm.hostname === watcher.hostname)
    .filter((vm) => vm.status === 'in-use' && !delivered.has(vm.assignment_id as string))
    .map((vm) => String(vm.hostname));
}
