// The routes of the audit and of the fleet's numbers.

import type { FastifyReply, FastifyRequest } from 'fastify';
import { readFleetStats } from '../../database/counts.js';
import { listEvents, type EventQuery } from '../../database/events.js';
import { isLong } from '../../database/read-in-pieces.js';
import { FLEET_PATH } from '../../../protocol/paths.js';
import { checkHostname, readHostname, type Authorize } from '../request/access.js';
import type { Connect } from '../request/connect.js';
import { sendJson, sendPage } from '../problems/responses.js';
import { describeProblems } from '../problems/problem-responses.js';
import { AllEventsQuery, EventPageResponse, EventsQuery } from '../schemas/events.js';
import { HostnameParams, PAGE_LIMIT } from '../schemas/shared.js';
import { StatsResponse } from '../schemas/vms.js';
import type { HttpServer } from '../server.js';

/** Registers the routes of the audit and of the fleet's numbers. */
export function registerEvents(server: HttpServer, connect: Connect, authorize: Authorize): void {
  const answer = async (
    request: FastifyRequest,
    reply: FastifyReply,
    query: EventQuery,
  ): Promise<FastifyReply> => {
    const { events, next } = await listEvents(
      connect(request, isLong(query.limit) ? 'list' : 'read'),
      query,
    );
    return sendPage(request, reply, 'events', events, next);
  };

  server.get('/v1/events', {
    schema: {
      operationId: 'listEvents',
      summary: 'List the changes of all VMs, the latest first',
      description: 'From the audit, which triggers write; changes made with `psql` are in it too.',
      tags: ['audit'],
      querystring: AllEventsQuery,
      response: { 200: EventPageResponse, ...describeProblems() },
    },
    onRequest: authorize('read-audit'),
    handler: async (request, reply) => {
      const { email, limit = PAGE_LIMIT, after } = request.query;
      return answer(request, reply, { hostname: undefined, email, limit, before: after });
    },
  });

  server.get(`${FLEET_PATH}/:hostname/events`, {
    schema: {
      operationId: 'listVmEvents',
      summary: 'List the changes of one VM, the latest first; also of a deleted VM',
      description: 'From the audit, which triggers write; changes made with `psql` are in it too.',
      tags: ['audit'],
      params: HostnameParams,
      querystring: EventsQuery,
      response: { 200: EventPageResponse, ...describeProblems('invalid_hostname') },
    },
    onRequest: authorize('read-audit'),
    preHandler: checkHostname,
    handler: async (request, reply) => {
      const { limit = PAGE_LIMIT, after } = request.query;
      const hostname = readHostname(request);
      return answer(request, reply, { hostname, email: undefined, limit, before: after });
    },
  });

  server.get('/v1/stats', {
    schema: {
      operationId: 'stats',
      summary: 'Count the VMs by status',
      description: 'Counted in the database when the request is answered.',
      tags: ['vms'],
      response: { 200: StatsResponse, ...describeProblems() },
    },
    onRequest: authorize('watch-fleet'),
    handler: async (request, reply) => {
      const { total, assigned, byStatus } = await readFleetStats(connect(request, 'read'));
      return sendJson(reply, JSON.stringify({ total, assigned, by_status: byStatus }));
    },
  });
}
