// The kustomize base and overlay: what kubectl makes of them has the types of the API, field by
// field, and its parts fit.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { parse, parseAllDocuments } from 'yaml';
import { deployed, lacking } from './deployed.js';

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: Deployment['spec'];
}
interface Deployment {
  readonly spec: {
    readonly replicas?: number;
    readonly maxUnavailable?: number;
    readonly template?: {
      readonly spec: {
        readonly terminationGracePeriodSeconds?: number;
        readonly containers: readonly [
          {
            readonly image: string;
            readonly lifecycle?: { preStop: { exec: { command: string[] } } };
          },
        ];
      };
    };
  };
}

function kustomize(folder: string): Manifest[] {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', folder], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}

/** Where the API's types are, by `apiVersion`. Kinds of operators have none here. */
const MODULES: Readonly<Record<string, string>> = {
  v1: 'v1',
  'apps/v1': 'apps/v1',
  'batch/v1': 'batch/v1',
  'policy/v1': 'policy/v1',
  'networking.k8s.io/v1': 'networking.k8s.io/v1',
};

/**
 * Compiles the manifests as literals of their types: a field that is misspelled, misplaced or
 * missing is an error.
 */
function typeErrors(manifests: readonly Manifest[]): string[] {
  const lines = manifests
    .filter(({ apiVersion }) => apiVersion in MODULES)
    .map(
      (manifest, n) =>
        `import type { I${manifest.kind} as T${n} } from 'kubernetes-models/${MODULES[manifest.apiVersion]}';\n` +
        `export const m${n}: T${n} = ${JSON.stringify(manifest)};\n`,
    );
  const path = join(import.meta.dirname, 'manifests.ts');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
  };
  const host = ts.createCompilerHost(options);
  const readFile = host.readFile.bind(host);
  const fileExists = host.fileExists.bind(host);
  const source = lines.join('');
  host.readFile = (name) => (name === path ? source : readFile(name));
  host.fileExists = (name) => name === path || fileExists(name);
  host.getSourceFile = (name, target) => {
    const text = host.readFile(name);
    return text === undefined ? undefined : ts.createSourceFile(name, text, target);
  };
  const program = ts.createProgram([path], options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

/** The manifests as they stand, for machines without kubectl. */
async function readManifests(...names: string[]): Promise<Manifest[]> {
  const texts = await Promise.all(names.map((name) => deployed(`kubernetes/${name}.yaml`)));
  return texts.map((text) => parse(text) as Manifest);
}

t.test('the files have the types of the API, and select the pods of the gateway', async (t) => {
  const names = ['base/account', 'base/deployment', 'base/disruption', 'production/network'];
  const manifests = await readManifests(...names);
  const [, deployment, disruption, network] = manifests;
  // kustomize adds the selector and the labels of the deployment.
  t.same(typeErrors(manifests.filter((manifest) => manifest !== deployment)), []);
  const selector = { matchLabels: { 'app.kubernetes.io/name': 'lablink-gateway' } };
  t.match(disruption, { spec: { selector } });
  t.match(network, { spec: { podSelector: selector, policyTypes: ['Ingress', 'Egress'] } });
  t.match(deployment, {
    spec: {
      template: {
        spec: { serviceAccountName: 'lablink-gateway', automountServiceAccountToken: false },
      },
    },
  });
  const { resources } = parse(await deployed('kubernetes/production/kustomization.yaml')) as {
    resources: string[];
  };
  t.ok(resources.includes('network.yaml'));
});

t.test('a policy lets in the ingress and Prometheus alone, and names every port', async (t) => {
  const [network] = await readManifests('production/network');
  const { ingress, egress } = network?.spec as unknown as {
    ingress: {
      from: { namespaceSelector: { matchLabels: Record<string, string> } }[];
      ports: object[];
    }[];
    egress: { ports: { port: number }[] }[];
  };
  t.same(
    ingress.flatMap(({ from }) =>
      from.map((peer) => Object.values(peer.namespaceSelector.matchLabels)),
    ),
    [['ingress-nginx'], ['monitoring']],
  );
  t.same(
    ingress.map(({ ports }) => ports),
    [[{ port: 'http', protocol: 'TCP' }]],
  );
  t.same(
    egress.map(({ ports }) => ports.map(({ port }) => port)),
    [[53, 53], [5432]],
  );
});

t.test('the overlay', { skip: lacking('kubectl', 'version', '--client') }, async (t) => {
  const manifests = kustomize('deploy/kubernetes/production');
  const migrate = parse(await deployed('kubernetes/migrate.yaml')) as Manifest;
  const find = (kind: string): Manifest | undefined =>
    manifests.find((manifest) => manifest.kind === kind);
  const pod = find('Deployment')?.spec?.template?.spec;

  t.test('has the types of the API, and so has the job', async (t) => {
    const deployment = find('Deployment');
    const misspelled = { ...deployment, spec: { ...deployment?.spec, replica: 3 } } as Manifest;
    t.match(typeErrors([...manifests, migrate, misspelled]), {
      0: `'"replica"' does not exist in type 'IDeploymentSpec'`,
      length: 1,
    });
    const other = manifests.filter(({ apiVersion }) => !(apiVersion in MODULES));
    t.same(
      other.map(({ kind }) => kind),
      ['ExternalSecret'],
    );
  });

  t.test('lets a gateway drain before it is ended', async (t) => {
    const { terminationGracePeriodSeconds = 0, containers } = pod ?? {};
    const pause = Number(containers?.[0].lifecycle?.preStop.exec.command[1]);
    const drain = Number(find('ConfigMap')?.data?.DRAIN_SECONDS);
    t.ok(terminationGracePeriodSeconds > pause + drain + 5);
  });

  t.test('keeps more gateways than may be away at once', async (t) => {
    const { maxUnavailable = Infinity } = find('PodDisruptionBudget')?.spec ?? {};
    t.ok((find('Deployment')?.spec?.replicas ?? 0) > maxUnavailable);
  });

  t.test('migrates with the image that it runs', async (t) => {
    const image = pod?.containers[0].image;
    t.equal(migrate.spec?.template?.spec.containers[0].image, image);
  });

  t.end();
});
