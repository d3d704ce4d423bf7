// The routes of enrolment. VMs that boot from the same image share an enrolment token, and each
// exchanges it once for the token of its agent.

import { Type } from 'typebox';
import { matchesPattern } from '../../auth/hostname-pattern.js';
import { AGENT_TTL_SECONDS, signToken } from '../../auth/token.js';
import { allowEnrolment, enrol } from '../../database/enrolments.js';
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
import { EnrolmentResponse, EnrolmentBody } from '../schemas/enrolments.js';
import { HostnameParams } from '../schemas/shared.js';
import type { HttpServer } from '../server.js';

const PATH = '/v1/enrolments';

/**
 * Registers the routes of enrolment.
 * @param secret signs the tokens of agents; undefined if they are signed elsewhere
 */
export function registerEnrolments(
  server: HttpServer,
  connect: Connect,
  authorize: Authorize,
  secret: string | undefined,
): void {
  server.post(PATH, {
    schema: {
      operationId: 'enrol',
      summary: 'Register a VM and return the token of its agent, once for each hostname',
      description:
        'The same `nonce` returns a token again, for a client that lost the first response.',
      tags: ['vms'],
      body: EnrolmentBody,
      response: {
        201: EnrolmentResponse,
        ...describeProblems(
          'invalid_hostname',
          'similar_hostname',
          'enrolment_not_allowed',
          'already_enrolled',
          'agent_online',
          'cannot_sign',
          ...WRITE_PROBLEMS,
        ),
      },
    },
    onRequest: authorize('enrol-vm'),
    handler: async (request, reply) => {
      if (secret === undefined) {
        return sendProblem(
          reply,
          'cannot_sign',
          'JWT_SECRET is not set, so tokens are signed elsewhere.',
        );
      }
      const { hostname, nonce } = request.body;
      const { sub, jti, enrolment: { max, pattern } = {} } = requireIdentity(request);
      if (pattern !== undefined && !matchesPattern(pattern, hostname)) {
        const detail = 'The enrolment token does not permit this hostname.';
        return sendProblem(reply, 'enrolment_not_allowed', detail);
      }
      const tokenId = jti ?? `sub:${sub}`;
      const ask = { hostname, nonce, tokenId, max };
      const outcome = await enrol(connect(request, 'change'), readActor(request), ask);
      if (outcome === 'limit-reached') {
        const detail = `The enrolment token has enrolled ${max} VMs, as many as it may.`;
        return sendProblem(reply, 'enrolment_not_allowed', detail);
      }
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
      // No proxy or browser may store the token.
      reply.code(201).header('Cache-Control', 'no-store');
      return sendJson(reply, JSON.stringify({ hostname, token, expires_at: expiresAt }));
    },
  });

  server.delete(`${PATH}/:hostname`, {
    schema: {
      operationId: 'allowEnrolment',
      summary: 'Allow a hostname to enrol again; its current token stays valid until it expires',
      description: 'For a VM that was created again and has lost its token and its `nonce`.',
      tags: ['vms'],
      params: HostnameParams,
      response: {
        204: Type.Null({ description: 'The hostname may enrol again.' }),
        ...describeProblems('invalid_hostname', 'not_enrolled', ...WRITE_PROBLEMS),
      },
    },
    onRequest: authorize('allow-enrolment'),
    preHandler: checkHostname,
    handler: async (request, reply) => {
      if (
        await allowEnrolment(connect(request, 'change'), readActor(request), readHostname(request))
      ) {
        return reply.code(204).send(null);
      }
      return sendProblem(reply, 'not_enrolled', 'This hostname has not enrolled.');
    },
  });
}
