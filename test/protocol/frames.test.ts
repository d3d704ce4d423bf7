import fc from 'fast-check';
import t from 'tap';
import { Compile } from 'typebox/compile';
import {
  absentFrame,
  changesFrame,
  deleteChange,
  forgetChange,
  presenceChange,
  errorFrame,
  feedFrame,
  PONG_FRAME,
  snapshotFrame,
  upsertChange,
  vmFrame,
  welcomeFrame,
} from '../../src/protocol/frames.js';
import { ServerMessage } from '../../src/protocol/messages.js';

const serverMessage = Compile(ServerMessage);

const vm = (hostname: string, status = 'available') => ({
  id: 1,
  hostname,
  email: null,
  status,
  crd_command: null,
  created_at: '2026-01-15T10:30:00',
  updated_at: '2026-01-15T10:30:00',
  version: 7,
  assignment_id: null,
});

const presence = (hostname: string): string =>
  JSON.stringify({
    ...{ hostname, online: true, since: '2030-01-01T00:00:00.000000Z', duplicate: false },
    ...{ acked_assignment_id: null, delivery: null },
  });

t.test('every frame is a message of the protocol, for any hostname', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (hostname) => {
      const row = JSON.stringify(vm(hostname));
      const frames = [
        welcomeFrame('gateway', 25_000, true),
        vmFrame('available', row),
        vmFrame('in-use', JSON.stringify(vm(hostname, 'in-use'))),
        absentFrame(hostname),
        snapshotFrame([], [], 'e.0'),
        snapshotFrame([row, row], [presence(hostname), presence(hostname)], undefined),
        changesFrame([], 'e.1'),
        changesFrame([upsertChange(row), deleteChange(hostname)], 'e.2'),
        changesFrame([presenceChange(presence(hostname)), forgetChange(hostname)], 'e.3'),
        feedFrame(false),
        errorFrame('not_allowed', `"${hostname}"`),
        PONG_FRAME,
      ];
      for (const frame of frames) {
        if (!serverMessage.Check(JSON.parse(frame))) throw new Error(frame);
      }
    }),
  );
  t.pass('no hostname breaks a frame');
});

t.test('each frame carries the values it was built from', async (t) => {
  const said: readonly [frame: string, message: object][] = [
    [
      welcomeFrame('g1', 25_000, false),
      { type: 'welcome', protocol: 'lablink.v1', gateway: 'g1', heartbeat_ms: 25_000, live: false },
    ],
    [vmFrame('in-use', '{"id":1}'), { type: 'assignment', vm: { id: 1 } }],
    [vmFrame('failed', '{"id":1}'), { type: 'status', vm: { id: 1 } }],
    [absentFrame('a"b'), { type: 'absent', hostname: 'a"b' }],
    [
      snapshotFrame(['{"id":1}', '{"id":2}'], ['{"hostname":"a"}'], undefined),
      {
        ...{ type: 'snapshot', vms: [{ id: 1 }, { id: 2 }] },
        ...{ presence: [{ hostname: 'a' }], more: true },
      },
    ],
    [
      changesFrame([upsertChange('{"id":1}'), deleteChange('b')], 'e.2'),
      {
        type: 'changes',
        changes: [
          { op: 'upsert', vm: { id: 1 } },
          { op: 'delete', hostname: 'b' },
        ],
        cursor: 'e.2',
      },
    ],
    [
      changesFrame([presenceChange('{"hostname":"b","online":true}'), forgetChange('b')], 'e.3'),
      {
        type: 'changes',
        changes: [
          { op: 'presence', hostname: 'b', online: true },
          {
            ...{ op: 'presence', hostname: 'b', online: false, since: null, duplicate: false },
            ...{ acked_assignment_id: null, delivery: null },
          },
        ],
        cursor: 'e.3',
      },
    ],
    [feedFrame(true), { type: 'feed', live: true }],
    [feedFrame(false), { type: 'feed', live: false }],
    [errorFrame('unavailable', 'why'), { type: 'error', code: 'unavailable', message: 'why' }],
    [PONG_FRAME, { type: 'pong' }],
  ];
  for (const [frame, message] of said) t.same(JSON.parse(frame), message);
});

t.test('only a VM in use is sent as an assignment', async (t) => {
  t.match(JSON.parse(vmFrame('in-use', '{}')), { type: 'assignment' });
  for (const status of ['available', 'failed', 'rebooting', '']) {
    t.match(JSON.parse(vmFrame(status, '{}')), { type: 'status' });
  }
});

t.test('the row enters its message unchanged', async (t) => {
  const row = '{"hostname":"a",  "big":12345678901234567890}';
  t.ok(vmFrame('failed', row).includes(row));
  t.ok(upsertChange(row).includes(row));
  t.ok(snapshotFrame([row], [], undefined).includes(row));
});

t.test('only the last part of a snapshot has a cursor', async (t) => {
  t.same(JSON.parse(snapshotFrame([], [], 'e.5')), {
    type: 'snapshot',
    vms: [],
    presence: [],
    more: false,
    cursor: 'e.5',
  });
  const part = JSON.parse(snapshotFrame([], [], undefined)) as object;
  t.match(part, { more: true });
  t.notOk('cursor' in part);
});
