// What became of assignments: agents report how their commands ended, and whoever watches VMs reads it.

import type pg from 'pg';
import { end, listDeliveries } from '../../database/deliveries.js';
import { FLEET_PATH } from '../../../protocol/paths.js';
import { actorOf, checkHostname, hostnameOf, identityOf, type Allow } from '../request/access.js';
import { sendJson } from '../problems/answers.js';
import { BODY_PROBLEMS, problems } from '../problems/problem-answers.js';
import { sendProblem } from '../problems/problem.js';
import {
  DeliveriesAnswer,
  DeliveriesQuery,
  DeliveryAnswer,
  EndBody,
} from '../schemas/deliveries.js';
import { AssignmentParams, HostnameParams, PAGE_LIMIT } from '../schemas/shared.js';
import type { HttpServer } from '../server.js';

/** @param onReport told of each hostname whose delivery has changed. */
export function registerDeliveries(
  server: HttpServer,
  pool: pg.Pool,
  allow: Allow,
  onReport: (hostname: string) => void,
): void {
  server.put('/v1/assignments/:assignment_id/end', {
    schema: {
      operationId: 'reportEnd',
      summary: 'An agent reports how the command of an assignment ended; the first report stands',
      description: 'Of an assignment that its VM has, or had. The VM itself stays as it is.',
      tags: ['assignments'],
      params: AssignmentParams,
      body: EndBody,
      response: { 200: DeliveryAnswer, ...problems('assignment_not_found', ...BODY_PROBLEMS) },
    },
    preValidation: allow('report-end'),
    handler: async (request, reply) => {
      const { outcome, exit_code: exitCode = null, signal = null } = request.body;
      const { sub } = identityOf(request);
      const { assignment_id: assignmentId } = request.params;
      const report = { outcome, exitCode, signal };
      const delivery = await end(pool, actorOf(request), sub, assignmentId, report);
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
      summary: 'What became of the assignments of one VM, the latest first',
      tags: ['assignments'],
      params: HostnameParams,
      querystring: DeliveriesQuery,
      response: { 200: DeliveriesAnswer, ...problems('invalid_hostname') },
    },
    preValidation: allow('watch-vm'),
    preHandler: checkHostname,
    handler: async (request, reply) => {
      const { limit = PAGE_LIMIT } = request.query;
      const deliveries = await listDeliveries(pool, hostnameOf(request), limit);
      return sendJson(reply, `{"deliveries":[${deliveries.join(',')}]}`);
    },
  });
}
