// The page without a VM: how VMs appear, and the commands that start one.

import type { JSX } from 'preact';
import { readGatewayUrl } from '../session.js';
import { CopyableCommand } from './copyable-command.js';

export function EmptyFleet({ isAdmin }: { readonly isAdmin: boolean }): JSX.Element {
  const agent = `lablink-gateway agent --url ${readGatewayUrl()} --hostname vm-1 --token-file vm-1.token --state-file vm-1.state`;
  return (
    <div class="empty" id="fleet" tabIndex={-1}>
      <svg class="empty-mark" viewBox="0 0 120 72" aria-hidden="true" focusable="false">
        <rect x="8" y="14" width="46" height="32" rx="6" />
        <rect x="66" y="26" width="46" height="32" rx="6" />
        <path d="M54 30h6q6 0 6 6v6" />
        <circle cx="31" cy="30" r="5" />
      </svg>
      <h2>No VMs yet</h2>
      <p>
        A VM appears here as soon as its agent or an admin registers it.
        {isAdmin && ' To start one, run these commands where the gateway’s secret is set:'}
      </p>
      {isAdmin && (
        <>
          <CopyableCommand text="lablink-gateway token --role agent --hostname vm-1 > vm-1.token" />
          <CopyableCommand text={agent} />
        </>
      )}
      <p>To see a simulated workshop, run this on your own machine:</p>
      <CopyableCommand text="lablink-gateway demo" />
    </div>
  );
}
