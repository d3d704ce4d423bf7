// Prometheus' text format, as far as a gateway writes it (Prometheus, "Exposition formats").

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** The value of each series, by its name and labels as they are written. */
  readonly series: ReadonlyMap<string, number>;
}

/** Reads a whole exposition; throws at a line that is none of the format's. */
export function parseMetrics(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let help: readonly [string, string] = ['', ''];
  let current: (Family & { series: Map<string, number> }) | undefined;
  for (const line of text.split('\n').filter((line) => line !== '')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\w+) (.*)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      help = [name, rest];
    } else if (keyword === 'TYPE') {
      if (help[0] !== name || families.has(name)) throw new Error(`not one family: ${line}`);
      current = { name, type: rest, help: help[1], series: new Map() };
      families.set(name, current);
    } else {
      const [, series = '', value] = /^(\w+(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      if (current === undefined || !series.startsWith(current.name)) throw new Error(line);
      current.series.set(series, Number(value));
    }
  }
  return families;
}

/** The names of a family's labels; a histogram's `le` is none. */
export function listLabels({ series }: Family): string[] {
  const names = [...series.keys()].flatMap((key) =>
    [...key.matchAll(/(\w+)="/g)].map(([, name = '']) => name),
  );
  return [...new Set(names)].filter((name) => name !== 'le');
}
