// The routes of deliveries: agents report how their commands ended, and clients that may watch a VM
// read them.

import { recordEnd, listDeliveries } from '../../database/deliveries.js';
import { isLong } from '../../database/read-in-pieces.js';
import { FLEET_PATH } from '../../../protocol/paths.js';
import {
  readActor,
  checkHostname,
  readHostname,
  requireIdentity,
  type Authorize,
} from '../request/access.js';
import type { Connect } from '../request/connect.js';
import { sendJson } from '../problems/responses.js';
import { WRITE_PROBLEMS, describeProblems } from '../problems/problem-responses.js';
import { sendProblem } from '../problems/problem.js';
import {
  DeliveriesResponse,
  DeliveriesQuery,
  DeliveryResponse,
  EndBody,
} from '../schemas/deliveries.js';
import { AssignmentParams, HostnameParams, PAGE_LIMIT } from '../schemas/shared.js';
import type { HttpServer } from '../server.js';

/**
 * Registers the routes of deliveries.
 * @param onReport called with each hostname whose delivery has changed
 */
export function registerDeliveries(
  server: HttpServer,
  connect: Connect,
  authorize: Authorize,
  onReport: (hostname: string) => void,
): void {
  server.put('/v1/assignments/:assignment_id/end', {
    bodyLimit: 1_024,
    schema: {
      operationId: 'reportEnd',
      summary: 'Report how the command of an assignment ended; only the first report counts',
      description:
        'For an assignment that the VM of the agent has or had. The VM itself is not changed.',
      tags: ['assignments'],
      params: AssignmentParams,
      body: EndBody,
      response: {
        200: DeliveryResponse,
        ...describeProblems('assignment_not_found', ...WRITE_PROBLEMS),
      },
    },
    onRequest: authorize('report-end'),
    handler: async (request, reply) => {
      const { outcome, exit_code: exitCode = null, signal = null } = request.body;
      const { sub } = requireIdentity(request);
      const { assignment_id: assignmentId } = request.params;
      const report = { outcome, exitCode, signal };
      const delivery = await recordEnd(
        connect(request, 'report'),
        readActor(request),
        sub,
        assignmentId,
        report,
      );
      if (delivery === undefined) {
        return sendProblem(reply, 'assignment_not_found', 'This agent never had this assignment.');
      }
      onReport(sub);
      return sendJson(reply, delivery);
    },
  });

  server.get(`${FLEET_PATH}/:hostname/deliveries`, {
    schema: {
      operationId: 'listDeliveries',
      summary: 'List the deliveries of one VM, the latest first',
      description:
        'When each assignment was made, sent and acknowledged, and how its command ended.',
      tags: ['assignments'],
      params: HostnameParams,
      querystring: DeliveriesQuery,
      response: { 200: DeliveriesResponse, ...describeProblems('invalid_hostname') },
    },
    onRequest: authorize('watch-vm'),
    preHandler: checkHostname,
    handler: async (request, reply) => {
      const { limit = PAGE_LIMIT } = request.query;
      const deliveries = await listDeliveries(
        connect(request, isLong(limit) ? 'list' : 'read'),
        readHostname(request),
        limit,
      );
      return sendJson(reply, `{"deliveries":[${deliveries.join(',')}]}`);
    },
  });
}
