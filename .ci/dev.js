// Builds everything, starts the gateway, and watches the sources: the gateway restarts after each
// build without errors, and the dashboard is bundled again, so that a reload of the page shows it.
//
//   npm run dev                       serves, as `npm start` does
//   npm run dev -- demo --port 8080   runs another subcommand

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import ts from 'typescript';

/**
 * The code of TypeScript's message after a build: "Found {0} errors. Watching for file changes."
 */
const BUILT = 6194;
const args = process.argv.length > 2 ? process.argv.slice(2) : ['serve'];

const dashboard = spawn(process.execPath, ['.ci/build-dashboard.js', '--watch'], {
  stdio: ['pipe', 'inherit', 'inherit'], // It ends when its stdin does, and so with this process.
});
let gateway;
/** Restarts follow each other: the next waits until the last gateway has drained and ended. */
let restarted = Promise.resolve();

const host = ts.createSolutionBuilderWithWatchHost(
  ts.sys,
  undefined,
  report,
  report,
  (diagnostic) => {
    report(diagnostic);
    if (diagnostic.code === BUILT && diagnostic.messageText.startsWith('Found 0 ')) {
      restarted = restarted.then(restart);
    }
  },
);
ts.createSolutionBuilderWithWatch(host, ['.ci/tsconfig.build.json'], {}).build();

// Ctrl+C in a terminal reaches the gateway too, which then ends by itself; a second signal would
// cut off its drain.
process.on('SIGINT', () => void end(5_000));
process.on('SIGTERM', () => void end(0));

async function restart() {
  await stop();
  execFileSync(process.execPath, ['.ci/bundle-typebox.js'], { stdio: 'inherit' });
  gateway = spawn(process.execPath, ['dist/main.js', ...args], { stdio: 'inherit' });
}

async function stop(patienceMs = 0) {
  if (gateway === undefined || gateway.exitCode !== null || gateway.signalCode !== null) return;
  const timer = setTimeout(() => gateway.kill('SIGTERM'), patienceMs);
  await once(gateway, 'exit');
  clearTimeout(timer);
}

async function end(patienceMs) {
  await restarted;
  await stop(patienceMs);
  dashboard.kill();
  process.exit();
}

function report(diagnostic) {
  const place = {
    getCurrentDirectory: () => '',
    getCanonicalFileName: (name) => name,
    getNewLine: () => '\n',
  };
  console.error(`dev: ${ts.formatDiagnostic(diagnostic, place).trim()}`);
}
