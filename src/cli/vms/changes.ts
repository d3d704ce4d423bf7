// Changes of VMs over the HTTP API: assign, release, fail. Each returns the row after the change.

import { Type } from 'typebox';
import { vmPath } from '../../protocol/paths.js';
import { DashboardVm } from '../../protocol/row.js';
import { UsageError } from '../exit.js';
import { printTable } from '../print.js';
import type { ApiConnection } from './api.js';
import { readVms, type FleetVm } from './fleet.js';

export interface PersonRequest {
  readonly email: string;
  readonly crdCommand?: string | undefined;
}

/** `online`: whether the VM's agent is online; undefined if the gateway does not say. */
export interface Assigned {
  readonly vm: FleetVm;
  readonly online: boolean | undefined;
}

const RowResponse = Type.Object(DashboardVm.properties, { additionalProperties: true });

/** Gives the person any available VM, or the one that they have. Repeating it changes nothing. */
export async function assignAny(
  api: ApiConnection,
  { email, crdCommand }: PersonRequest,
): Promise<Assigned> {
  const { body, headers } = await api.request(RowResponse, {
    method: 'POST',
    path: '/v1/assignments',
    body: { email, crd_command: crdCommand },
  });
  const online = headers.get('agent-online');
  return { vm: body, online: online === null ? undefined : online === 'true' };
}

/** Gives this VM to the person. */
export async function assignNamedVm(
  api: ApiConnection,
  hostname: string,
  { email, crdCommand, reassign }: PersonRequest & { readonly reassign: boolean },
): Promise<Assigned> {
  const body = { status: 'in-use', email, crd_command: crdCommand, reassign };
  return { vm: await patch(api, hostname, body), online: undefined };
}

/**
 * Sets the VM `failed`: it keeps its person, and is not assigned again. Or makes it `available`: it
 * has no person and no command then.
 *
 * @param version changes the row only if it still has this version
 */
export async function setStatus(
  api: ApiConnection,
  hostname: string,
  status: 'available' | 'failed',
  version: number | null,
): Promise<FleetVm> {
  return patch(api, hostname, { status }, version);
}

async function patch(
  api: ApiConnection,
  hostname: string,
  body: object,
  version: number | null = null,
): Promise<FleetVm> {
  const answer = await api.request(RowResponse, {
    method: 'PATCH',
    path: vmPath(hostname),
    body,
    ...(version !== null && { headers: { 'if-match': `"${version}"` } }),
  });
  return answer.body;
}

/** Finds the VM of a person. @throws UsageError if they have none */
export async function findPersonsVm(api: ApiConnection, email: string): Promise<FleetVm> {
  for await (const { vm } of readVms(api, { email })) return vm;
  throw new UsageError(`${email} has no VM.`);
}

/** A typing error would give a VM to no person. @throws UsageError */
export function checkEmail(email: string): void {
  if (isEmail(email)) return;
  throw new UsageError(`${email} is not an email address: expected one like ada@example.com.`);
}

/** Whether the text has the form of an address, of 255 characters at most. */
export function isEmail(text: string): boolean {
  return /^[^\s@,;<>"\p{Cc}]+@[^\s@,;<>"\p{Cc}]+$/u.test(text) && text.length <= 255;
}

/** Prints the row after a change. */
export function printVm({ hostname, status, email, assignment_id }: FleetVm): void {
  printTable(
    ['hostname', 'status', 'email', 'assignment'],
    [[hostname, status, email, assignment_id]],
  );
}
