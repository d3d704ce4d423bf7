// Examples of each command, which its help shows. A test parses each, so that none has an option
// that does not exist.

import type { Command } from 'commander';

/** By the name of the command: the lines that follow `lablink-gateway`. */
export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  serve: ['serve', 'serve --port 9000 --data-dir /var/lib/lablink'],
  agent: ['agent --url https://gateway.example.org --state-file state --token-file token --shell'],
  demo: ['demo', 'demo --vms 150 --speed 5'],
  token: [
    'token --role agent --hostname vm-1',
    'token --role admin --sub ada --ttl 15m --out token',
  ],
  'token inspect': ['token inspect --token-file token'],
  'token revoke': ['token revoke --token-file token', 'token revoke --sub vm-1'],
  openapi: ['openapi > openapi.json'],
  asyncapi: ['asyncapi > asyncapi.json'],
  watch: [
    'watch',
    'watch vm-1 --json',
    'watch --url https://gateway.example.org --token-file token',
  ],
  vms: ['vms --status in-use', "vms --hostname 'lab-*' --json"],
  assign: [
    'assign ada@example.com',
    'assign ada@example.com --hostname vm-1 --command-file command',
  ],
  release: ['release vm-1', 'release ada@example.com'],
  fail: ['fail vm-1'],
  events: ['events --hostname vm-1', 'events --since 12h --json'],
  import: ['import people.csv', 'import people.csv --yes'],
  export: ['export > vms.csv', 'export --json --status failed'],
  healthcheck: ['healthcheck', 'healthcheck --live --url http://127.0.0.1:9000'],
  'config check': ['config check', 'config check --json'],
  completion: ['completion bash > /etc/bash_completion.d/lablink-gateway', 'completion zsh'],
  loadtest: ['loadtest --profile workshop', 'loadtest --agents 100 --rate 200 --html report.html'],
  'db migrate': ['db migrate --dry-run', 'db migrate'],
  'db status': ['db status'],
  'db vms': ['db vms --in-use', 'db vms --json'],
  'db count': ['db count'],
  'db find': ['db find --email ada@example.com'],
  'db clear': ['db clear --confirm 30'],
  'db backup': ['db backup --dir /var/backups/lablink --gzip --verify'],
  'db restore': ['db restore backups/FILE.sql --dry-run', 'db restore backups/FILE.sql --replace'],
  'db move': ['db move --to postgresql://lablink@db.example.org/lablink_db --dry-run'],
  'db prune': ['db prune --days 30 --dry-run'],
  'db vacuum': ['db vacuum'],
  'db reindex': ['db reindex'],
  'db size': ['db size'],
  'db connections': ['db connections'],
  'db kill-idle': ['db kill-idle --minutes 30 --dry-run'],
  'db slow-queries': ['db slow-queries --seconds 2'],
  'db log-slow': ['db log-slow --ms 500', 'db log-slow --off'],
  'db listen': ['db listen'],
  'db sql': ["db sql 'SELECT hostname, status FROM vms'", 'db sql'],
  'db doctor': ['db doctor', 'db doctor --json'],
  'db repair': ['db repair --dry-run', 'db repair'],
  'db uninstall': ['db uninstall --dry-run'],
};

/** Adds the examples to the help of the command and its subcommands. */
export function addExamples(command: Command, path = command.name()): void {
  const lines = EXAMPLES[path] ?? [];
  if (lines.length > 0)
    command.addHelpText(
      'after',
      `\nExamples:\n${lines.map((line) => `  lablink-gateway ${line}`).join('\n')}`,
    );
  for (const inner of command.commands) addExamples(inner, `${path} ${inner.name()}`);
}
