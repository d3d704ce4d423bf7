// The routes of the HTTP API, from its OpenAPI document and the table of roles.

import { PERMISSIONS, type Permission } from '../../src/gateway/auth/roles.js';
import { buildOpenApiDocument } from '../../src/cli/openapi.js';
import { code, table } from './table.js';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  readonly responses: Readonly<Record<string, unknown>>;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** The permission that each operation needs; undefined if it needs no token. */
const ACTIONS: Readonly<Record<string, Permission | undefined>> = {
  live: undefined,
  ready: undefined,
  signIn: undefined,
  metrics: 'read-metrics',
  listVms: 'watch-fleet',
  getVm: 'watch-vm',
  registerVm: 'register-vm',
  changeVm: 'change-vms',
  deleteVm: 'change-vms',
  clearVms: 'change-vms',
  changeVms: 'change-vms',
  assign: 'change-vms',
  release: 'change-vms',
  enrol: 'enrol-vm',
  allowEnrolment: 'allow-enrolment',
  reportEnd: 'report-end',
  listDeliveries: 'watch-vm',
  listEvents: 'read-audit',
  listVmEvents: 'read-audit',
  stats: 'watch-fleet',
};

export async function routes(): Promise<string> {
  const { paths } = (await buildOpenApiDocument()) as OpenApi;
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [
      code(`${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}${query(operation)}`),
      whoMay(operation),
      successes(operation).join(', '),
      `${operation.summary}.`,
    ]),
  );
  return table(
    ['route', 'who', 'success', 'what'],
    [
      ...rows,
      ['`GET /docs`', 'everyone', '200', 'The OpenAPI document as a page.'],
      ['`GET /docs/json`', 'everyone', '200', 'The OpenAPI document.'],
    ],
  );
}

function query({ parameters = [] }: Operation): string {
  const names = parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
  return names.length === 0 ? '' : `?${names.join('&')}`;
}

function successes({ responses }: Operation): string[] {
  return Object.keys(responses).filter((status) => status.startsWith('2'));
}

function whoMay({ operationId }: Operation): string {
  if (!Object.hasOwn(ACTIONS, operationId)) throw new Error(`${operationId} has no action`);
  const action = ACTIONS[operationId];
  if (action === undefined) return 'everyone';
  const { agent, dashboard, admin, enrol } = PERMISSIONS[action];
  const named: readonly [string, string][] = [
    [agent, 'agents'],
    [dashboard, 'dashboards'],
    [admin, 'admins'],
    [enrol, 'enrol tokens'],
  ];
  return named
    .filter(([reach]) => reach !== 'no')
    .map(([reach, role]) => (reach === 'own' ? `${role} (own VM)` : role))
    .join(', ');
}
