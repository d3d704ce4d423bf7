// The dashboard's page at `/`, and the files that it names. They are made by the build, and each name changes with its
// content: the files are kept by browsers for ever, and the page is asked for again every time.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import staticFiles from '@fastify/static';
import { Type } from 'typebox';
import type { HttpServer } from '../server.js';

/** `dist` lies beside `src`, so this is the same folder for both. */
const FOLDER = fileURLToPath(new URL('../../../../dist/dashboard/', import.meta.url));
const PAGE = 'index.html';

/** What the page may load and talk to: the gateway itself. Nothing inline, nothing evaluated, no markup from text. */
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

/** @returns false where there is none to serve, because it was not built. */
export async function registerDashboard(server: HttpServer): Promise<boolean> {
  if (!existsSync(join(FOLDER, PAGE))) return false;
  // Apart, because the page of the API brings files of its own.
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
