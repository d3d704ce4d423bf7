// The HTTP server before it has routes: its limits, its validation, and the shape of its failures.

import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { TrustProxy } from '../../config/address.js';
import { describeResponse, type OnResponse } from './problems/response-log.js';
import { sendClientError } from './problems/client-error.js';
import { handleError, handleErrorBeforeRouting } from './problems/error-handler.js';
import { sendProblem } from './problems/problem.js';
import { assignRequestId, sendRequestId } from './request/request-id.js';
import { compileValidator } from './request/validator.js';

/** A hostname of 255 characters, each percent-encoded from up to 4 bytes, and an escape. */
const MAX_PARAM_LENGTH = 255 * 4 * 3 + 8;

/** Room for the longest command a person would write; what is larger is no request of ours. */
export const MAX_BODY_BYTES = 64 * 1024;
/**
 * How long a request may take to arrive: its headers, and all of it. Short for one who sends a byte now and then to hold
 * a place, and longer than a gateway to which thousands come back at once may take to read what has arrived.
 */
export const HEADERS_TIMEOUT_MS = 10_000;
export const REQUEST_TIMEOUT_MS = 20_000;
const CHECK_INTERVAL_MS = 1_000;
/** How long a connection may rest while it is answered; an answer may be waited for by request for up to 60 s. */
const IDLE_TIMEOUT_MS = 90_000;

export type HttpServer = ReturnType<typeof createServer>;

/** @param onAnswer told of every answer, once it is sent. */
export function createServer(
  log: FastifyBaseLogger,
  trustProxy: TrustProxy,
  onAnswer: OnResponse = () => undefined,
) {
  const logResponse = (request: FastifyRequest, reply: FastifyReply): void => {
    const answer = describeResponse(request, reply);
    request.log.debug(answer, 'answered');
    onAnswer(answer);
  };
  const handleClientError = (error: Error, socket: Socket): void => {
    const reqId = randomUUID();
    const answer = sendClientError(error, socket, reqId);
    if (answer === undefined) return;
    log.debug({ reqId, ...answer }, 'answered');
    onAnswer(answer);
  };
  const server = Fastify({
    loggerInstance: log,
    genReqId: assignRequestId,
    trustProxy,
    // Who asked for what is the business of a proxy's log; here it would drown what matters.
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, request, reply) => {
      reply.raw.once('finish', () => logResponse(request, reply));
      sendRequestId(request, reply);
      handleErrorBeforeRouting(error, request, reply);
    },
    forceCloseConnections: true,
    return503OnClosing: false, // What it would say is no problem: see drain.ts.
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: IDLE_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: CHECK_INTERVAL_MS },
    clientErrorHandler: handleClientError,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
  })
    .setValidatorCompiler(compileValidator)
    // Answers are text that PostgreSQL or a problem made; their schemas are for the document and the tests.
    .setSerializerCompiler(() => JSON.stringify)
    .withTypeProvider<TypeBoxTypeProvider>();
  server.removeContentTypeParser('text/plain');
  server.decorateReply('problem', null);
  server.addHook('onRequest', async (request, reply) => sendRequestId(request, reply));
  server.addHook('onResponse', async (request, reply) => logResponse(request, reply));
  server.setErrorHandler(handleError);
  server.server.on('error', (err) => {
    // One that comes before it listens is told to whoever called `listen`.
    if (server.server.listening) log.error({ err }, 'a connection could not be accepted');
  });
  server.setNotFoundHandler(
    (_request, reply) => void sendProblem(reply, 'not_found', 'There is nothing at this URL.'),
  );
  return server;
}
