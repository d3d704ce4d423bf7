// Every environment variable, once: its type, default and description. The README's table is checked against it.

import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { isHost, parseTrustProxy } from './address.js';
import { parseColumns } from './columns.js';
import { parseGrace } from './grace.js';
import { parseOrigins } from './origins.js';
import {
  defineCount,
  defineDatabaseUrl,
  defineEnum,
  definePublicKey,
  defineSecret,
} from './variable-kinds.js';

/** Where a database is named and nothing says these of it. */
export const DATABASE_DEFAULTS = {
  host: 'localhost',
  port: 5432,
  user: 'lablink',
  database: 'lablink_db',
} as const;

/** What pg understands; libpq's `allow` is missing: pg has no such thing. */
export const SSL_MODES = [
  'disable',
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
  'no-verify',
] as const;

/**
 * The variables. One with a default that is not optional always has a value. The defaults of
 * optional ones (`PG*`) hold where a database is named and no source says that part of it.
 */
export const Environment = Type.Object({
  DATABASE_URL: defineDatabaseUrl(
    'The database. Without it, PG* and LABLINK_CONFIG, an embedded one in DATA_DIR is used.',
  ),
  PGHOST: Type.Optional(
    Type.String({
      pattern: '^[^,\\s]+$',
      default: DATABASE_DEFAULTS.host,
      description: "The database's host, or the folder of its Unix socket.",
      expected: 'one host name, address or folder',
    }),
  ),
  PGPORT: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 65_535,
      default: DATABASE_DEFAULTS.port,
      description: "The database's port.",
      expected: 'an integer from 1 to 65535',
    }),
  ),
  PGUSER: Type.Optional(
    Type.String({
      minLength: 1,
      default: DATABASE_DEFAULTS.user,
      description: 'The role to connect as.',
      expected: 'a role',
    }),
  ),
  PGPASSWORD: Type.Optional(
    Type.String({
      minLength: 1,
      description: "The role's password. Without one, ~/.pgpass (or PGPASSFILE) is asked.",
      expected: 'a password',
      secret: true,
    }),
  ),
  PGDATABASE: Type.Optional(
    Type.String({
      minLength: 1,
      default: DATABASE_DEFAULTS.database,
      description: "The database's name.",
      expected: 'the name of a database',
    }),
  ),
  PGSSLMODE: Type.Optional(
    defineEnum(
      SSL_MODES,
      'disable',
      'TLS to the database, where DATABASE_URL has no sslmode. All but disable and no-verify check ' +
        'the certificate and the host name.',
    ),
  ),
  LABLINK_CONFIG: Type.Optional(
    Type.String({
      description:
        'A YAML file with db: {dbname, user, password, host, port}; ' +
        '${NAME} stands for an environment variable.',
      expected: 'the path of a YAML file',
    }),
  ),
  LISTEN_DATABASE_URL: defineDatabaseUrl(
    'A direct way to the same database, where the other goes through a pooler: LISTEN and ' +
      'migrations use it. Parts it lacks are as in the other, the port 5432.',
  ),
  HOST: Type.Refine(
    Type.String({
      default: '127.0.0.1',
      description:
        'The address to listen on. Other than loopback, JWT_SECRET or JWT_PUBLIC_KEY is required.',
      expected: 'an IP address (without brackets) or a host name',
    }),
    isHost,
  ),
  PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 8080,
    description: 'The port to listen on; 0 lets the system choose.',
    expected: 'an integer from 0 to 65535',
  }),
  DATA_DIR: Type.String({
    minLength: 1,
    default: '.lablink',
    description: 'Where the embedded database and a generated secret are kept.',
    expected: 'the path of a folder',
  }),
  JWT_SECRET: defineSecret(
    'Signs and verifies tokens (HS256). On loopback, without JWT_PUBLIC_KEY, one is made and kept in DATA_DIR.',
  ),
  JWT_SECRET_PREVIOUS: defineSecret(
    'An older secret whose tokens are still accepted, for rotation.',
  ),
  JWT_PUBLIC_KEY: definePublicKey(
    'Verifies tokens that others sign: PEM, in which \\n may stand for a line break, of an RSA (RS256), ' +
      'EC P-256 (ES256) or Ed25519 (EdDSA) key.',
  ),
  JWT_PUBLIC_KEY_PREVIOUS: definePublicKey(
    'An older public key whose tokens are still accepted, for rotation.',
  ),
  ALLOWED_ORIGINS: Type.Refine(
    Type.String({
      default: '',
      description:
        'Sites besides its own whose pages may use the gateway from a browser, with commas.',
      expected: 'origins like https://lab.example.org or http://localhost:5173, with commas',
    }),
    (text) => parseOrigins(text) !== undefined,
  ),
  TRUST_PROXY: Type.Refine(
    Type.String({
      default: 'false',
      description:
        'Which proxies to believe about a client: its address (X-Forwarded-For), the host it asked (X-Forwarded-Host).',
      expected: 'false, true, a number of hops up to 99, or addresses and CIDR ranges with commas',
    }),
    (text) => parseTrustProxy(text) !== undefined,
  ),
  REQUESTS_PER_MINUTE: Type.Integer({
    minimum: 1,
    maximum: 1_000_000_000,
    default: 6_000,
    description:
      'How often one identity (role and `sub`) may ask over HTTP; upgrades are not counted.',
    expected: 'an integer from 1 to 1000000000',
  }),
  MAX_SOCKETS: defineCount(
    20_000,
    'Sockets and waits in all; fewer where the process may not open as many files.',
  ),
  MAX_SOCKETS_PER_ADDRESS: defineCount(
    2_000,
    'Sockets from one address (of IPv6, from one /64). Loopback is not counted.',
  ),
  MAX_SOCKETS_PER_IDENTITY: defineCount(
    500,
    'Sockets of one role and sub, whatever tokens they bring.',
  ),
  DRAIN_SECONDS: Type.Integer({
    minimum: 0,
    maximum: 3_600,
    default: 5,
    description:
      'How long the end may take to tell the sockets, one after the other, to come back elsewhere. ' +
      'The process is gone at most 5 seconds later.',
    expected: 'an integer from 0 to 3600',
  }),
  OFFLINE_GRACE: Type.Refine(
    Type.String({
      default: '',
      description:
        'Seconds (or 120s, 2m, 1h) that the agent of a VM in use may stay away, once it was seen there; then the VM ' +
        'is set failed. Without it, for ever.',
      expected: 'seconds, or a number with s, m or h, from 10 seconds to 7 days',
    }),
    (text) => text === '' || parseGrace(text) !== undefined,
  ),
  LOG_LEVEL: defineEnum(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    'info',
    'The least severe log line written to stderr.',
  ),
  MIGRATE: defineEnum(
    ['apply', 'check'],
    'apply',
    'Whether the start brings the schema up to date, or only checks that it is.',
  ),
  DASHBOARD_COLUMNS: Type.Refine(
    Type.String({
      default: '',
      description: 'Columns that dashboards may see besides the usual ones, with commas.',
      expected: 'names of columns with commas between them, without crd_command',
    }),
    (text) => parseColumns(text) !== undefined,
  ),
});
export type Environment = Static<typeof Environment>;

const About = Type.Object({
  description: Type.String(),
  expected: Type.String(),
  default: Type.Optional(Type.Union([Type.String(), Type.Integer()])),
  secret: Type.Optional(Type.Literal(true)),
});

/** One variable as a person is told of it. */
export interface Variable {
  readonly name: string;
  readonly schema: TSchema;
  readonly about: Static<typeof About>;
}

function readAbout(schema: TSchema): Variable['about'] {
  if (!Value.Check(About, schema)) throw new Error('a variable lacks its description');
  return schema;
}

/** What a value of this schema must be, in words. */
export function describeExpected(schema: TSchema): string {
  return readAbout(schema).expected;
}

/** Every variable, in the order of the schema. */
export const VARIABLES: readonly Variable[] = Object.entries<TSchema>(Environment.properties).map(
  ([name, schema]) => ({ name, schema, about: readAbout(schema) }),
);
