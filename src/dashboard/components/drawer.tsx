// The drawer of one VM: its columns, the actions of an admin, and its history.

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Api } from '../api.js';
import { useFleet, useFleetTime } from '../hooks.js';
import type { LiveFleet } from '../live-fleet.js';
import { Actions } from './actions.js';
import { Deliveries } from './deliveries.js';
import { Fields } from './fields.js';
import { AgentMark, StatusMark } from './fleet-row.js';
import { History } from './history.js';
import { Icon } from './icons.js';

interface Props {
  readonly fleet: LiveFleet;
  readonly api: Api;
  readonly hostname: string;
  readonly isAdmin: boolean;
  readonly onClose: () => void;
}

export function Drawer({ fleet, api, hostname, isAdmin, onClose }: Props): JSX.Element {
  const record = useFleet(fleet, ({ store }) => store.records.get(hostname));
  const revision = useFleet(fleet, ({ store }) => store.records.get(hostname)?.revision);
  const loaded = useFleet(fleet, ({ loaded: received }) => received);
  const hadVm = useRef(false);
  hadVm.current ||= record !== undefined;
  const title = useRef<HTMLHeadingElement>(null);
  const nowMs = useFleetTime(fleet);
  useEffect(() => {
    const before = document.activeElement;
    title.current?.focus();
    const close = (event: KeyboardEvent): void => {
      if (event.key === 'Escape') onClose();
    };
    addEventListener('keydown', close);
    return () => {
      removeEventListener('keydown', close);
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <section class="drawer" role="dialog" aria-labelledby="drawer-title">
      <div class="drawer-head">
        <h2 id="drawer-title" ref={title} tabIndex={-1}>
          {hostname}
        </h2>
        <button class="button quiet square" type="button" aria-label="Close" onClick={onClose}>
          <Icon name="cross" />
        </button>
        {record !== undefined && (
          <p class="drawer-marks">
            <StatusMark record={record} />
            <AgentMark record={record} nowMs={nowMs} />
          </p>
        )}
      </div>
      {/* An admin's form belongs to the hostname, so it stays open when the row changes. */}
      <div class="drawer-body">
        {isAdmin && <Actions api={api} vm={record?.vm} />}
        {record === undefined ? (
          <MissingVm isLoaded={loaded} hadVm={hadVm.current} />
        ) : (
          <Fields record={record} nowMs={nowMs} />
        )}
        <Deliveries api={api} hostname={hostname} revision={revision} nowMs={nowMs} />
        {isAdmin && <History api={api} hostname={hostname} version={record?.vm.version} />}
      </div>
    </section>
  );
}

interface MissingVmProps {
  readonly isLoaded: boolean;
  /** Whether there was a VM since the drawer was opened. */
  readonly hadVm: boolean;
}

function MissingVm({ isLoaded, hadVm }: MissingVmProps): JSX.Element {
  const missing = hadVm
    ? 'This VM no longer exists. Its history is kept.'
    : 'There is no VM with this hostname now.';
  return (
    <p class="note" role="status">
      {isLoaded ? missing : 'Loading…'}
    </p>
  );
}
