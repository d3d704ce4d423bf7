// Serves the OpenAPI document and the files of its page from memory. They need no token, so a
// request for them must cost little more than the writing of its bytes.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HttpServer } from '../server.js';

const FOLDER = join(
  dirname(createRequire(import.meta.url).resolve('@fastify/swagger-ui')),
  'static',
);

/** A larger file, which a later version of the page may have, is read from the disk each time. */
const MAX_FILE_BYTES = 4 * 2 ** 20;

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
};

interface MemoryFile {
  readonly type: string;
  readonly body: Buffer;
  readonly tag: string;
}

/**
 * Answers before the routes of the page do.
 * @param prefix the path of the page
 * @param createDocument called once, for the first request
 */
export function serveFromMemory(
  server: HttpServer,
  prefix: string,
  createDocument: () => object,
): void {
  const files = new Map<string, MemoryFile>(
    readFiles().map(([name, file]) => [`${prefix}/static/${name}`, file]),
  );
  const path = `${prefix}/json`;
  const find = (url: string): MemoryFile | undefined => {
    if (url === path && !files.has(path)) {
      const body = Buffer.from(JSON.stringify(createDocument()));
      files.set(path, createFile('application/json; charset=utf-8', body));
    }
    return files.get(url);
  };
  server.addHook('onRequest', async (request, reply) => {
    const file = find(request.url.split('?', 1)[0] ?? '');
    if (file === undefined) return undefined;
    return sendFile(request, reply, file);
  });
}

function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  { type, body, tag }: MemoryFile,
): FastifyReply {
  reply.header('ETag', tag).header('Cache-Control', 'public, max-age=0').type(type);
  if (request.headers['if-none-match'] === tag) return reply.code(304).send();
  return reply.send(body);
}

function readFiles(): [string, MemoryFile][] {
  return readdirSync(FOLDER).flatMap((name) => {
    const path = join(FOLDER, name);
    const type = TYPES[extname(name)];
    // The page writes its own index and initializer, instead of these files.
    if (type === undefined || name === 'index.html' || statSync(path).size > MAX_FILE_BYTES)
      return [];
    return [[name, createFile(type, readFileSync(path))]];
  });
}

function createFile(type: string, body: Buffer): MemoryFile {
  const hash = createHash('sha256').update(body).digest('base64url').slice(0, 22);
  return { type, body, tag: `"${hash}"` };
}
