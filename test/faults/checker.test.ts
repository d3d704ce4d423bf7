// The checker itself: it finds each kind of violation where one is planted, and none in what is
// allowed.

import { EventEmitter } from 'node:events';
import t from 'tap';
import type { WebSocket } from 'ws';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';
import type { Vm } from '../helpers/model.js';
import { RawClient } from '../helpers/raw-client.js';
import { watch } from './checker.js';
import { findViolations, type AuditEvent } from './violations.js';
import { Witness } from './witness.js';

/** A socket that sends scripted messages. */
class ScriptedSocket extends EventEmitter {
  readonly client = new RawClient(this as unknown as WebSocket);

  say(message: object): this {
    this.emit('message', Buffer.from(JSON.stringify(message)));
    return this;
  }

  /** The message that an agent receives. */
  vm(vm: Vm): this {
    return this.say({ type: vm.status === 'in-use' ? 'assignment' : 'status', vm });
  }
}

const LIVE = { type: 'welcome', live: true };
const ABSENT = { type: 'absent', hostname: 'vm-1' };

const row = (version: number, assignment?: string): Vm => ({
  hostname: 'vm-1',
  version,
  status: assignment === undefined ? 'available' : 'in-use',
  assignment_id: assignment ?? null,
});

const event = (version: number, assignment?: string, op = 'update'): AuditEvent => ({
  op,
  hostname: 'vm-1',
  version,
  assignmentId: assignment ?? null,
});

function agent(...rows: Vm[]): Witness {
  const witness = new Witness({ hostname: 'vm-1' });
  const socket = new ScriptedSocket();
  witness.follow(socket.client);
  socket.say(LIVE);
  rows.forEach((vm) => socket.vm(vm));
  return witness;
}

const buildTable = (...vms: Vm[]): Map<string, Vm> =>
  new Map(vms.map((vm) => [String(vm.hostname), vm]));

t.test('what is in order', async (t) => {
  const audit = [event(1, undefined, 'insert'), event(2, 'a'), event(3)];
  t.same(findViolations([agent(row(1), row(2, 'a'), row(3))], buildTable(row(3)), audit), []);
  t.same(
    findViolations([agent(row(1), row(3))], buildTable(row(3)), audit),
    [],
    'one was left out',
  );
  t.same(findViolations([agent(row(3), row(3))], buildTable(row(3)), audit), [], 'a repeat');
});

t.test('a client that does not know the table', async (t) => {
  const audit = [event(1, undefined, 'insert'), event(2)];
  const found = (witness: Witness, ...vms: Vm[]) =>
    findViolations([witness], buildTable(...vms), audit);
  const violation = { kind: 'diverged', client: 'the agent of vm-1' };
  t.match(found(agent(row(1)), row(2)), [violation], 'an older row');
  t.match(found(agent(row(1))), [violation], 'a row that is gone');
  t.match(found(new Witness({ hostname: 'vm-1' }), row(2)), [violation], 'no row');
  const admin = new Witness('admin');
  const socket = new ScriptedSocket().say(LIVE);
  admin.follow(socket.client);
  socket.say({ type: 'snapshot', vms: [row(2)], presence: [], more: false, cursor: 'c' });
  t.same(found(admin, row(2)), []);
  socket.say({ type: 'feed', live: false });
  t.match(found(admin, row(2)), [{ kind: 'diverged', client: 'admin' }], 'a gap that stays');
});

t.test('a socket that goes backwards', async (t) => {
  const audit = [event(1, undefined, 'insert'), event(2), event(3)];
  const found = (witness: Witness, events = audit) =>
    findViolations([witness], buildTable(row(3)), events);
  const backwards = [{ kind: 'backwards', about: 'vm-1' }];
  t.match(found(agent(row(2), row(1), row(3))), backwards);
  t.match(found(agent(row(2), row(7), row(3))), backwards, 'from what never was');

  const risen = agent(row(3));
  const socket = new ScriptedSocket().say(LIVE);
  risen.follow(socket.client);
  t.same(found(risen.fold()).length, 1, 'another socket may know less');
  socket.vm(row(3)).say(ABSENT).vm(row(3));
  t.match(found(risen), backwards, 'a row that was raised from the dead');
  risen.forgive();
  t.same(found(risen), [], 'or the database went back');

  const admin = new Witness('admin');
  const told = new ScriptedSocket().say(LIVE);
  admin.follow(told.client);
  told.say({ type: 'snapshot', vms: [row(3)], presence: [], more: false, cursor: 'c' });
  const presence = { op: 'presence', hostname: 'vm-1', online: true };
  for (const change of [presence, { op: 'upsert', vm: row(3) }])
    told.say({ type: 'changes', changes: [change], cursor: 'c' });
  t.same(found(admin), [], 'an agent that comes is no row that goes');

  const crossed = [event(1, undefined, 'insert'), event(3), event(2, undefined, 'insert')];
  const late = findViolations([agent(row(1), row(3), row(2))], buildTable(row(2)), crossed);
  t.same(late, [], 'a lower version that did come later');
});

t.test('an assignment that was not delivered', async (t) => {
  const audit = [event(1, undefined, 'insert'), event(2, 'a')];
  const found = findViolations([agent(row(1))], buildTable(row(2, 'a')), audit);
  t.match(found, [{ kind: 'diverged' }, { kind: 'undelivered', about: 'vm-1' }]);
});

t.test('an assignment that never was', async (t) => {
  const audit = [event(1, undefined, 'insert'), event(3, 'a')];
  const found = findViolations([agent(row(2, 'x'), row(3, 'a'))], buildTable(row(3, 'a')), audit);
  t.match(found, [{ kind: 'unknown assignment', about: 'x' }]);
});

t.test('a real gateway', async (t) => {
  const database = await startDatabase(t);
  const gateway = await startGateway(t, database);
  const checker = await watch(t, gateway, ['vm-1']);
  await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
  await database.query(`UPDATE vms SET status = 'in-use', crd_command = 'x'`);
  await checker.settled(database);
  t.same(await checker.violations(database), []);
  t.equal(checker.sockets, 3);
  await checker.knowOnline(new Set(['vm-1']));
  await database.query(`DELETE FROM vms`);
  await checker.settled(database);
  t.same(await checker.violations(database), []);
  await database.query('DELETE FROM vm_events');
  const kinds = (await checker.violations(database)).map(({ kind }) => kind);
  t.same(kinds, Array(3).fill('unknown assignment'), 'where the audit lost it');
});
