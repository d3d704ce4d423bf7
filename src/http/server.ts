// The HTTP server before it has routes: its limits, its validation, and the shape of its failures.

import Fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { TypeBoxValidatorCompiler, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { answerOf, type OnAnswer } from './answers.js';
import { sendProblem } from './problem.js';
import { requestIdOf, tellRequestId } from './request-id.js';

/** A hostname of 255 characters, each percent-encoded from up to 4 bytes, and an escape. */
const MAX_PARAM_LENGTH = 255 * 4 * 3 + 8;

/** Whose forwarding headers to believe, as Fastify takes it. */
export type TrustProxy = boolean | string | string[] | ((address: string, hop: number) => boolean);

export type HttpServer = ReturnType<typeof createServer>;

/** @param onAnswer told of every answer, once it is sent. */
export function createServer(
  log: FastifyBaseLogger,
  trustProxy: TrustProxy,
  onAnswer: OnAnswer = () => undefined,
) {
  const tell = (request: FastifyRequest, reply: FastifyReply): void => {
    const answer = answerOf(request, reply);
    request.log.debug(answer, 'answered');
    onAnswer(answer);
  };
  const server = Fastify({
    loggerInstance: log,
    genReqId: requestIdOf,
    trustProxy,
    // Who asked for what is the business of a proxy's log; here it would drown what matters.
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, request, reply) => {
      reply.raw.once('finish', () => tell(request, reply));
      tellRequestId(request, reply);
      answerErrorBeforeRouting(error, request, reply);
    },
    forceCloseConnections: true,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
  })
    .setValidatorCompiler(TypeBoxValidatorCompiler)
    .withTypeProvider<TypeBoxTypeProvider>();
  server.decorateReply('problem', null);
  server.addHook('onRequest', async (request, reply) => tellRequestId(request, reply));
  server.addHook('onResponse', async (request, reply) => tell(request, reply));
  server.setErrorHandler(answerError);
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
