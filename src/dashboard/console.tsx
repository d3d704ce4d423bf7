// What one sees who is signed in: the fleet at a glance, the table, what happens, and one VM's drawer.

import type { JSX } from 'preact';
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { createClient, type Closed } from '../client/index.js';
import { Api } from './api.js';
import { setClockSkew, useFleet, useMedia } from './hooks.js';
import { LiveFleet } from './live-fleet.js';
import type { Query } from './model/query.js';
import { computeClockSkewMs } from './model/time.js';
import { decodeClaims } from './model/token.js';
import { ActivityFeed } from './components/activity-feed.js';
import { Drawer } from './components/drawer.js';
import { EmptyFleet } from './components/empty.js';
import { FleetTable } from './components/fleet-table.js';
import { Glance } from './components/glance.js';
import { Header } from './components/header.js';
import { Toolbar } from './components/toolbar.js';
import { readGatewayUrl } from './session.js';
import { useUrlState } from './use-url-state.js';

interface Props {
  readonly token: string;
  readonly onEnded: (ended: Closed) => void;
  readonly onSignOut: () => void;
}

/** From here on there is room for the table and what happens side by side. */
const WIDE = '(min-width: 72rem)';
/** Below, the drawer covers everything. */
const NARROW = '(max-width: 45rem)';

export function Console({ token, onEnded, onSignOut }: Props): JSX.Element {
  const { url, setQuery, select } = useUrlState();
  const api = useMemo(() => new Api(readGatewayUrl(), token), [token]);
  const claims = useMemo(() => decodeClaims(token), [token]);
  const fleet = useLiveFleet(token, url.query, onEnded);
  const [showsActivity, setShowsActivity] = useState(false);
  const isWide = useMedia(WIDE);
  const isNarrow = useMedia(NARROW);
  const isAdmin = claims?.role === 'admin';

  useEffect(() => fleet.setQuery(url.query), [fleet, url.query]);
  useEffect(() => {
    void api.readGatewayDate().then((date) => setClockSkew(computeClockSkewMs(date, Date.now())));
  }, [api]);
  useEffect(() => {
    if (!isAdmin) return;
    void api.readLatestEvents().then((answer) => {
      if (answer.ok) fleet.addHistory(answer.value.items);
    });
  }, [api, fleet, isAdmin]);
  const close = useCallback(() => select(undefined), [select]);
  const hasVms = useFleet(fleet, ({ loaded, store }) => !loaded || store.counters.total > 0);

  const drawer = url.selected !== undefined && (
    <Drawer
      key={url.selected}
      fleet={fleet}
      api={api}
      hostname={url.selected}
      isAdmin={isAdmin}
      onClose={close}
    />
  );

  return (
    <div class="console">
      <a class="skip" href="#fleet" onClick={skipToFleet}>
        Skip to the VMs
      </a>
      <div class="console-page" inert={isNarrow && url.selected !== undefined}>
        <Header fleet={fleet} claims={claims} onSignOut={onSignOut} />
        <main class="stage">
          <Glance fleet={fleet} query={url.query} onQuery={setQuery} />
          <div class="panes">
            <section class="fleet" aria-label="VMs" hidden={!isWide && showsActivity}>
              {hasVms ? (
                <>
                  <Toolbar fleet={fleet} query={url.query} onQuery={setQuery} />
                  <FleetTable
                    fleet={fleet}
                    query={url.query}
                    selected={url.selected}
                    onQuery={setQuery}
                    onSelect={select}
                  />
                </>
              ) : (
                <EmptyFleet isAdmin={isAdmin} />
              )}
            </section>
            {/* Where there is room, the drawer takes the place of the activity and covers nothing. */}
            <ActivityFeed
              fleet={fleet}
              onSelect={select}
              hidden={isWide ? url.selected !== undefined : !showsActivity}
            />
            {isWide && drawer}
          </div>
        </main>
        {!isWide && <PaneSwitch showsActivity={showsActivity} onSwitch={setShowsActivity} />}
      </div>
      {!isWide && drawer}
    </div>
  );
}

/** Watches for as long as it is shown. */
function useLiveFleet(token: string, query: Query, onEnded: (ended: Closed) => void): LiveFleet {
  const fleet = useMemo(() => {
    const client = createClient({ url: readGatewayUrl(), token });
    return new LiveFleet(client.watchFleet(), query);
  }, [token]);
  useEffect(() => {
    void fleet.closed.then((closed) => {
      if (closed.rejected) onEnded(closed);
    });
    return () => fleet.close();
  }, [fleet]);
  return fleet;
}

interface PaneSwitchProps {
  readonly showsActivity: boolean;
  readonly onSwitch: (showsActivity: boolean) => void;
}

function PaneSwitch({ showsActivity, onSwitch }: PaneSwitchProps): JSX.Element {
  return (
    <nav class="pane-switch" aria-label="What is shown">
      <button type="button" aria-pressed={!showsActivity} onClick={() => onSwitch(false)}>
        VMs
      </button>
      <button type="button" aria-pressed={showsActivity} onClick={() => onSwitch(true)}>
        Activity
      </button>
    </nav>
  );
}

/** The fragment is the state of what is shown: a link must not change it. */
function skipToFleet(event: Event): void {
  event.preventDefault();
  document.getElementById('fleet')?.focus();
}
