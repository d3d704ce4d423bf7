// Keeps the state of the view in the URL's fragment. A new query replaces the history entry;
// opening a drawer adds one, so that the browser's back button closes it.

import { useCallback, useEffect, useState } from 'preact/hooks';
import type { Query } from './model/query.js';
import { formatUrlState, parseUrlState, type UrlState } from './model/url-state.js';

export interface UrlStateHook {
  readonly url: UrlState;
  readonly setQuery: (query: Query) => void;
  readonly select: (hostname: string | undefined) => void;
}

export function useUrlState(): UrlStateHook {
  const [url, setUrl] = useState(() => parseUrlState(location.hash));
  useEffect(() => {
    const read = (): void => setUrl(parseUrlState(location.hash));
    addEventListener('popstate', read);
    return () => removeEventListener('popstate', read);
  }, []);
  const setQuery = useCallback((query: Query) => {
    setUrl((before) => writeUrl({ ...before, query }, 'replace'));
  }, []);
  const select = useCallback((selected: string | undefined) => {
    setUrl((before) =>
      writeUrl({ ...before, selected }, before.selected === undefined ? 'push' : 'replace'),
    );
  }, []);
  return { url, setQuery, select };
}

function writeUrl(state: UrlState, how: 'push' | 'replace'): UrlState {
  const address = location.pathname + location.search + formatUrlState(state);
  if (how === 'push') history.pushState(null, '', address);
  else history.replaceState(null, '', address);
  return state;
}
