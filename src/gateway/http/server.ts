// Creates the HTTP server without routes: its limits, its validation and its error handling.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
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
import { createErrorHandler, handleErrorBeforeRouting } from './problems/error-handler.js';
import { PROBLEMS, sendProblem, writeProblem } from './problems/problem.js';
import { RepeatedWarnings } from '../stale/repeated-warnings.js';
import { SequencedServer, type RejectPipelined } from './limits/sequenced-server.js';
import { createFinishResponse } from './problems/finish-response.js';
import { isEventStream } from './request/accept.js';
import { registerJsonBody } from './request/json-body.js';
import { assignRequestId, sendRequestId } from './request/request-id.js';
import { compileValidator } from './request/validator.js';
import { findMalformation } from './request/well-formed.js';

/**
 * A hostname of 255 characters, each percent-encoded from up to 4 bytes, and its escape character.
 */
const MAX_PARAM_LENGTH = 255 * 4 * 3 + 8;

/** Enough for the longest command that a person writes. */
export const MAX_BODY_BYTES = 64 * 1024;
/**
 * How long a request may take to arrive: its headers, and all of it. Short enough against clients
 * that send slowly to occupy connections. Longer than a gateway needs to read its input while
 * thousands of clients reconnect.
 */
export const HEADERS_TIMEOUT_MS = 10_000;
export const REQUEST_TIMEOUT_MS = 20_000;
const CHECK_INTERVAL_MS = 1_000;
/**
 * How long a connection may be idle. Longer than the 60 s for which a request may wait for a
 * change.
 */
const IDLE_TIMEOUT_MS = 90_000;

/** How long a connection without a request is kept for the next one. */
const KEEP_ALIVE_MS = 72_000;

export type HttpServer = ReturnType<typeof createServer>;

/**
 * Creates the server.
 * @param onAnswer called once for every response that is sent
 */
export function createServer(
  log: FastifyBaseLogger,
  trustProxy: TrustProxy,
  onAnswer: OnResponse = () => undefined,
) {
  const handleError = createErrorHandler(new RepeatedWarnings(log));
  const { logResponse, handleClientError, rejectPipelined } = createResponseLog(log, onAnswer);
  const server = Fastify({
    serverFactory: (handler) => createEdge(rejectPipelined).on('request', handler),
    loggerInstance: log,
    genReqId: assignRequestId,
    trustProxy,
    // Requests are logged at level debug only, see below; access logs are the task of a proxy.
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, request, reply) => {
      reply.raw.once('finish', () => logResponse(request, reply));
      sendRequestId(request, reply);
      handleErrorBeforeRouting(handleError, error, request, reply);
    },
    forceCloseConnections: true,
    return503OnClosing: false, // Its response would not be a problem: see drain.ts.
    bodyLimit: MAX_BODY_BYTES,
    clientErrorHandler: handleClientError,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
  })
    .setValidatorCompiler(compileValidator)
    // Responses are text from PostgreSQL or problems. Their schemas are for the document and the
    // tests.
    .setSerializerCompiler(() => JSON.stringify)
    .withTypeProvider<TypeBoxTypeProvider>();
  server.removeContentTypeParser('text/plain');
  registerJsonBody(server);
  server.decorateReply('problem', null);
  server.decorateRequest('identity', null);
  server.addHook('onRequest', async (request, reply) => sendRequestId(request, reply));
  server.addHook('onRequest', rejectMalformed);
  server.addHook('onSend', createFinishResponse());
  server.addHook('onResponse', async (request, reply) => {
    if (!isEventStream(request, reply)) logResponse(request, reply);
  });
  server.setErrorHandler(handleError);
  server.server.on('error', (err) => {
    // An error before the server listens rejects the promise of `listen`.
    if (server.server.listening) log.error({ err }, 'a connection could not be accepted');
  });
  server.setNotFoundHandler(
    (_request, reply) => void sendProblem(reply, 'not_found', 'This URL does not exist.'),
  );
  return server;
}

/** The three ways in which a response leaves the server; each is logged and given to `onAnswer`. */
function createResponseLog(log: FastifyBaseLogger, onAnswer: OnResponse) {
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
  const rejectPipelined = (request: IncomingMessage, response: ServerResponse): void => {
    writeProblem(response, 'too_many_requests', assignRequestId(request));
    const { status } = PROBLEMS.too_many_requests;
    onAnswer({ at: 'http', route: 'none', status, problem: 'too_many_requests' });
  };
  return { logResponse, handleClientError, rejectPipelined };
}

async function rejectMalformed(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const fault = findMalformation(request.raw);
  if (fault === undefined) return;
  reply.header('Connection', 'close');
  sendProblem(reply, 'invalid_request', fault);
  await reply;
}

/** Creates the server under Fastify, with the timeouts of connections. */
function createEdge(rejectPipelined: RejectPipelined): SequencedServer {
  const options = {
    // Node's own rejection is no problem: see rejectMalformed.
    requireHostHeader: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
  };
  return new SequencedServer(options, rejectPipelined).setTimeout(IDLE_TIMEOUT_MS);
}
