// The route that changes many VMs with one request. Each VM is a transaction and an audit entry of
// its own, so a VM that cannot be changed stops no other.

import { changeVm, deleteVm, releaseHostname, type Precondition } from '../../database/changes.js';
import type { RejectedChange } from '../../database/decide-change.js';
import type { ConnectionSource } from '../../database/connection-source.js';
import type { Actor } from '../../database/transaction.js';
import { findBulkRefusal, type BulkRefusal } from '../problems/bulk-error.js';
import { describeProblems, WRITE_PROBLEMS } from '../problems/problem-responses.js';
import { PROBLEMS, sendProblem } from '../problems/problem.js';
import { sendJson } from '../problems/responses.js';
import { readActor, type Authorize } from '../request/access.js';
import type { Connect } from '../request/connect.js';
import {
  BulkChangeBody,
  BulkChangeResponse,
  type BULK_ACTIONS,
  type BulkResult,
} from '../schemas/bulk-changes.js';
import type { HttpServer } from '../server.js';

/** Registers the route that changes many VMs. */
export function registerBulkChanges(
  server: HttpServer,
  connect: Connect,
  authorize: Authorize,
): void {
  server.post('/v1/changes', {
    schema: {
      operationId: 'changeVms',
      summary: 'Change up to 500 VMs, each by itself; the answer has a result for each',
      description:
        'Each VM is changed in a transaction of its own, in the order of the list, with an entry of its own in the audit. What is refused for one VM changes nothing for the others.',
      tags: ['vms'],
      body: BulkChangeBody,
      response: { 200: BulkChangeResponse, ...describeProblems(...WRITE_PROBLEMS) },
    },
    onRequest: authorize('change-vms'),
    handler: async (request, reply) => {
      const { action, crd_command: crdCommand, vms } = request.body;
      if ((action === 'command') !== (crdCommand !== undefined)) {
        const detail = '`command` needs a `crd_command`, and no other action allows it.';
        return sendProblem(reply, 'invalid_request', detail);
      }
      const pool = connect(request, 'change');
      const results: BulkResult[] = [];
      for (const { hostname, version } of vms) {
        const target = { hostname, action, crdCommand, isExpected: createPrecondition(version) };
        results.push(await changeOne(pool, readActor(request), target));
      }
      return sendJson(reply, JSON.stringify({ results }));
    },
  });
}

const createPrecondition =
  (expected: number | undefined): Precondition =>
  (version) =>
    expected === undefined || version === expected;

interface Target {
  readonly hostname: string;
  readonly action: (typeof BULK_ACTIONS)[number];
  readonly crdCommand: string | undefined;
  readonly isExpected: Precondition;
}

type Outcome = BulkRefusal | { readonly version: number | null };

/** @throws an error that is not about this VM, such as an unavailable database */
async function changeOne(
  pool: ConnectionSource,
  actor: Actor,
  target: Target,
): Promise<BulkResult> {
  let outcome: Outcome;
  try {
    outcome =
      target.action === 'delete'
        ? await deleteOne(pool, actor, target)
        : await updateOne(pool, actor, target);
  } catch (error) {
    const refusal = findBulkRefusal(error);
    if (refusal === undefined) throw error;
    outcome = refusal;
  }
  const { hostname } = target;
  if ('version' in outcome) return { hostname, code: null, detail: null, version: outcome.version };
  return { hostname, code: outcome.code, detail: outcome.detail, version: null };
}

const refuse = (code: BulkRefusal['code']): BulkRefusal => ({ code, detail: PROBLEMS[code].when });

async function deleteOne(
  pool: ConnectionSource,
  actor: Actor,
  { hostname, isExpected }: Target,
): Promise<Outcome> {
  const result = await deleteVm(pool, actor, hostname, isExpected);
  if (result === 'deleted') return { version: null };
  return refuse(result === 'no-vm' ? 'vm_not_found' : 'version_mismatch');
}

async function updateOne(
  pool: ConnectionSource,
  actor: Actor,
  { hostname, action, crdCommand, isExpected }: Target,
): Promise<Outcome> {
  const status = action === 'available' || action === 'failed' ? action : undefined;
  const change = { status, email: undefined, crdCommand, reassign: false };
  const result =
    action === 'release'
      ? await releaseHostname(pool, actor, hostname, isExpected)
      : await changeVm(pool, actor, hostname, change, isExpected);
  switch (result.outcome) {
    case 'changed':
      return { version: result.vm.version };
    case 'no-vm':
      return refuse('vm_not_found');
    case 'version-conflict':
      return refuse('version_mismatch');
    case 'rejected':
      return refuse(REJECTIONS[result.why.rejected]);
  }
}

const REJECTIONS: Readonly<Record<RejectedChange['rejected'], BulkRefusal['code']>> = {
  contradiction: 'contradictory_change',
  'not-in-use': 'vm_not_in_use',
  'another-person': 'assigned_to_another',
};
