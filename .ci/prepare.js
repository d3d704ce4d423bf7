// Builds the package before npm packs or publishes it, and after npm has cloned it for an install
// from git. `npm ci` in a checkout does not call this script, because it must stay quick.

import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';

const packing = ['pack', 'publish'].includes(process.env.npm_command ?? '');
const buildable = existsSync('node_modules/typescript') && existsSync('src');

if (packing) {
  // A package must not have files of sources that were removed since the last build.
  rmSync('dist', { recursive: true, force: true });
  process.exitCode = build();
} else if (buildable && !existsSync('dist/main.js')) {
  process.exitCode = build();
}

function build() {
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  return status ?? 1;
}
