// The page of a signed-in user: the summary, the table, the activity, and the drawer of one VM.

import type { JSX } from 'preact';
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { createClient, type Closed } from '../client/index.js';
import { Api } from './api.js';
import { setClockSkew } from './clock.js';
import { useFleet, useMedia } from './hooks.js';
import { LiveFleet } from './live-fleet.js';
import type { Query } from './model/query.js';
import type { UrlState } from './model/url-state.js';
import { computeClockSkewMs } from './model/time.js';
import { decodeClaims } from './model/token.js';
import { ActivityFeed } from './components/activity-feed.js';
import { Drawer } from './components/drawer.js';
import { EmptyFleet } from './components/empty.js';
import { FleetTable } from './components/fleet-table.js';
import { Glance } from './components/glance.js';
import { Header } from './components/header.js';
import { LoadingFleet } from './components/loading.js';
import { StaleBar } from './components/stale-bar.js';
import { Toolbar } from './components/toolbar.js';
import { readGatewayUrl } from './session.js';
import { useActivityHistory } from './use-activity.js';
import { useUrlState } from './use-url-state.js';

interface Props {
  readonly token: string;
  /** The gateway refused the session before it sent the fleet. */
  readonly onRefused: (ended: Closed) => void;
  readonly onRetry: () => void;
  readonly onSignOut: () => void;
}

/** Screens with room for the table and the activity side by side. */
const WIDE = '(min-width: 72rem)';
/** Screens on which the drawer covers everything. */
const NARROW = '(max-width: 45rem)';

export function Console({ token, onRefused, onRetry, onSignOut }: Props): JSX.Element {
  const { url, setQuery, select } = useUrlState();
  const { api, claims, isAdmin } = useIdentity(token);
  const fleet = useLiveFleet(token, url.query, onRefused);
  const [showsActivity, setShowsActivity] = useState(false);
  const isWide = useMedia(WIDE);
  const isNarrow = useMedia(NARROW);
  useEffect(() => fleet.setQuery(url.query), [fleet, url.query]);
  useGatewayClock(api);
  const history = useActivityHistory(api, fleet, isAdmin);
  const isStale = useFleet(fleet, ({ isOutdated }) => isOutdated);
  const close = useCallback(() => select(undefined), [select]);

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
    <div class={`console ${isStale ? 'stale' : ''}`}>
      <a class="skip" href="#fleet" onClick={skipToFleet}>
        Skip to the VMs
      </a>
      <div class="console-page" inert={isNarrow && url.selected !== undefined}>
        <Header fleet={fleet} claims={claims} onSignOut={onSignOut} />
        <StaleBar fleet={fleet} claims={claims} onRetry={onRetry} onSignOut={onSignOut} />
        <main class="stage">
          <Glance fleet={fleet} query={url.query} onQuery={setQuery} />
          <div class="panes">
            <FleetPane
              fleet={fleet}
              url={url}
              isAdmin={isAdmin}
              isHidden={!isWide && showsActivity}
              onQuery={setQuery}
              onSelect={select}
            />
            {/* On wide screens the drawer replaces the activity and covers nothing. */}
            <ActivityFeed
              fleet={fleet}
              history={history}
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

/** What follows from the token: its claims, and the requests in its name. */
function useIdentity(token: string) {
  return useMemo(() => {
    const claims = decodeClaims(token);
    const api = new Api(readGatewayUrl(), token);
    return { api, claims, isAdmin: claims?.role === 'admin' };
  }, [token]);
}

/** Reads the gateway's clock once. */
function useGatewayClock(api: Api): void {
  useEffect(() => {
    void api.readGatewayDate().then((date) => setClockSkew(computeClockSkewMs(date, Date.now())));
  }, [api]);
}

interface FleetPaneProps {
  readonly fleet: LiveFleet;
  readonly url: UrlState;
  readonly isAdmin: boolean;
  readonly isHidden: boolean;
  readonly onQuery: (query: Query) => void;
  readonly onSelect: (hostname: string | undefined) => void;
}

/** The table with its toolbar, or what stands in its place without VMs. */
function FleetPane(props: FleetPaneProps): JSX.Element {
  const { fleet, url, isAdmin, isHidden, onQuery, onSelect } = props;
  const loaded = useFleet(fleet, ({ loaded: received }) => received);
  const hasVms = useFleet(fleet, ({ store }) => store.counters.total > 0);
  if (!loaded) {
    return (
      <section class="fleet" aria-label="VMs" aria-busy="true" hidden={isHidden}>
        <LoadingFleet fleet={fleet} />
      </section>
    );
  }
  return (
    <section class="fleet" aria-label="VMs" hidden={isHidden}>
      {hasVms ? (
        <>
          <Toolbar fleet={fleet} query={url.query} onQuery={onQuery} />
          <FleetTable
            fleet={fleet}
            query={url.query}
            selected={url.selected}
            onQuery={onQuery}
            onSelect={onSelect}
          />
        </>
      ) : (
        <EmptyFleet isAdmin={isAdmin} />
      )}
    </section>
  );
}

/** Watches the fleet for as long as the component is mounted. */
function useLiveFleet(token: string, query: Query, onRefused: (ended: Closed) => void): LiveFleet {
  const fleet = useMemo(() => {
    const client = createClient({ url: readGatewayUrl(), token });
    return new LiveFleet(client.watchFleet(), query);
  }, [token]);
  useEffect(() => {
    void fleet.closed.then((closed) => {
      if (closed.rejected && !fleet.loaded) onRefused(closed);
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
    <nav class="pane-switch" aria-label="View">
      <button type="button" aria-pressed={!showsActivity} onClick={() => onSwitch(false)}>
        VMs
      </button>
      <button type="button" aria-pressed={showsActivity} onClick={() => onSwitch(true)}>
        Activity
      </button>
    </nav>
  );
}

/** Focuses the table without following the link: the fragment holds the state of the view. */
function skipToFleet(event: Event): void {
  event.preventDefault();
  document.getElementById('fleet')?.focus();
}
