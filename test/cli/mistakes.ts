// The mistakes of `mistakes.test.ts`: what is done wrong, the exit code, and the exact text on
// stderr, without the lines of the log. `{name}` stands for a place that differs in each run.

export interface Mistake {
  readonly what: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Options of Node. */
  readonly node?: readonly string[];
  /** Follows the command in the shell. */
  readonly shell?: string;
  /** Runs without the rights of root. */
  readonly unprivileged?: true;
  readonly code: number;
  readonly text: string;
}

export const MISTAKES: readonly Mistake[] = [
  {
    what: 'an unknown subcommand',
    args: ['asign', 'ada@example.com'],
    code: 2,
    text: [
      "error: unknown command 'asign'",
      '(Did you mean assign?)',
      'Add --help to see what there is.',
    ].join('\n'),
  },
  {
    what: 'an unknown option',
    args: ['vms', '--jsn'],
    code: 2,
    text: [
      "error: unknown option '--jsn'",
      '(Did you mean --json?)',
      'Add --help to see what there is.',
    ].join('\n'),
  },
  {
    what: 'an unknown value of an option',
    args: ['token', '--role', 'king'],
    code: 2,
    text: [
      "error: option '--role <role>' argument 'king' is invalid. Allowed choices are agent, dashboard, admin, enrol.",
      'Add --help to see what there is.',
    ].join('\n'),
  },
  {
    what: 'no role',
    args: ['token'],
    code: 2,
    text: 'What may the bearer do? Give --role agent, dashboard, admin, enrol.',
  },
  {
    what: 'a missing argument',
    args: ['assign'],
    code: 2,
    text: ["error: missing required argument 'email'", 'Add --help to see what there is.'].join(
      '\n',
    ),
  },
  {
    what: 'an argument too many',
    args: ['fail', 'vm-1', 'vm-2'],
    code: 2,
    text: [
      "error: too many arguments for 'fail'. Expected 1 argument but got 2.",
      'Add --help to see what there is.',
    ].join('\n'),
  },
  {
    what: 'a bad number',
    args: ['db', 'kill-idle', '--minutes', 'soon'],
    code: 2,
    text: [
      "error: option '--minutes <minutes>' argument 'soon' is invalid. Expected an integer from 0 to 1000000.",
      'Add --help to see what there is.',
    ].join('\n'),
  },
  {
    what: 'a misspelt variable of serve',
    args: ['serve'],
    env: { DATABASE_URI: 'x' },
    code: 2,
    text: [
      'The configuration cannot be used:',
      '  DATABASE_URI is not a variable of this program; the variable is called DATABASE_URL',
    ].join('\n'),
  },
  {
    what: 'a bad port',
    args: ['serve', '--port', 'http'],
    code: 2,
    text: [
      'The configuration cannot be used:',
      '  PORT is "http"; expected an integer from 0 to 65535',
    ].join('\n'),
  },
  {
    what: 'a URL of another database',
    args: ['serve'],
    env: { DATABASE_URL: 'mysql://x' },
    code: 2,
    text: [
      'The configuration cannot be used:',
      '  DATABASE_URL is set (9 bytes, not shown); expected a URL like postgresql://user:password@host:5432/database, or "host=… dbname=…"',
    ].join('\n'),
  },
  {
    what: 'a secret in a missing file',
    args: ['serve'],
    env: { JWT_SECRET_FILE: '{folder}/nofile' },
    code: 2,
    text: [
      'The configuration cannot be used:',
      '  JWT_SECRET_FILE "{folder}/nofile" cannot be read (ENOENT)',
    ].join('\n'),
  },
  {
    what: 'a gateway for others without a secret',
    args: ['serve', '--host', '0.0.0.0'],
    code: 2,
    text: [
      'The configuration cannot be used:',
      '  JWT_SECRET is not set, nor is JWT_PUBLIC_KEY, and HOST "0.0.0.0" is not loopback; expected a secret of 32 bytes or more, such as `openssl rand -base64 48` prints, or a public key',
    ].join('\n'),
  },
  {
    what: 'a port that is taken',
    args: ['serve'],
    env: { PORT: '{taken}', DATABASE_URL: '{database}' },
    code: 2,
    text: 'Port {taken} of 127.0.0.1 is taken: choose another with --port or PORT.',
  },
  {
    what: 'a port under 1024',
    args: ['serve'],
    env: {
      PORT: '81',
      DATABASE_URL: '{database}',
      JWT_SECRET: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
    },
    unprivileged: true,
    code: 2,
    text: 'This user may not listen on port 81: choose one above 1023 with --port or PORT.',
  },
  {
    what: 'a folder that cannot be written',
    args: ['serve'],
    env: { DATA_DIR: '{folder}/readonly/data' },
    unprivileged: true,
    code: 2,
    text: [
      'The configuration cannot be used:',
      '  DATA_DIR: a secret cannot be stored in {folder}/readonly/data/jwt-secret (EACCES); expected a writable folder',
    ].join('\n'),
  },
  {
    what: 'DATA_DIR is a file',
    args: ['serve'],
    env: { DATA_DIR: '{folder}/file' },
    code: 2,
    text: [
      'The configuration cannot be used:',
      '  DATA_DIR: a secret cannot be stored in {folder}/file/jwt-secret (ENOTDIR); expected a writable folder',
    ].join('\n'),
  },
  {
    what: 'DATA_DIR is below a file',
    args: ['db', 'count'],
    env: { DATA_DIR: '{folder}/file/data' },
    code: 2,
    text: '{folder}/file/data/gateway.lock cannot be used: a part of the path is a file, and no folder (ENOTDIR). DATA_DIR names the folder of the gateway.',
  },
  {
    what: 'no gateway and no database',
    args: ['db', 'count'],
    code: 2,
    text: 'No database is configured, and no gateway runs on {folder}/none: set DATABASE_URL, or start a gateway with "serve".',
  },
  {
    what: 'no gateway and no secret',
    args: ['vms'],
    env: { DATA_DIR: '{folder}/nothing' },
    code: 2,
    text: 'There is no secret in {folder}/nothing to sign a token with: start a gateway with "serve", name its folder with DATA_DIR, or give a token with --token-file.',
  },
  {
    what: 'a database that does not run',
    args: ['db', 'count'],
    env: { DATABASE_URL: 'postgresql://lablink@127.0.0.1:{free}/lablink_db' },
    code: 3,
    text: '127.0.0.1:{free} cannot be reached: no process listens there (ECONNREFUSED).',
  },
  {
    what: 'a host that is not in DNS',
    args: ['db', 'count'],
    env: { DATABASE_URL: 'postgresql://lablink@db.invalid/lablink_db' },
    code: 3,
    text: 'The host name db.invalid is not found in DNS (ENOTFOUND): check it in DATABASE_URL or PGHOST.',
  },
  {
    what: 'a wrong password',
    args: ['db', 'count'],
    env: { DATABASE_URL: 'postgresql://lablink:wrong@127.0.0.1:{nopassword}/lablink_db' },
    code: 2,
    text: 'The database refuses the password: password authentication failed for user "lablink". Set the right one in DATABASE_URL or PGPASSWORD.',
  },
  {
    what: 'a wrong password of serve',
    args: ['serve'],
    env: {
      PORT: '0',
      DATABASE_URL: 'postgresql://lablink:wrong@127.0.0.1:{nopassword}/lablink_db',
      JWT_SECRET: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx',
    },
    code: 3,
    text: 'The database lablink@127.0.0.1:{nopassword}/lablink_db could not be used for 0 s: The database refuses the password: password authentication failed for user "lablink". Set the right one in DATABASE_URL or PGPASSWORD.',
  },
  {
    what: 'a wrong role',
    args: ['db', 'count'],
    env: { DATABASE_URL: '{norole}' },
    code: 2,
    text: 'The database refuses the connection: role "nobody_knows" does not exist. Check the role in DATABASE_URL or PGUSER, and pg_hba.conf of the server.',
  },
  {
    what: 'a wrong database',
    args: ['db', 'count'],
    env: { DATABASE_URL: '{nodatabase}' },
    code: 2,
    text: 'The database is missing: database "no_such" does not exist. Create it, or name another in DATABASE_URL or PGDATABASE.',
  },
  {
    what: 'TLS that the server does not have',
    args: ['db', 'count'],
    env: { DATABASE_URL: 'postgresql://lablink@127.0.0.1:{notls}/lablink_db?sslmode=require' },
    code: 2,
    text: 'The database server has no TLS: switch TLS on there, or set sslmode=disable if the network is trusted.',
  },
  {
    what: 'a gateway that does not run',
    args: ['vms', '--url', 'http://127.0.0.1:{free}', '--token-file', '{folder}/admin'],
    code: 3,
    text: 'http://127.0.0.1:{free}: the gateway cannot be reached: no process listens there (connect ECONNREFUSED 127.0.0.1:{free}). Start a gateway with "serve", or name another with --url.',
  },
  {
    what: 'a URL without a scheme',
    args: ['vms', '--url', 'gateway.example.org', '--token-file', '{folder}/admin'],
    code: 2,
    text: 'gateway.example.org is not the URL of a gateway: expected one like https://gateway.example.org.',
  },
  {
    what: 'a server that is no gateway',
    args: ['vms', '--url', 'http://127.0.0.1:{nogateway}', '--token-file', '{folder}/admin'],
    code: 1,
    text: 'http://127.0.0.1:{nogateway} answers like no gateway of this version (HTTP 200): check the URL.',
  },
  {
    what: 'a token file that is missing',
    args: ['vms', '--url', '{url}', '--token-file', '{folder}/nofile'],
    code: 2,
    text: 'The token file {folder}/nofile cannot be read (ENOENT).',
  },
  {
    what: 'an empty token file',
    args: ['vms', '--url', '{url}', '--token-file', '{folder}/file'],
    code: 2,
    text: 'The token file {folder}/file is empty.',
  },
  {
    what: 'a file that holds no token',
    args: ['vms', '--url', '{url}', '--token-file', '{folder}/notoken'],
    code: 2,
    text: 'The file {folder}/notoken holds no token: expected the line that "token" prints.',
  },
  {
    what: 'a token that has expired',
    args: ['vms', '--url', '{url}', '--token-file', '{folder}/expired'],
    code: 1,
    text: 'The gateway {url} refuses the token (token_expired): The token has expired. Sign another with "token --role admin" where its DATA_DIR or JWT_SECRET is, and give it with --token-file.',
  },
  {
    what: 'a token of another secret',
    args: ['vms', '--url', '{url}', '--token-file', '{folder}/other'],
    code: 1,
    text: 'The gateway {url} refuses the token (token_invalid): The token is not valid. Sign another with "token --role admin" where its DATA_DIR or JWT_SECRET is, and give it with --token-file.',
  },
  {
    what: 'a token of a dashboard that changes a VM',
    args: ['fail', 'vm-1', '--url', '{url}', '--token-file', '{folder}/dashboard'],
    code: 1,
    text: 'The token may not do this (not_allowed): The role dashboard does not permit this request. Give the token of an admin with --token-file.',
  },
  {
    what: 'watch with a token of another secret',
    args: ['watch', '--url', '{url}', '--token-file', '{folder}/other'],
    code: 1,
    text: 'refused: HTTP 401 token_invalid: The token is not valid.',
  },
  {
    what: 'an email that is none',
    args: ['assign', 'ada'],
    code: 2,
    text: 'ada is not an email address: expected one like ada@example.com.',
  },
  {
    what: 'an unknown VM',
    args: ['release', 'vm-9', '--url', '{url}', '--token-file', '{folder}/admin'],
    code: 1,
    text: 'The gateway refuses (vm_not_found): There is no VM of this hostname; "vms" lists them.',
  },
  {
    what: 'a VM that another person has',
    args: [
      'assign',
      'bob@example.com',
      '--hostname',
      'vm-1',
      '--url',
      '{url}',
      '--token-file',
      '{folder}/admin',
    ],
    code: 1,
    text: 'The gateway refuses (assigned_to_another): Another person has this VM; --reassign takes it from them.',
  },
  {
    what: 'no VM is free',
    args: ['assign', 'bob@example.com', '--url', '{url}', '--token-file', '{folder}/admin'],
    code: 1,
    text: 'The gateway refuses (no_vm_available): No VM is available: "vms" lists who has one; "release" makes one available.',
  },
  {
    what: 'CSV without a column of emails',
    args: ['import', '{folder}/header.csv'],
    code: 2,
    text: [
      '{folder}/header.csv cannot be used, and nothing was changed.',
      'The first line has no column "email", but: name, phone. Expected a header like: email,command',
    ].join('\n'),
  },
  {
    what: 'CSV with a bad email',
    args: ['import', '{folder}/email.csv'],
    code: 2,
    text: [
      '{folder}/email.csv cannot be used, and nothing was changed.',
      'Line 2: ada is not an email address.',
    ].join('\n'),
  },
  {
    what: 'CSV in another encoding',
    args: ['import', '{folder}/latin1.csv'],
    code: 2,
    text: [
      '{folder}/latin1.csv cannot be used, and nothing was changed.',
      'Line 2: it is not UTF-8: save the file as “CSV UTF-8”.',
    ].join('\n'),
  },
  {
    what: 'CSV that is empty',
    args: ['import', '{folder}/empty.csv'],
    code: 2,
    text: [
      '{folder}/empty.csv cannot be used, and nothing was changed.',
      'The file is empty.',
    ].join('\n'),
  },
  {
    what: 'a backup that is missing',
    args: ['db', 'restore', '{folder}/nofile.sql'],
    env: { DATABASE_URL: '{database}' },
    code: 2,
    text: 'The backup {folder}/nofile.sql cannot be read (ENOENT).',
  },
  {
    what: 'a backup that is none',
    args: ['db', 'restore', '{folder}/notes.sql', '--replace'],
    env: { DATABASE_URL: '{database}' },
    code: 2,
    text: 'The file cannot be restored: it is not a plain dump of one database.',
  },
  {
    what: 'a backup that was cut off',
    args: ['db', 'restore', '{folder}/truncated.sql', '--replace'],
    env: { DATABASE_URL: '{database}' },
    code: 2,
    text: 'The file cannot be restored: it is cut off: the line that ends a dump is missing.',
  },
  {
    what: 'a wrong count of VMs to clear',
    args: ['db', 'clear', '--confirm', '7'],
    env: { DATABASE_URL: '{database}' },
    code: 2,
    text: 'There is 1 VM, not 7; nothing was removed. To remove them: db clear --confirm 1',
  },
  {
    what: 'a full disk',
    args: ['asyncapi'],
    shell: '> /dev/full',
    code: 1,
    text: 'The output cannot be written: A file cannot be used: the disk is full (ENOSPC).',
  },
  {
    what: 'an old Node',
    args: ['serve'],
    node: [
      "--import=data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'16.20.2'}})",
    ],
    code: 2,
    text: 'lablink-gateway needs Node.js 20 or newer, and this is 16.20.2.',
  },
];
