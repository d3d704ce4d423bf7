// The Helm chart makes the same as the kustomize base. Without helm, the few forms of a template
// that the chart uses are evaluated here; with helm, its own result is compared too.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import t from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import { deployed, lacking } from './deployed.js';

const CHART = 'helm/lablink-gateway';
type Values = Readonly<Record<string, unknown>>;
interface Manifest {
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly data?: Values;
  readonly spec?: Values;
}

const chart = parse(await deployed(`${CHART}/Chart.yaml`)) as { version: string };
const defaults = parse(await deployed(`${CHART}/values.yaml`)) as Values;

/** Follows `.Values.a.b`. A name that no value has is a mistake. */
function look(path: string, values: Values): unknown {
  if (path === '.Chart.AppVersion') return chart.version;
  let value: unknown = { Values: values };
  for (const name of path.slice(1).split('.')) {
    if (typeof value !== 'object' || value === null || !(name in value)) {
      throw new Error(`values.yaml lacks ${path}`);
    }
    value = (value as Values)[name];
  }
  return value;
}

function evaluate(expression: string, values: Values): string {
  const [first = '', ...filters] = expression.split('|').map((part) => part.trim());
  const [, json, path = ''] = /^(toJson )?(\.[\w.]+)$/.exec(first) ?? [];
  const found = look(path, values);
  let text = json === undefined ? String(found) : JSON.stringify(found);
  for (const filter of filters) {
    const [, fallback] = /^default (\S+)$/.exec(filter) ?? [];
    if (fallback !== undefined) text = text === '' ? evaluate(fallback, values) : text;
    else if (filter === 'sha256sum') text = createHash('sha256').update(text).digest('hex');
    else throw new Error(`the filter ${filter} is unknown here`);
  }
  return text;
}

const CONDITION = /^\s*# \{\{ if (not )?(\S+) \}\}$/;
const END = /^\s*# \{\{ end \}\}$/;

function render(template: string, values: Values): string {
  const kept: string[] = [];
  const conditions: boolean[] = [];
  for (const line of template.split('\n')) {
    const [condition, not, path = ''] = CONDITION.exec(line) ?? [];
    if (condition !== undefined) conditions.push((look(path, values) === true) !== Boolean(not));
    else if (END.test(line)) conditions.pop();
    else if (!conditions.includes(false)) {
      kept.push(
        line.replace(/\{\{ (.*?) \}\}/g, (_all, expression: string) =>
          evaluate(expression, values),
        ),
      );
    }
  }
  if (conditions.length > 0) throw new Error('an if has no end');
  return kept.join('\n');
}

async function renderChart(values: Values): Promise<Manifest[]> {
  const names = (await readdir(`deploy/${CHART}/templates`)).sort();
  const texts = await Promise.all(names.map((name) => deployed(`${CHART}/templates/${name}`)));
  return texts
    .map((text) => parse(render(text, values)) as Manifest | null)
    .filter((manifest) => manifest !== null);
}

/** Everything on. */
const ALL = Object.fromEntries(
  Object.entries(defaults).map(([name, value]) => [
    name,
    typeof value === 'object' && value !== null && 'enabled' in value
      ? { ...value, enabled: true }
      : value,
  ]),
);

const find = (manifests: readonly Manifest[], kind: string): Manifest | undefined =>
  manifests.find((manifest) => manifest.kind === kind);

t.test('the chart makes the same as kustomize', async (t) => {
  const manifests = await renderChart(defaults);
  const read = async (name: string): Promise<Manifest> =>
    parse(await deployed(`kubernetes/${name}.yaml`)) as Manifest;

  interface Pod {
    readonly template: { readonly spec: { readonly containers: readonly [Values] } };
  }
  const podOf = (manifest: Manifest | undefined) =>
    (manifest?.spec as unknown as Pod).template.spec;
  const [container] = podOf(await read('base/deployment')).containers;
  t.match(podOf(find(manifests, 'Deployment')), {
    ...podOf(await read('base/deployment')),
    containers: [{ ...container, image: `registry.example.org/lablink-gateway:${chart.version}` }],
  });
  t.match(find(manifests, 'Deployment'), {
    spec: {
      replicas: 3,
      selector: { matchLabels: { 'app.kubernetes.io/name': 'lablink-gateway' } },
      template: { metadata: { labels: { 'app.kubernetes.io/name': 'lablink-gateway' } } },
    },
  });
  t.same(podOf(find(manifests, 'Job')), podOf(await read('migrate')));
  t.same(find(manifests, 'PodDisruptionBudget')?.spec, (await read('base/disruption')).spec);
  t.same(find(manifests, 'NetworkPolicy')?.spec, (await read('production/network')).spec);
  const kustomization = parse(await deployed('kubernetes/base/kustomization.yaml')) as {
    configMapGenerator: [{ literals: string[] }];
  };
  t.same(
    Object.entries(find(manifests, 'ConfigMap')?.data ?? {}).map((entry) => entry.join('=')),
    kustomization.configMapGenerator[0].literals,
  );
  t.notOk(find(manifests, 'HorizontalPodAutoscaler'));
});

t.test('what a cluster switches on is there, and a value that is missing is noticed', async (t) => {
  const manifests = await renderChart(ALL);
  t.match(find(manifests, 'HorizontalPodAutoscaler'), {
    spec: { minReplicas: 3, metrics: [{ pods: { metric: { name: 'lablink_sessions' } } }] },
  });
  t.notOk('replicas' in (find(manifests, 'Deployment')?.spec ?? {}), 'the autoscaler sets them');
  t.ok(find(manifests, 'PodMonitor'));
  const { rules } = (find(manifests, 'Ingress')?.spec ?? {}) as { rules: { http: object }[] };
  t.notMatch(JSON.stringify(rules), '"/metrics"');
  await t.rejects(renderChart({ ...defaults, image: {} }), /lacks .Values.image/);
});

t.test('the version is that of the package', async (t) => {
  const { version } = parse(await deployed('../package.json')) as { version: string };
  t.match(parse(await deployed(`${CHART}/Chart.yaml`)), { version, appVersion: version });
});

t.test('helm makes the same of it', { skip: lacking('helm', 'version') }, async (t) => {
  const { stdout, stderr } = spawnSync('helm', ['template', 'x', `deploy/${CHART}`], {
    encoding: 'utf8',
  });
  const made = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
  const kinds = (manifests: readonly Manifest[]) => manifests.map(({ kind }) => kind).sort();
  t.same(kinds(made), kinds(await renderChart(defaults)));
  t.equal(stderr, '');
});

t.test('a release publishes after all checks, with provenance for both platforms', async (t) => {
  const text = await deployed('../.github/workflows/release.yml');
  const { jobs } = parse(text) as { jobs: Record<string, { needs?: string | string[] }> };
  for (const [name, { needs = [] }] of Object.entries(jobs)) {
    if (name === 'checks') continue;
    const before = [needs].flat();
    t.ok(before.includes('checks') || before.includes('package'), `${name} waits for the checks`);
  }
  for (const part of ['--provenance', 'linux/amd64,linux/arm64', 'sbom: true', 'sha256sum'])
    t.ok(text.includes(part), part);
});
