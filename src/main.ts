#!/usr/bin/env node
// The command `lablink-gateway`. It checks the version of Node before anything is loaded that an
// older one cannot load.

const OLDEST_NODE = 20;

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(
    `lablink-gateway needs Node.js ${OLDEST_NODE} or newer, and this is ${process.versions.node}.\n`,
  );
  process.exitCode = 2;
} else {
  const { runCommandLine } = await import('./cli/run.js');
  await runCommandLine();
}
