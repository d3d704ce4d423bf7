// Enrolment: VMs that boot from one image bring one token among them, and each gets its own agent's token for it, once.

import type pg from 'pg';
import { Type } from 'typebox';
import { AGENT_TTL_SECONDS, signToken } from '../../auth/token.js';
import { allowEnrolment, enrol } from '../../database/enrolments.js';
import { readActor, checkHostname, readHostname, type Authorize } from '../request/access.js';
import { sendJson } from '../problems/responses.js';
import { BODY_PROBLEMS, describeProblems } from '../problems/problem-responses.js';
import { sendProblem } from '../problems/problem.js';
import { EnrolmentResponse, EnrolmentBody } from '../schemas/enrolments.js';
import { HostnameParams } from '../schemas/shared.js';
import type { HttpServer } from '../server.js';

const PATH = '/v1/enrolments';

/** @param secret what agents' tokens are signed with; undefined where others sign them. */
export function registerEnrolments(
  server: HttpServer,
  pool: pg.Pool,
  authorize: Authorize,
  secret: string | undefined,
): void {
  server.post(PATH, {
    schema: {
      operationId: 'enrol',
      summary: 'Make a VM known, and get the token of its agent, once for each hostname',
      description:
        'With the `nonce` of the first time it is given again, for one whose answer was lost.',
      tags: ['vms'],
      body: EnrolmentBody,
      response: {
        201: EnrolmentResponse,
        ...describeProblems('already_enrolled', 'agent_online', 'cannot_sign', ...BODY_PROBLEMS),
      },
    },
    preValidation: authorize('enrol-vm'),
    handler: async (request, reply) => {
      if (secret === undefined) {
        return sendProblem(
          reply,
          'cannot_sign',
          'JWT_SECRET is not set: tokens are signed elsewhere.',
        );
      }
      const { hostname, nonce } = request.body;
      const outcome = await enrol(pool, readActor(request), hostname, nonce);
      if (outcome === 'already-enrolled') {
        const detail = 'This hostname has enrolled; an admin may allow it again.';
        return sendProblem(reply, 'already_enrolled', detail);
      }
      if (outcome === 'agent-online') {
        return sendProblem(reply, 'agent_online', 'An agent of this hostname is online.');
      }
      const expiresAt = new Date(Date.now() + AGENT_TTL_SECONDS * 1_000).toISOString();
      const content = { sub: hostname, role: 'agent', ttlSeconds: AGENT_TTL_SECONDS } as const;
      const token = signToken(content, secret);
      // Nobody on the way may keep it.
      reply.code(201).header('Cache-Control', 'no-store');
      return sendJson(reply, JSON.stringify({ hostname, token, expires_at: expiresAt }));
    },
  });

  server.delete(`${PATH}/:hostname`, {
    schema: {
      operationId: 'allowEnrolment',
      summary: 'Let a hostname enrol again; the token it has stays good until it ends',
      tags: ['vms'],
      params: HostnameParams,
      response: {
        204: Type.Null({ description: 'It may enrol again.' }),
        ...describeProblems('invalid_hostname', 'not_enrolled', ...BODY_PROBLEMS),
      },
    },
    preValidation: authorize('allow-enrolment'),
    preHandler: checkHostname,
    handler: async (request, reply) => {
      if (await allowEnrolment(pool, readActor(request), readHostname(request))) {
        return reply.code(204).send(null);
      }
      return sendProblem(reply, 'not_enrolled', 'This hostname has not enrolled.');
    },
  });
}
