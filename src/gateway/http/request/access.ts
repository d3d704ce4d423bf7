// Who may do what over HTTP and by upgrade: the token is checked, then the one table of roles, before anything else.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { readToken } from '../../auth/credentials.js';
import { can, type Permission } from '../../auth/roles.js';
import type { Identity, TokenFault, Verifier } from '../../auth/token.js';
import type { Actor } from '../../database/transaction.js';
import { decodeHostnameSegment } from '../../../protocol/paths.js';
import { sendProblem } from '../problems/problem.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; null before `allow` has checked it. */
    identity: Identity | null;
  }
}

/** The identity that `allow` let through. */
export function requireIdentity(request: FastifyRequest): Identity {
  if (request.identity === null) throw new Error('a route without an access check');
  return request.identity;
}

/** Who the audit says made this request's changes. */
export function readActor(request: FastifyRequest): Actor {
  const { role, sub } = requireIdentity(request);
  return { name: `${role}:${sub}`, requestId: request.id };
}

/** The hostname in the URL of a route with `:hostname`; of another, one that no VM has. */
export function readHostname(request: FastifyRequest): string {
  return findHostname(request) ?? '';
}

function findHostname({ params }: FastifyRequest): string | undefined {
  if (typeof params !== 'object' || params === null || !('hostname' in params)) return undefined;
  return typeof params.hostname === 'string' ? decodeHostnameSegment(params.hostname) : undefined;
}

/** A hook: PostgreSQL's text holds no NUL, so there is no such VM, and to ask would be an error. */
export async function checkHostname(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (!readHostname(request).includes('\0')) return;
  await sendProblem(reply, 'invalid_hostname', 'A hostname holds no NUL.');
}

export type Authorize = (
  action: Permission,
) => (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** Counts a request of whoever its `identity` is; rejects when that is one too many. */
export type CountRequest = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * Makes the check that routes put before their handlers: 401 without a good token, 403 without the right.
 * @param count told of every request with a good token.
 */
export function createAuthorize(verify: Verifier, count: CountRequest): Authorize {
  return (action) => async (request, reply) => {
    const token = readToken(request.headers);
    if (token === undefined) {
      setChallenge(reply);
      await sendProblem(reply, 'token_missing', 'A bearer token is needed.');
      return;
    }
    const verified = verify(token);
    if (!verified.ok) {
      setChallenge(reply, 'invalid_token');
      await sendProblem(reply, `token_${verified.reason}`, FAULTS[verified.reason]);
      return;
    }
    request.identity = verified.identity;
    await count(request, reply);
    if (can(verified.identity, action, findHostname(request))) return;
    setChallenge(reply, 'insufficient_scope');
    const detail = `The role ${verified.identity.role} may not do this here.`;
    await sendProblem(reply, 'not_allowed', detail);
  };
}

const FAULTS: Readonly<Record<TokenFault, string>> = {
  expired: 'The token has expired.',
  not_yet_valid: 'The token is not valid yet.',
  invalid: 'The token is not valid.',
};

/** What a client without a token that opens this is told (RFC 6750 §3): an error only of a token that it brought. */
function setChallenge(reply: FastifyReply, error?: 'invalid_token' | 'insufficient_scope'): void {
  const realm = 'Bearer realm="lablink-gateway"';
  reply.header('WWW-Authenticate', error === undefined ? realm : `${realm}, error="${error}"`);
}
