// The activity for its pane: a snapshot a few times a second, older pages on request, and for
// admins who made each change, as the audit knows it.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Api } from './api.js';
import type { LiveFleet } from './live-fleet.js';
import type { ActivityEntry } from './model/activity.js';

/** How the reading of the events from before the page was opened went. */
export type HistoryState = 'none' | 'loading' | 'loaded' | 'failed';

export interface ActivityHistory {
  readonly state: HistoryState;
  /** Reads an older page; undefined if there is none. */
  readonly readEarlier: (() => void) | undefined;
}

/** The audit is read at most once in this time. */
const ACTORS_DELAY_MS = 2_000;

/** Reads the audit for an admin: the latest events, older ones on request, and actors. */
export function useActivityHistory(api: Api, fleet: LiveFleet, isAdmin: boolean): ActivityHistory {
  const [state, setState] = useState<HistoryState>(isAdmin ? 'loading' : 'none');
  const [next, setNext] = useState<string | null>(null);
  const read = useCallback(
    async (after?: string): Promise<void> => {
      const result = await api.readLatestEvents(after);
      setState(result.ok ? 'loaded' : 'failed');
      if (!result.ok) return;
      fleet.addHistory(result.value.items);
      setNext(result.value.next);
    },
    [api, fleet],
  );
  useEffect(() => {
    if (isAdmin) void read();
  }, [read, isAdmin]);
  useActors(api, fleet, isAdmin);
  return { state, readEarlier: next === null ? undefined : () => void read(next) };
}

/** Names the actors of the changes that arrived since the page was opened. */
function useActors(api: Api, fleet: LiveFleet, isAdmin: boolean): void {
  useEffect(() => {
    if (!isAdmin) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let named = 0;
    const name = async (): Promise<void> => {
      named = fleet.activity.count;
      const result = await api.readLatestEvents();
      timer = undefined;
      if (result.ok) fleet.nameActors(result.value.items);
    };
    const stop = fleet.subscribe(() => {
      if (fleet.activity.count > named) timer ??= setTimeout(() => void name(), ACTORS_DELAY_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [api, fleet, isAdmin]);
}

const REDRAW_MS = 400;

/** The entries to render, and how many were added since the list was paused. */
export function useEntries(
  fleet: LiveFleet,
  paused: boolean,
): { readonly entries: readonly ActivityEntry[]; readonly unseen: number } {
  const [shown, setShown] = useState(() => takeSnapshot(fleet));
  const [count, setCount] = useState(fleet.activity.count);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    const update = (): void => {
      timer.current = undefined;
      setCount(fleet.activity.count);
      if (!paused) setShown(takeSnapshot(fleet));
    };
    update();
    const stop = fleet.subscribe(() => {
      timer.current ??= setTimeout(update, REDRAW_MS);
    });
    return () => {
      stop();
      clearTimeout(timer.current);
      timer.current = undefined;
    };
  }, [fleet, paused]);
  return { entries: shown.entries, unseen: count - shown.count };
}

const takeSnapshot = ({ activity }: LiveFleet) => ({
  entries: activity.entries,
  count: activity.count,
});
