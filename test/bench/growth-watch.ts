// Measures the memory of a server's process during an action: the maximum that the process held,
// and the part that survives garbage collection.

import type { Server } from './servers.js';

/** In bytes, beyond what there was before. */
export interface Growth {
  readonly mostRss: number;
  readonly heap: number;
}

const LOOK_MS = 250;

export async function watchGrowth(server: Server): Promise<{ end: () => Promise<Growth> }> {
  const before = await server.memory();
  let mostRss = before.rss;
  let looks = Promise.resolve();
  const look = async (): Promise<void> => {
    mostRss = Math.max(mostRss, await server.rss());
  };
  const looking = setInterval(() => {
    looks = looks.then(look);
  }, LOOK_MS);
  return {
    end: async () => {
      clearInterval(looking);
      await looks;
      const { heap } = await server.memory();
      return { mostRss: mostRss - before.rss, heap: heap - before.heap };
    },
  };
}
