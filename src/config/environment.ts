// Every environment variable, once: its type, default and description. The README's table is checked against it.

import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { isHost, parseTrustProxy } from './address.js';
import { parseColumns } from './columns.js';
import { shown } from './config-error.js';
import { parseGrace } from './grace.js';
import { parseOrigins } from './origins.js';
import { EXPECTED_PUBLIC_KEY, isPem, parsePublicKey } from './public-key.js';

/** The smallest secret for HS256: as long as its hash (RFC 7518 §3.2). */
export const MIN_SECRET_BYTES = 32;

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

const Secret = (description: string) =>
  Type.Optional(
    Type.Refine(
      Type.String({
        description,
        expected: `${MIN_SECRET_BYTES} bytes or more, and no key in PEM`,
        secret: true,
      }),
      // Who knows a public key that is taken for a secret could sign with it (RFC 8725 §2.1).
      (secret) => Buffer.byteLength(secret) >= MIN_SECRET_BYTES && !isPem(secret),
    ),
  );

/** Not shown in messages: it may be a private key, by mistake. */
const PublicKeyPem = (description: string) =>
  Type.Optional(
    Type.Refine(
      Type.String({ description, expected: EXPECTED_PUBLIC_KEY, secret: true }),
      (pem) => parsePublicKey(pem) !== undefined,
    ),
  );

const DatabaseUrl = (description: string) =>
  Type.Optional(
    Type.String({
      pattern: '^postgres(ql)?://',
      description,
      expected: 'a URL like postgresql://user:password@host:5432/database',
      secret: true,
    }),
  );

const oneOf = <const T extends readonly string[]>(
  values: T,
  fallback: T[number],
  description: string,
) =>
  Type.Unsafe<T[number]>(
    Type.Enum(values, {
      default: fallback,
      description,
      expected: `one of ${values.join(', ')}`,
    }),
  );

const Count = (fallback: number, description: string) =>
  Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: fallback,
    description,
    expected: 'an integer from 1 to 1000000',
  });

/**
 * The variables. One with a default that is not optional always has a value. The defaults of
 * optional ones (`PG*`) hold where a database is named and no source says that part of it.
 */
export const Environment = Type.Object({
  DATABASE_URL: DatabaseUrl(
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
    oneOf(
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
  LISTEN_DATABASE_URL: DatabaseUrl(
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
  JWT_SECRET: Secret(
    'Signs and verifies tokens (HS256). On loopback, without JWT_PUBLIC_KEY, one is made and kept in DATA_DIR.',
  ),
  JWT_SECRET_PREVIOUS: Secret('An older secret whose tokens are still accepted, for rotation.'),
  JWT_PUBLIC_KEY: PublicKeyPem(
    'Verifies tokens that others sign: PEM, in which \\n may stand for a line break, of an RSA (RS256), ' +
      'EC P-256 (ES256) or Ed25519 (EdDSA) key.',
  ),
  JWT_PUBLIC_KEY_PREVIOUS: PublicKeyPem(
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
  MAX_SOCKETS: Count(
    20_000,
    'Sockets and waits in all; fewer where the process may not open as many files.',
  ),
  MAX_SOCKETS_PER_ADDRESS: Count(
    2_000,
    'Sockets from one address (of IPv6, from one /64). Loopback is not counted.',
  ),
  MAX_SOCKETS_PER_IDENTITY: Count(500, 'Sockets of one role and sub, whatever tokens they bring.'),
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
  LOG_LEVEL: oneOf(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    'info',
    'The least severe log line written to stderr.',
  ),
  MIGRATE: oneOf(
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

function aboutOf(schema: TSchema): Variable['about'] {
  if (!Value.Check(About, schema)) throw new Error('a variable lacks its description');
  return schema;
}

/** What a value of this schema must be, in words. */
export function expectedOf(schema: TSchema): string {
  return aboutOf(schema).expected;
}

/** Every variable, in the order of the schema. */
export const VARIABLES: readonly Variable[] = Object.entries<TSchema>(Environment.properties).map(
  ([name, schema]) => ({ name, schema, about: aboutOf(schema) }),
);

/** Whether `env` gives `name` a value; an empty one is none, as `NAME=` in a compose file means. */
export function isSet(env: NodeJS.ProcessEnv, name: string): boolean {
  return env[name] !== undefined && env[name] !== '';
}

/**
 * Reads and checks every variable. What is wrong is added to `problems`, and left out or taken at
 * its default, so that the rest can be checked too.
 */
export function readEnvironment(env: NodeJS.ProcessEnv, problems: string[]): Environment {
  const read: Record<string, unknown> = {};
  for (const { name, schema, about } of VARIABLES) {
    if (!Type.IsOptional(schema)) read[name] = about.default;
    const text = env[name];
    if (text === undefined || text === '') continue;
    const value = fromText(schema, text);
    if (Value.Check(schema, value)) read[name] = value;
    else problems.push(`${name} is ${given(text, about.secret)}; expected ${about.expected}`);
  }
  if (!Value.Check(Environment, read)) throw new Error('a default does not pass its own check');
  return read;
}

/** Numbers only from plain decimal digits: TypeBox's own conversion takes `0x10` and `12.5` too. */
export function fromText(schema: TSchema, text: string): string | number {
  return Type.IsInteger(schema) && /^(0|[1-9]\d{0,9})$/.test(text) ? Number(text) : text;
}

function given(text: string, secret: boolean | undefined): string {
  return secret ? `set (${Buffer.byteLength(text)} bytes, not shown)` : shown(text);
}

/**
 * Refuses every `LABLINK_…` variable that nobody reads: it is a misspelling, and what it was to
 * change would silently stay as it was.
 * @param referenced names that LABLINK_CONFIG refers to
 */
export function refuseUnknown(
  env: NodeJS.ProcessEnv,
  referenced: ReadonlySet<string>,
  problems: string[],
): void {
  const names = VARIABLES.map((variable) => variable.name);
  for (const name of Object.keys(env).sort()) {
    if (!name.startsWith('LABLINK_') || !isSet(env, name)) continue;
    if (names.includes(name) || referenced.has(name)) continue;
    const bare = name.slice('LABLINK_'.length);
    const hint = names.includes(bare) ? `; the variable is called ${bare}` : '';
    problems.push(`${name} is not a variable of this program${hint}`);
  }
}
