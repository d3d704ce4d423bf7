import t from 'tap';
import { bannerText } from '../../src/cli/banner.js';

const banner = {
  url: 'http://127.0.0.1:8080',
  database: 'as configured',
  psql: undefined,
  token: undefined,
  signs: true,
  local: false,
  loopback: true,
};

t.test('it says what runs where', async (t) => {
  const text = bannerText(banner);
  t.match(text, banner.url);
  t.match(text, banner.database);
});

t.test('a token stands there only when one is given', async (t) => {
  t.notMatch(bannerText(banner), 'Bearer');
  t.match(bannerText({ ...banner, token: 'a.b.c' }), /Bearer a\.b\.c' http:.*\/v1\/vms/);
});

t.test('the dashboard is linked, signed in only where nobody else can follow', async (t) => {
  t.match(bannerText(banner), /Dashboard +http:\/\/127\.0\.0\.1:8080\/\n/);
  const signedIn = { ...banner, token: 'a.b.c' };
  t.match(bannerText(signedIn), 'http://127.0.0.1:8080/#token=a.b.c');
  t.notMatch(bannerText({ ...signedIn, loopback: false }), '#token');
});

t.test('what finds the database by itself is offered only where it does', async (t) => {
  t.notMatch(bannerText(banner), 'watch vm-1');
  t.match(bannerText({ ...banner, local: true }), /db sql ".*" *\) & .* watch vm-1/);
});

t.test('the way to the embedded database is told', async (t) => {
  t.match(bannerText({ ...banner, psql: 'psql -h /run/x' }), 'psql -h /run/x');
});

t.test(
  'where tokens are only verified it says so, and offers nothing that signs one',
  async (t) => {
    t.notMatch(bannerText({ ...banner, local: true }), 'JWT_PUBLIC_KEY');
    const text = bannerText({ ...banner, signs: false, local: true });
    t.match(text, /signed elsewhere: JWT_PUBLIC_KEY/);
    t.notMatch(text, 'watch vm-1');
  },
);
