// Starts the server on the folder in the first argument (with the programs in the second), prints
// how to connect or why the start failed, and runs until stdin ends.

import { EmbeddedError, startEmbedded } from '../../../../src/postgres/embedded/server.js';

const [dataDir = '', binDir] = process.argv.slice(2);
try {
  const server = await startEmbedded({ dataDir, binDir, settings: { fsync: 'off' } });
  console.log(JSON.stringify(server.connection));
  process.stdin.resume().once('end', () => void server.stop());
} catch (error) {
  if (!(error instanceof EmbeddedError)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
