// The HTTP server before it has routes: its limits, its validation, and the shape of its failures.

import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import {
  answerBrokenRequest,
  answerError,
  answerErrorBeforeRouting,
  endRefusedUpgrade,
} from './failures.js';
import { sendProblem } from './problem.js';
import { compileValidator } from './validator.js';

/** A hostname of 255 characters, each percent-encoded from up to 4 bytes, and an escape. */
const MAX_PARAM_LENGTH = 255 * 4 * 3 + 8;

/** Room for the longest command a person would write; what is larger is no request of ours. */
const MAX_BODY_BYTES = 64 * 1024;

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
    clientErrorHandler: answerBrokenRequest,
    forceCloseConnections: true,
    return503OnClosing: false, // What it would say is no problem; see `refuseWhenClosing`.
    bodyLimit: MAX_BODY_BYTES,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
  })
    .setValidatorCompiler(compileValidator)
    // Answers are text that PostgreSQL or a problem made; their schemas are for the document and the tests.
    .setSerializerCompiler(() => JSON.stringify)
    .withTypeProvider<TypeBoxTypeProvider>();
  server.removeContentTypeParser('text/plain');
  refuseWhenClosing(server);
  server.setErrorHandler(answerError);
  server.setNotFoundHandler(
    (_request, reply) => void sendProblem(reply, 'not_found', 'There is nothing at this URL.'),
  );
  return server;
}

/** Who comes on a connection that was open before is sent elsewhere; Fastify closes the connection with the answer. */
function refuseWhenClosing(server: FastifyInstance): void {
  let closing = false;
  server.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  server.addHook('onRequest', async (request, reply) => {
    if (!closing) return;
    endRefusedUpgrade(request, reply);
    await sendProblem(reply, 'draining', 'The gateway is about to end; ask again.');
  });
}
