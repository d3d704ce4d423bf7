// The routes that assign a VM to a person and release it.

import { assignVm, releaseAssignment } from '../../database/assignments.js';
import { readActor, type Authorize } from '../request/access.js';
import type { Connect } from '../request/connect.js';
import { sendVm } from '../problems/responses.js';
import { WRITE_PROBLEMS, describeProblems } from '../problems/problem-responses.js';
import { sendProblem } from '../problems/problem.js';
import { AssignmentBody, describeAssigned } from '../schemas/assignments.js';
import { AssignmentParams } from '../schemas/shared.js';
import { describeVm } from '../schemas/vms.js';
import type { HttpServer } from '../server.js';

const PATH = '/v1/assignments';

/** Registers the routes of assignments. */
export function registerAssignments(
  server: HttpServer,
  connect: Connect,
  authorize: Authorize,
): void {
  server.post(PATH, {
    schema: {
      operationId: 'assign',
      summary: 'Assign an available VM to a person, or return the VM that they have',
      description:
        'Assigns the VM that has been available for longest. VMs with an online agent are preferred.',
      tags: ['assignments'],
      body: AssignmentBody,
      response: {
        200: describeAssigned('The VM that the person already has.'),
        201: describeAssigned('The VM that is now assigned.'),
        ...describeProblems('no_vm_available', ...WRITE_PROBLEMS),
      },
    },
    onRequest: authorize('change-vms'),
    handler: async (request, reply) => {
      const { email, crd_command: crdCommand } = request.body;
      const assigned = await assignVm(connect(request, 'change'), readActor(request), {
        email,
        crdCommand,
      });
      if (assigned.outcome === 'none-free') {
        const detail = 'No VM is available.';
        return sendProblem(reply, 'no_vm_available', detail, { counts: assigned.counts });
      }
      reply.header('Agent-Online', String(assigned.online));
      return sendVm(reply.code(assigned.outcome === 'assigned' ? 201 : 200), assigned.vm);
    },
  });

  server.delete(`${PATH}/:assignment_id`, {
    schema: {
      operationId: 'release',
      summary: 'End exactly this assignment; repeating it never ends a later one',
      description: 'Removes the person and the command from the VM, which becomes `available`.',
      tags: ['assignments'],
      params: AssignmentParams,
      response: {
        200: describeVm('The VM, which is available now.'),
        ...describeProblems('assignment_not_found', ...WRITE_PROBLEMS),
      },
    },
    onRequest: authorize('change-vms'),
    handler: async (request, reply) => {
      const released = await releaseAssignment(
        connect(request, 'change'),
        readActor(request),
        request.params.assignment_id,
      );
      if (released !== undefined) return sendVm(reply, released);
      return sendProblem(reply, 'assignment_not_found', 'No VM has this assignment now.');
    },
  });
}
