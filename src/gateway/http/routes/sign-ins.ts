// The route that exchanges the one-time code of a link for a token. It needs no token, so a code
// that the gateway's secrets did not make costs no query.

import { Value } from 'typebox/value';
import { Role } from '../../auth/roles.js';
import { hashSignInCode, verifySignInCode } from '../../auth/sign-in-code.js';
import { signToken } from '../../auth/token.js';
import type { ConnectionSource } from '../../database/connection-source.js';
import { takeSignInCode } from '../../database/sign-in-codes.js';
import { describePublicProblems } from '../problems/problem-responses.js';
import { sendProblem } from '../problems/problem.js';
import { sendJson } from '../problems/responses.js';
import { SignInBody, SignInResponse } from '../schemas/sign-ins.js';
import type { HttpServer } from '../server.js';

/**
 * Registers the route.
 * @param connections the share of all sign-ins together
 * @param secrets verify codes, and the first signs tokens; none if tokens are signed elsewhere
 */
export function registerSignIns(
  server: HttpServer,
  connections: ConnectionSource,
  secrets: readonly string[],
): void {
  server.post('/v1/sign-ins', {
    bodyLimit: 1_024,
    schema: {
      operationId: 'signIn',
      summary: 'Exchange the one-time code of a link for a token',
      description: 'A code is good once, for five minutes, on every gateway of the database.',
      tags: ['operation'],
      security: [],
      body: SignInBody,
      response: {
        201: SignInResponse,
        ...describePublicProblems('code_invalid', 'cannot_sign'),
      },
    },
    handler: async (request, reply) => {
      const [secret] = secrets;
      if (secret === undefined) {
        const detail = 'JWT_SECRET is not set, so tokens are signed elsewhere.';
        return sendProblem(reply, 'cannot_sign', detail);
      }
      const { code } = request.body;
      const signIn = verifySignInCode(code, secrets)
        ? await takeSignInCode(connections, hashSignInCode(code))
        : undefined;
      if (signIn === undefined || !Value.Check(Role, signIn.role)) {
        return sendProblem(reply, 'code_invalid', 'The link was used, or is too old.');
      }
      const { role, sub, ttlSeconds } = signIn;
      const expiresAt = new Date(Date.now() + ttlSeconds * 1_000).toISOString();
      const token = signToken({ role, sub, ttlSeconds }, secret);
      // No proxy or browser may store the token.
      reply.code(201).header('Cache-Control', 'no-store');
      return sendJson(reply, JSON.stringify({ token, expires_at: expiresAt }));
    },
  });
}
