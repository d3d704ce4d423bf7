// Defines every environment variable: its type, default and description. `npm run docs` writes the
// table of the documents from it.

import { Type, type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { isHost, parseTrustProxy } from './address.js';
import { parseColumns } from './columns.js';
import { parseGrace } from './grace.js';
import { TARGET_SESSIONS } from './hosts.js';
import { parseOrigins } from './origins.js';
import {
  defineCount,
  defineDatabaseUrl,
  defineEnum,
  definePublicKey,
  defineSecret,
} from './variable-kinds.js';

/** In the current folder. */
export const DEFAULT_DATA_DIR = '.lablink';

/** The parameters of a named database that no source sets. */
export const DATABASE_DEFAULTS = {
  host: 'localhost',
  port: 5432,
  user: 'lablink',
  database: 'lablink_db',
} as const;

const isPort = (text: string): boolean => /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535;

const defineFile = (description: string) =>
  Type.Optional(Type.String({ description, expected: 'the path of a file' }));

/** The modes that pg supports. libpq's `allow` is missing, because pg does not support it. */
export const SSL_MODES = [
  'disable',
  'prefer',
  'require',
  'verify-ca',
  'verify-full',
  'no-verify',
] as const;

/**
 * The schema of all variables. A variable that is not optional always has a value, its default if
 * it is not set. The defaults of the optional variables `PG*` apply if a database is named and no
 * source sets the parameter.
 */
export const Environment = Type.Object({
  DATABASE_URL: defineDatabaseUrl(
    'The URL of the database. If neither it nor PG* nor LABLINK_CONFIG is set, an embedded database in DATA_DIR is used.',
  ),
  PGHOST: Type.Optional(
    Type.String({
      pattern: '^\\S+$',
      default: DATABASE_DEFAULTS.host,
      description:
        'The host of the database, or the folder of its Unix socket; several with commas.',
      expected: 'a host name, address or folder, or several with commas',
    }),
  ),
  PGPORT: Type.Optional(
    Type.Refine(
      Type.String({
        default: String(DATABASE_DEFAULTS.port),
        description: 'The port of the database, or one for each host, with commas.',
        expected: 'an integer from 1 to 65535, or several with commas',
      }),
      (text) => text.split(',').every(isPort),
    ),
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
      description: 'The password of the role. If it is not set, ~/.pgpass (or PGPASSFILE) is read.',
      expected: 'a password',
      secret: true,
    }),
  ),
  PGDATABASE: Type.Optional(
    Type.String({
      minLength: 1,
      default: DATABASE_DEFAULTS.database,
      description: 'The name of the database.',
      expected: 'the name of a database',
    }),
  ),
  PGSSLMODE: Type.Optional(
    defineEnum(
      SSL_MODES,
      'disable',
      'The TLS mode of database connections, unless DATABASE_URL has sslmode. All modes except disable and ' +
        'no-verify check the certificate and the host name.',
    ),
  ),
  PGSSLROOTCERT: defineFile(
    'The file of the authorities that may sign the certificate of the database.',
  ),
  PGSSLCERT: defineFile('The file of the certificate that this program shows to the database.'),
  PGSSLKEY: defineFile('The file of the key of PGSSLCERT.'),
  PGOPTIONS: Type.Optional(
    Type.String({
      description: 'Settings of the session, such as `-c work_mem=8MB`.',
      expected: 'settings',
    }),
  ),
  PGCONNECT_TIMEOUT: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 600,
      description:
        'How many seconds a command waits for a connection. A gateway waits 5 seconds in any case.',
      expected: 'an integer from 1 to 600',
    }),
  ),
  PGTARGETSESSIONATTRS: Type.Optional(
    Type.Enum(TARGET_SESSIONS, {
      description:
        'Which of several hosts is wanted. With several hosts the default is read-write, the primary.',
      expected: `one of ${TARGET_SESSIONS.join(', ')}`,
    }),
  ),
  PGSERVICE: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'The name of a service in PGSERVICEFILE, ~/.pg_service.conf or PGSYSCONFDIR, whose parameters are used.',
      expected: 'the name of a service',
    }),
  ),
  PGSERVICEFILE: defineFile('The file of PGSERVICE, instead of ~/.pg_service.conf.'),
  PGSYSCONFDIR: Type.Optional(
    Type.String({
      description: 'The folder of the pg_service.conf of this machine.',
      expected: 'the path of a folder',
    }),
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
    'A direct connection to the same database, if the other one goes through a pooler. LISTEN and ' +
      'migrations use it. Missing parts are the same as in the other; the default port is 5432.',
  ),
  DATABASE_WAIT_SECONDS: Type.Integer({
    minimum: 0,
    maximum: 86_400,
    default: 60,
    description:
      'How many seconds the start waits for a database that cannot be reached, or refuses the role or the password. ' +
      'Then the process ends with exit code 3.',
    expected: 'an integer from 0 to 86400',
  }),
  LABLINK_URL: Type.Optional(
    Type.String({
      pattern: '^(https?|wss?)://',
      description:
        'The gateway that commands such as `vms` and `watch` use, instead of the one that runs here.',
      expected: 'a URL like https://gateway.example.org',
    }),
  ),
  LABLINK_TOKEN_FILE: Type.Optional(
    Type.String({
      description:
        'A file with the token that these commands use, instead of one that is signed here.',
      expected: 'the path of a file',
    }),
  ),
  HOST: Type.Refine(
    Type.String({
      default: '127.0.0.1',
      description:
        'The address to listen on; a name stands for all its addresses. If it is not loopback, JWT_SECRET or JWT_PUBLIC_KEY is required, and a database or DATA_DIR.',
      expected: 'an IP address (without brackets) or a host name',
    }),
    isHost,
  ),
  PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 8080,
    description: 'The port to listen on. With 0 the system chooses the port.',
    expected: 'an integer from 0 to 65535',
  }),
  DATA_DIR: Type.String({
    minLength: 1,
    default: DEFAULT_DATA_DIR,
    description: 'The folder of the embedded database and of a generated secret.',
    expected: 'the path of a folder',
  }),
  JWT_SECRET: defineSecret(
    'The secret that signs and verifies tokens (HS256). On loopback, without JWT_PUBLIC_KEY, the gateway generates one and keeps it in DATA_DIR.',
  ),
  JWT_SECRET_PREVIOUS: defineSecret(
    'An older secret whose tokens are still accepted, for rotation.',
  ),
  JWT_PUBLIC_KEY: definePublicKey(
    'Verifies tokens that others sign: an RSA (RS256), EC P-256 (ES256) or Ed25519 (EdDSA) key in PEM. ' +
      '`\\n` may stand for a line break.',
  ),
  JWT_PUBLIC_KEY_PREVIOUS: definePublicKey(
    'An older public key whose tokens are still accepted, for rotation.',
  ),
  ALLOWED_ORIGINS: Type.Refine(
    Type.String({
      default: '',
      description:
        'Origins, besides its own, whose pages may use the gateway from a browser, separated by commas.',
      expected:
        'origins like https://lab.example.org or http://localhost:5173, separated by commas',
    }),
    (text) => parseOrigins(text) !== undefined,
  ),
  TRUST_PROXY: Type.Refine(
    Type.String({
      default: 'false',
      description:
        'The proxies whose headers are trusted for the address of a client (X-Forwarded-For) and the requested host (X-Forwarded-Host).',
      expected:
        'false, true, a number of hops up to 99, or addresses and CIDR ranges separated by commas',
    }),
    (text) => parseTrustProxy(text) !== undefined,
  ),
  REQUESTS_PER_MINUTE: Type.Integer({
    minimum: 1,
    maximum: 1_000_000_000,
    default: 6_000,
    description:
      'The limit of HTTP requests per minute of one identity (role and `sub`). Upgrades are not counted.',
    expected: 'an integer from 1 to 1000000000',
  }),
  MAX_SOCKETS: defineCount(
    20_000,
    'The limit of all sockets and waiting requests. It is lower if the process may not open as many files.',
  ),
  MAX_SOCKETS_PER_ADDRESS: defineCount(
    2_000,
    'The limit of sockets from one IPv4 address or one IPv6 /64 network. Loopback is not counted.',
  ),
  MAX_SOCKETS_PER_IDENTITY: defineCount(
    500,
    'The limit of sockets of one role and sub, with any number of tokens.',
  ),
  DRAIN_SECONDS: Type.Integer({
    minimum: 0,
    maximum: 3_600,
    default: 5,
    description:
      'How many seconds stopping may take to close all sockets, one after the other, so that their clients reconnect ' +
      'elsewhere. The process ends at most 5 seconds later.',
    expected: 'an integer from 0 to 3600',
  }),
  PING_INTERVAL_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 25,
    default: 5,
    description:
      'How many seconds lie between two Pings of a socket. A client leaves a gateway that is silent for two or three of ' +
      'them. Proxies must let a socket be idle for longer.',
    expected: 'an integer from 1 to 25',
  }),
  CLIENT_TIMEOUT_SECONDS: Type.Integer({
    minimum: 2,
    maximum: 600,
    default: 50,
    description:
      'How many seconds a client may send nothing, or read nothing, before the gateway closes its socket; at least two ' +
      'intervals of Pings.',
    expected: 'an integer from 2 to 600',
  }),
  OFFLINE_GRACE: Type.Refine(
    Type.String({
      default: '',
      description:
        'How long the agent of a VM in use may be offline, once it was online: seconds, or 120s, 2m, 1h. After that the VM ' +
        'becomes failed. If it is not set, there is no limit.',
      expected: 'seconds, or a number with s, m or h, from 10 seconds to 7 days',
    }),
    (text) => text === '' || parseGrace(text) !== undefined,
  ),
  AUDIT_DAYS: Type.Integer({
    minimum: 0,
    maximum: 36_500,
    default: 90,
    description:
      'How many days the events of the audit are kept; 0 keeps them for ever. A gateway whose role may not remove ' +
      'events leaves them to `db prune`.',
    expected: 'an integer from 0 to 36500',
  }),
  LOG_LEVEL: defineEnum(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    'info',
    'The lowest level of log lines that are written to stderr.',
  ),
  MIGRATE: defineEnum(
    ['apply', 'check'],
    'apply',
    'Whether the start updates the schema, or only checks that it is up to date.',
  ),
  DASHBOARD_COLUMNS: Type.Refine(
    Type.String({
      default: '',
      description: 'Additional columns that dashboards see, separated by commas.',
      expected: 'names of columns separated by commas, without crd_command',
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

/** An environment variable and its documentation. */
export interface Variable {
  readonly name: string;
  readonly schema: TSchema;
  readonly about: Static<typeof About>;
}

function readAbout(schema: TSchema): Variable['about'] {
  if (!Value.Check(About, schema)) throw new Error('a variable lacks its description');
  return schema;
}

/** Describes the expected value of a schema, for messages. */
export function describeExpected(schema: TSchema): string {
  return readAbout(schema).expected;
}

/** All variables, in the order of the schema. */
export const VARIABLES: readonly Variable[] = Object.entries<TSchema>(Environment.properties).map(
  ([name, schema]) => ({ name, schema, about: readAbout(schema) }),
);
