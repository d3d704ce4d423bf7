// The faults of a soak, each with its end: when it resolves, the way is free again, without any
// other help.

import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../helpers/until.js';
import { crash, freeze, kill, terminateListeners } from './server-faults.js';
import type { SoakWorld } from './soak-world.js';

/** Longer than a heartbeat may take, so that it is missed. */
const LONG_MS = 8_000;
const SHORT_MS = 1_500;

/** No fault begins before the last one of the server is over. */
export const answersAgain = ({ database }: SoakWorld): Promise<unknown> =>
  until('the database answers', () => database.query('SELECT').catch(() => undefined));

export const SOAK_FAULTS: Readonly<Record<string, (world: SoakWorld) => Promise<unknown>>> = {
  'the LISTEN sessions are ended': ({ database }) => terminateListeners(database),
  'connections to the database are cut': async ({ databaseLink }) => databaseLink.cut(),
  'connections to the database are reset': async ({ databaseLink }) => databaseLink.reset(),
  'connections to the database are half-open': async ({ databaseLink }) => {
    databaseLink.hang();
    await sleep(LONG_MS);
  },
  'the database is in a black hole': async ({ databaseLink }) => {
    databaseLink.swallow();
    await sleep(LONG_MS);
    await databaseLink.heal();
  },
  'nobody answers at the address': async ({ databaseLink }) => {
    await databaseLink.refuse();
    await sleep(SHORT_MS);
    await databaseLink.heal();
  },
  'the way to the database is slow and thin': async ({ databaseLink }) => {
    databaseLink.delay(50);
    databaseLink.throttle(100_000);
    await sleep(LONG_MS);
    await databaseLink.heal();
  },
  'clients are cut off': async ({ clientLink }) => clientLink.cut(),
  'clients are reset': async ({ clientLink }) => clientLink.reset(),
  'the way of the clients is slow and thin': async ({ clientLink }) => {
    clientLink.delay(50);
    clientLink.throttle(50_000);
    await sleep(LONG_MS);
    await clientLink.heal();
  },
  'the server recovers from a crash': async (world) => {
    await crash(world.database);
    await answersAgain(world);
  },
  'the server is restarted': async (world) => {
    await world.server.stop();
    await sleep(SHORT_MS);
    await world.server.start();
  },
  'the server is killed': async (world) => {
    await kill(world.database);
    await sleep(SHORT_MS);
    await world.server.start();
  },
  'the server stands still': async ({ database }) => {
    const goOn = await freeze(database);
    await sleep(LONG_MS).finally(goOn);
  },
  'a gateway is killed': async ({ mortal }) => {
    await mortal.kill();
    await sleep(SHORT_MS);
    await mortal.start();
  },
};
