// The latest assignments of a VM and how far each was delivered: made, pushed, acknowledged, ended.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Api } from '../api.js';
import { computeAckLatencyMs, formatOutcome } from '../model/delivery-labels.js';
import { explainFailedRead } from '../model/problem-labels.js';
import type { Delivery } from '../../client/index.js';
import { formatDuration } from '../model/time.js';
import { Timestamp } from './fields.js';

interface Props {
  readonly api: Api;
  readonly hostname: string;
  /** The revision of the VM's record; the deliveries are read again when it changes. */
  readonly revision: number | undefined;
  readonly nowMs: number;
}

/** Changes within this time cause one read. */
const REFRESH_DELAY_MS = 300;
const SHOWN = 5;

export function Deliveries({ api, hostname, revision, nowMs }: Props): JSX.Element | null {
  const [deliveries, setDeliveries] = useState<readonly Delivery[]>([]);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    const load = async (): Promise<void> => {
      const result = await api.readDeliveries(hostname);
      if (result.ok) setDeliveries(result.value.slice(0, SHOWN));
      setProblem(result.ok ? '' : explainFailedRead(result.problem));
    };
    const timer = setTimeout(() => void load(), REFRESH_DELAY_MS);
    return () => clearTimeout(timer);
  }, [hostname, revision]);
  if (deliveries.length === 0 && problem === '') return null;
  return (
    <section class="history" aria-labelledby="deliveries-title">
      <h3 id="deliveries-title">Deliveries</h3>
      {problem !== '' && <p class="note">{problem}</p>}
      <ol class="history-list">
        {deliveries.map((delivery) => (
          <li key={delivery.assignment_id}>
            <span class="history-what">{describeDelivery(delivery)}</span>
            <span class="history-who">{delivery.assignment_id.slice(0, 8)}</span>
            <Timestamp text={delivery.made_at} nowMs={nowMs} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function describeDelivery(delivery: Delivery): string {
  const tookMs = computeAckLatencyMs(delivery);
  const arrived =
    delivery.acked_at === null
      ? delivery.pushed_at === null
        ? 'Not sent to the agent'
        : 'Sent, not acknowledged'
      : `Acknowledged${tookMs === undefined ? '' : ` in ${formatDuration(tookMs)}`}`;
  return delivery.ended_at === null
    ? arrived
    : `${arrived}, then ${formatOutcome(delivery).toLowerCase()}`;
}
