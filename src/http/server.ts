// The HTTP server before it has routes: its limits, its validation, and the shape of its failures.

import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { TypeBoxValidatorCompiler, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { answerClientError } from './client-error.js';
import { sendProblem } from './problem.js';

/** A hostname of 255 characters, each percent-encoded from up to 4 bytes, and an escape. */
const MAX_PARAM_LENGTH = 255 * 4 * 3 + 8;

/**
 * How long a request may take to arrive: its headers, and all of it. Short for one who sends a byte now and then to hold
 * a place, and longer than a gateway to which thousands come back at once may take to read what has arrived.
 */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 20_000;
const CHECK_INTERVAL_MS = 1_000;
/** How long a connection may rest while it is answered; an answer may be waited for by request for up to 60 s. */
const IDLE_TIMEOUT_MS = 90_000;

/** Whose forwarding headers to believe, as Fastify takes it. */
export type TrustProxy = boolean | string | string[] | ((address: string, hop: number) => boolean);

export type HttpServer = ReturnType<typeof createServer>;

export function createServer(log: FastifyBaseLogger, trustProxy: TrustProxy) {
  const server = Fastify({
    loggerInstance: log,
    trustProxy,
    // Who asked for what is the business of a proxy's log; here it would drown what matters.
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: answerErrorBeforeRouting,
    forceCloseConnections: true,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: IDLE_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, connectionsCheckingInterval: CHECK_INTERVAL_MS },
    clientErrorHandler: answerClientError,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
  })
    .setValidatorCompiler(TypeBoxValidatorCompiler)
    .withTypeProvider<TypeBoxTypeProvider>();
  server.setErrorHandler(answerError);
  server.server.on('error', (err) => {
    // One that comes before it listens is told to whoever called `listen`.
    if (server.server.listening) log.error({ err }, 'a connection could not be accepted');
  });
  server.setNotFoundHandler(
    (_request, reply) => void sendProblem(reply, 404, 'not_found', 'There is nothing at this URL.'),
  );
  return server;
}

/** PostgreSQL's classes "connection exception", "insufficient resources" and "operator intervention", and the network's errors. */
const DATABASE_AWAY = /^(08|53|57P|ECONN|ENOENT|ETIMEDOUT|EPIPE|EHOSTUNREACH|ENOTFOUND)/;

function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  if (error.validation !== undefined || error.statusCode === 400) {
    sendProblem(reply, 400, 'invalid_request', error.message);
  } else if (error.statusCode !== undefined && error.statusCode < 500) {
    sendProblem(reply, error.statusCode, error.code.toLowerCase(), error.message);
  } else if (isDatabaseAway(error)) {
    request.log.warn({ err: error }, 'the database did not answer');
    reply.header('Retry-After', '1');
    sendProblem(reply, 503, 'database_unavailable', 'The database does not answer; try again.');
  } else {
    request.log.error({ err: error }, 'a request failed');
    sendProblem(reply, 500, 'internal_error', 'The gateway failed; its log says why.');
  }
}

/**
 * A URL that is too long, or cannot be decoded, is refused before there is a route, and so without hooks: the socket
 * of an upgrade is nobody's then, and would stay open for ever.
 */
function answerErrorBeforeRouting(
  error: FastifyError,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const { socket } = request.raw;
  if (request.raw.headers.upgrade !== undefined)
    reply.raw.once('finish', () => socket.destroySoon());
  answerError(error, request, reply);
}

function isDatabaseAway(error: FastifyError): boolean {
  return (
    DATABASE_AWAY.test(error.code) ||
    // pg and pg-pool give their own failures no code.
    /^(Connection terminated|timeout expired|timeout exceeded when|Query read timeout)/.test(
      error.message,
    )
  );
}
