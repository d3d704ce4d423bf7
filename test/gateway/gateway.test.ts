import t from 'tap';
import { startDatabase } from '../helpers/database.js';
import { startGateway } from '../helpers/gateway.js';

const database = await startDatabase(t);

t.test(
  'a row changed by anyone is pushed to the VM it concerns and to every dashboard',
  async (t) => {
    const gateway = await startGateway(t, database);
    const agent = await gateway.connect('/v1/vms/vm-1', 'agent', 'vm-1');
    t.match(await agent.next(), { type: 'welcome', protocol: 'lablink.v1', live: true });
    t.same(await agent.next(), { type: 'absent', hostname: 'vm-1' });
    const dashboard = await gateway.connect('/v1/vms', 'dashboard');
    t.match(await dashboard.next(), { type: 'welcome' });
    t.match(await dashboard.next(), { type: 'snapshot', vms: [], presence: [], more: false });

    await database.query(`INSERT INTO vms (hostname, status) VALUES ('vm-1', 'available')`);
    t.match(await agent.next(), { type: 'status', vm: { hostname: 'vm-1', status: 'available' } });
    await database.query(
      `UPDATE vms SET status = 'in-use', email = 'a@b.c', crd_command = 'run' WHERE hostname = 'vm-1'`,
    );
    t.match(await agent.next(), {
      type: 'assignment',
      vm: { hostname: 'vm-1', status: 'in-use', email: 'a@b.c', crd_command: 'run' },
    });
    const seen = await dashboard.next(
      (message) => message.type === 'changes' && JSON.stringify(message).includes('in-use'),
    );
    t.notMatch(JSON.stringify(seen), 'crd_command');

    await database.query('DELETE FROM vms');
    t.same(await agent.next(), { type: 'absent', hostname: 'vm-1' });
  },
);
