// Serves the dashboard's page at `/` and its files. The build puts a hash of the content into each
// file's name, so browsers cache the files forever and request only the page again.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import staticFiles from '@fastify/static';
import { Type } from 'typebox';
import type { HttpServer } from '../server.js';

/** `dist` is beside `src`, so this path is the same for both. */
const FOLDER = fileURLToPath(new URL('../../../../dist/dashboard/', import.meta.url));
const PAGE = 'index.html';

/**
 * The page may load from and connect to the gateway only. Inline scripts, `eval` and markup from
 * text are forbidden.
 */
const PAGE_POLICY = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    fontSrc: ["'self'"],
    imgSrc: ["'self'"],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
    requireTrustedTypesFor: ["'script'"],
    trustedTypes: ["'none'"],
  },
};

const AssetParams = Type.Object({ file: Type.String() });

/**
 * Registers the routes of the dashboard.
 * @returns false if the dashboard is not built
 */
export async function registerDashboard(server: HttpServer): Promise<boolean> {
  if (!existsSync(join(FOLDER, PAGE))) return false;
  // In its own scope, because the page of the API has its own files.
  await server.register(async (pages: HttpServer) => {
    await pages.register(staticFiles, { root: FOLDER, serve: false, preCompressed: true });

    pages.get('/', {
      schema: { hide: true },
      helmet: { contentSecurityPolicy: PAGE_POLICY },
      handler: (_request, reply) =>
        reply.header('Cache-Control', 'no-cache').sendFile(PAGE, { cacheControl: false }),
    });

    pages.get('/assets/:file', {
      schema: { hide: true, params: AssetParams },
      handler: (request, reply) =>
        reply.sendFile(join('assets', request.params.file), { maxAge: '365d', immutable: true }),
    });
  });
  return true;
}
