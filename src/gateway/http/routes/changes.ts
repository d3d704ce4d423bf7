// The routes that register, change and delete VMs. They write to the database only; sockets receive
// each change through the feed.

import { isDeepStrictEqual } from 'node:util';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { changeVm, clearVms, deleteVm, registerVm } from '../../database/changes.js';
import {
  SETTABLE_STATUSES,
  type RejectedChange,
  type SettableStatus,
} from '../../database/decide-change.js';
import { FLEET_PATH } from '../../../protocol/paths.js';
import { readActor, checkHostname, readHostname, type Authorize } from '../request/access.js';
import type { Connect } from '../request/connect.js';
import { sendJson, sendVm } from '../problems/responses.js';
import { isNotModified, parsePrecondition } from '../request/precondition.js';
import { WRITE_PROBLEMS, describeProblems } from '../problems/problem-responses.js';
import { sendVmNotFound, sendProblem } from '../problems/problem.js';
import { HostnameParams } from '../schemas/shared.js';
import {
  ChangeBody,
  ClearVmsResponse,
  ClearQuery,
  describeVm,
  IfMatch,
  OnlyNew,
} from '../schemas/vms.js';
import type { HttpServer } from '../server.js';

const VM_PATH = `${FLEET_PATH}/:hostname`;

/** Registers the routes that change VMs. */
export function registerChanges(server: HttpServer, connect: Connect, authorize: Authorize): void {
  server.put(VM_PATH, {
    bodyLimit: 1_024,
    schema: {
      operationId: 'registerVm',
      summary: 'Register a VM as available; a registered VM is not changed',
      description: 'Accepts no body, or `{}`. Use PATCH to change a VM.',
      tags: ['vms'],
      params: HostnameParams,
      headers: OnlyNew,
      response: {
        200: describeVm('The VM, which was registered before.'),
        201: describeVm('The VM, which is new.'),
        ...describeProblems(
          'invalid_hostname',
          'similar_hostname',
          'version_mismatch',
          'unreadable_row',
          ...WRITE_PROBLEMS,
        ),
      },
    },
    onRequest: authorize('register-vm'),
    preHandler: [checkNewHostname, checkNoBody, checkNoIfMatch],
    handler: async (request, reply) => {
      const { isNew, vm } = await registerVm(
        connect(request, 'change'),
        readActor(request),
        readHostname(request),
      );
      if (!isNew && isNotModified(request.headers, vm.version))
        return sendVersionMismatch(reply, vm.version);
      return sendVm(reply.code(isNew ? 201 : 200), vm);
    },
  });

  server.patch(VM_PATH, {
    schema: {
      operationId: 'changeVm',
      summary: 'Change the status, person or command of a VM',
      description: 'Columns that the body does not name follow from the status; see `VmChange`.',
      tags: ['vms'],
      params: HostnameParams,
      headers: IfMatch,
      body: ChangeBody,
      response: {
        200: describeVm('The VM after the change.'),
        ...describeProblems(...CHANGE_PROBLEMS),
      },
    },
    onRequest: authorize('change-vms'),
    preHandler: checkHostname,
    handler: async (request, reply) => {
      const { status, email, crd_command: crdCommand, reassign = false } = request.body;
      const precondition = parsePrecondition(request.headers);
      if (precondition === undefined) return sendInvalidPrecondition(reply);
      if (status !== undefined && !isStatus(status)) {
        const detail = `The status must be one of ${SETTABLE_STATUSES.join(', ')}.`;
        return sendProblem(reply, 'unknown_status', detail, { allowed: SETTABLE_STATUSES });
      }
      const changed = await changeVm(
        connect(request, 'change'),
        readActor(request),
        readHostname(request),
        { status, email, crdCommand, reassign },
        precondition,
      );
      switch (changed.outcome) {
        case 'changed':
          return sendVm(reply, changed.vm);
        case 'no-vm':
          return sendVmNotFound(reply);
        case 'version-conflict':
          return sendVersionMismatch(reply, changed.version);
        case 'rejected':
          return sendRejectedChange(reply, changed.why);
      }
    },
  });

  server.delete(VM_PATH, {
    schema: {
      operationId: 'deleteVm',
      summary: 'Delete a VM',
      description: 'Its agent stays connected, and receives `absent`.',
      tags: ['vms'],
      params: HostnameParams,
      headers: IfMatch,
      response: {
        204: Type.Null({ description: 'The VM is deleted.' }),
        ...describeProblems(
          'invalid_hostname',
          'vm_not_found',
          'version_mismatch',
          ...WRITE_PROBLEMS,
        ),
      },
    },
    onRequest: authorize('change-vms'),
    preHandler: checkHostname,
    handler: async (request, reply) => {
      const precondition = parsePrecondition(request.headers);
      if (precondition === undefined) return sendInvalidPrecondition(reply);
      const outcome = await deleteVm(
        connect(request, 'change'),
        readActor(request),
        readHostname(request),
        precondition,
      );
      if (outcome === 'deleted') return reply.code(204).send(null);
      if (outcome === 'no-vm') return sendVmNotFound(reply);
      return sendVersionMismatch(reply, outcome.currentVersion);
    },
  });

  server.delete(FLEET_PATH, {
    schema: {
      operationId: 'clearVms',
      summary: 'Delete all VMs, if `confirm` is their number',
      description: 'Deletes all or none, in one transaction.',
      tags: ['vms'],
      querystring: ClearQuery,
      response: { 200: ClearVmsResponse, ...describeProblems('wrong_count', ...WRITE_PROBLEMS) },
    },
    onRequest: authorize('change-vms'),
    handler: async (request, reply) => {
      const { confirm } = request.query;
      const count = await clearVms(connect(request, 'change'), readActor(request), confirm);
      if (count === confirm) return sendJson(reply, JSON.stringify({ deleted: count }));
      const detail = `There are ${count} VMs, not ${confirm}; nothing was deleted.`;
      return sendProblem(reply, 'wrong_count', detail, { count });
    },
  });
}

