// The page of a signed-in user: the summary, the table, the activity, and the drawer of one VM.

import type { JSX } from 'preact';
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks';
import { createClient, type Closed } from '../client/index.js';
import { Api } from './api.js';
import { setClockSkew, useFleet, useMedia } from './hooks.js';
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
import { Toolbar } from './components/toolbar.js';
import { readGatewayUrl } from './session.js';
import { useUrlState } from './use-url-state.js';

interface Props {
  readonly token: string;
  readonly onEnded: (ended: Closed) => void;
  readonly onSignOut: () => void;
}

/** Screens with room for the table and the activity side by side. */
const WIDE = '(min-width: 72rem)';
/** Screens on which the drawer covers everything. */
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
  useGatewayReads(api, fleet, isAdmin);
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
    <div class="console">
      <a class="skip" href="#fleet" onClick={skipToFleet}>
        Skip to the VMs
      </a>
      <div class="console-page" inert={isNarrow && url.selected !== undefined}>
        <Header fleet={fleet} claims={claims} onSignOut={onSignOut} />
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

/** Reads the gateway's clock once, and for admins the events from before the page was opened. */
function useGatewayReads(api: Api, fleet: LiveFleet, isAdmin: boolean): void {
  useEffect(() => {
    void api.readGatewayDate().then((date) => setClockSkew(computeClockSkewMs(date, Date.now())));
  }, [api]);
  useEffect(() => {
    if (!isAdmin) return;
    void api.readLatestEvents().then((result) => {
      if (result.ok) fleet.addHistory(result.value.items);
    });
  }, [api, fleet, isAdmin]);
}

interface FleetPaneProps {
  readonly fleet: LiveFleet;
  readonly url: UrlState;
  readonly isAdmin: boolean;
  readonly isHidden: boolean;
  readonly onQuery: (query: Query) => void;
  readonly onSelect: (hostname: string | undefined) => void;
}

/** The table with its toolbar, or a hint while the fleet has no VM. */
function FleetPane(props: FleetPaneProps): JSX.Element {
  const { fleet, url, isAdmin, isHidden, onQuery, onSelect } = props;
  const hasVms = useFleet(fleet, ({ loaded, store }) => !loaded || store.counters.total > 0);
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
