// The actions on a VM, once: when each is offered, what it is called, what it asks of the gateway, and what it says.

import type { WatchedVm } from '../../client/index.js';
import type { ApiResult, Api } from '../api.js';

export type ActionKind = 'assign' | 'release' | 'available' | 'failed' | 'delete';

/** What the person filled in. */
export interface ActionValues {
  readonly email: string;
  readonly command: string;
}

interface Action {
  readonly isOffered: (vm: WatchedVm) => boolean;
  readonly name: (vm: WatchedVm) => string;
  /** What will happen, before it does. */
  readonly warning: (vm: WatchedVm) => string;
  readonly run: (api: Api, vm: WatchedVm, values: ActionValues) => Promise<ApiResult<unknown>>;
  readonly done: (vm: WatchedVm, values: ActionValues) => string;
}

export const ACTIONS: Readonly<Record<ActionKind, Action>> = {
  assign: {
    isOffered: () => true,
    name: ({ email }) => (email === null ? 'Assign' : 'Assign to another'),
    warning: ({ email }) =>
      email === null ? 'The VM runs the command at once.' : `This takes the VM from ${email}.`,
    run: (api, vm, { email, command }) => {
      const reassign = vm.email !== null && vm.email !== email;
      const body = {
        status: 'in-use',
        email,
        ...(command === '' ? {} : { crd_command: command }),
        ...(reassign ? { reassign } : {}),
      };
      return api.changeVm(vm.hostname, body, readVersion(vm));
    },
    done: ({ hostname }, { email }) => `${hostname} is assigned to ${email}.`,
  },
  release: {
    isOffered: ({ assignment_id, email }) => assignment_id !== null && email !== null,
    name: () => 'Release',
    warning: ({ email, status }) =>
      `${email ?? ''} loses the VM${status === 'failed' ? '; it stays failed' : ''}.`,
    run: (api, vm) => api.releaseAssignment(vm.assignment_id ?? ''),
    done: ({ hostname, email }) => `${hostname} is released by ${email ?? ''}.`,
  },
  available: {
    isOffered: ({ status }) => status !== 'available',
    name: () => 'Mark available',
    warning: ({ email }) =>
      email === null ? 'The VM may be given to anyone.' : `${email} loses the VM.`,
    run: (api, vm) => api.changeVm(vm.hostname, { status: 'available' }, readVersion(vm)),
    done: ({ hostname }) => `${hostname} is available.`,
  },
  failed: {
    isOffered: ({ status }) => status !== 'failed',
    name: () => 'Mark failed',
    warning: () => 'Nobody is given this VM until it is available again.',
    run: (api, vm) => api.changeVm(vm.hostname, { status: 'failed' }, readVersion(vm)),
    done: ({ hostname }) => `${hostname} is marked failed.`,
  },
  delete: {
    isOffered: () => true,
    name: () => 'Delete',
    warning: ({ email }) =>
      `The row is removed; the history stays.${email === null ? '' : ` ${email} loses the VM.`}`,
    run: (api, vm) => api.deleteVm(vm.hostname, readVersion(vm)),
    done: ({ hostname }) => `${hostname} is deleted.`,
  },
};

/** A row from before there were versions counts as 0, as the gateway's ETag has it. */
const readVersion = ({ version }: WatchedVm): number => version ?? 0;