const CHANGE_PROBLEMS = [
  'invalid_hostname',
  'unknown_status',
  'contradictory_change',
  'vm_not_found',
  'assigned_to_another',
  'vm_not_in_use',
  'unreadable_row',
  'version_mismatch',
  ...WRITE_PROBLEMS,
] as const;

function isStatus(status: string): status is SettableStatus {
  return SETTABLE_STATUSES.some((known) => known === status);
}

/** A hook that rejects hostnames that the column of a new VM cannot store. */
async function checkNewHostname(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (/^[^\0]{1,255}$/u.test(readHostname(request))) return;
  await sendProblem(
    reply,
    'invalid_hostname',
    'A hostname must have 1 to 255 characters without NUL.',
  );
}

/** A hook that rejects a body, because its content would be ignored. */
async function checkNoBody({ body }: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (body === undefined || isDeepStrictEqual(body, {})) return;
  await sendProblem(
    reply,
    'invalid_request',
    'Registering a VM accepts no body; use PATCH to change it.',
  );
}

/** A hook that rejects `If-Match`, because no VM is changed here. */
async function checkNoIfMatch(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (request.headers['if-match'] === undefined) return;
  const detail = 'Registering a VM accepts no If-Match; use PATCH to change it.';
  await sendProblem(reply, 'invalid_request', detail);
}

function sendInvalidPrecondition(reply: FastifyReply): FastifyReply {
  const detail = 'If-Match must be * or a list of quoted entity tags, such as "17".';
  return sendProblem(reply, 'invalid_request', detail);
}

function sendVersionMismatch(reply: FastifyReply, version: number): FastifyReply {
  const detail = 'If-Match or If-None-Match excludes the version of the row.';
  return sendProblem(reply.header('ETag', `"${version}"`), 'version_mismatch', detail, { version });
}

function sendRejectedChange(reply: FastifyReply, why: RejectedChange): FastifyReply {
  switch (why.rejected) {
    case 'contradiction':
      return sendProblem(reply, 'contradictory_change', `${why.why}.`);
    case 'not-in-use':
      return sendProblem(reply, 'vm_not_in_use', 'Only a VM in use has a person and a command.');
    case 'another-person': {
      const detail = 'Another person has this VM; "reassign": true takes it from them.';
      return sendProblem(reply, 'assigned_to_another', detail);
    }
  }
}
