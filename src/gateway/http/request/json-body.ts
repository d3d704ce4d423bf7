// Parses JSON bodies. They are UTF-8, and bytes that are not are refused: a replacement character
// in a command would reach a VM.

import type { FastifyInstance, FastifyRequest } from 'fastify';

const UTF8 = /^utf-?8$/i;
const CHARSET = /;\s*charset\s*=\s*"?([^";\s]*)/i;

type JsonServer = Pick<
  FastifyInstance,
  'getDefaultJsonParser' | 'removeContentTypeParser' | 'addContentTypeParser'
>;

/** Registers the parser. An empty body is the same as none. */
export function registerJsonBody(server: JsonServer): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  const decoder = new TextDecoder('utf-8', { fatal: true });
  server.removeContentTypeParser('application/json');
  server.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    (request: FastifyRequest, body, done) => {
      const coding = request.headers['content-encoding'] ?? 'identity';
      if (coding.toLowerCase() !== 'identity') {
        done(createError(415, 'The body must have no Content-Encoding.'));
        return;
      }
      const [, charset = 'utf-8'] = CHARSET.exec(request.headers['content-type'] ?? '') ?? [];
      if (!UTF8.test(charset)) {
        done(createError(415, 'The body must be JSON in UTF-8.'));
        return;
      }
      if (body.length === 0) {
        done(null, undefined);
        return;
      }
      let text: string;
      try {
        text = decoder.decode(body);
      } catch {
        done(createError(400, 'The body is not valid UTF-8.'));
        return;
      }
      return parse(request, text, done);
    },
  );
}

function createError(statusCode: number, message: string): Error {
  return Object.assign(new Error(message), { statusCode });
}
