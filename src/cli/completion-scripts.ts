// Builds the scripts with which shells complete a command line, from the tree of commands. Each
// script is complete in itself and never starts the program. Pure.

/** A command, its options, and its own subcommands. */
export interface CompletionNode {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletionOption[];
  readonly children: readonly CompletionNode[];
}

export interface CompletionOption {
  /** Such as `--json`. */
  readonly flag: string;
  readonly description: string;
  /** Whether a value follows. */
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** @param program the name of the command in the shell */
export function buildCompletion(shell: Shell, program: string, root: CompletionNode): string {
  const builders = { bash: buildBash, zsh: buildZsh, fish: buildFish };
  return builders[shell](program, root);
}

interface Place {
  /** The names from the root, as in `db backup`; empty for the root. */
  readonly path: string;
  readonly node: CompletionNode;
}

function listPlaces(node: CompletionNode, path = ''): Place[] {
  const below = node.children.flatMap((child) =>
    listPlaces(child, path === '' ? child.name : `${path} ${child.name}`),
  );
  return [{ path, node }, ...below];
}

const listWords = ({ children, options }: CompletionNode): string[] => [
  ...children.map(({ name }) => name),
  ...options.map(({ flag }) => flag),
];

/** Quotes for bash, zsh and fish, which agree on single quotes but for the quote itself. */
const quote = (text: string): string => `'${text.replace(/['\\]/g, '')}'`;

/** The case branches that set `words` for each place, and `values` for each option with a value. */
function buildCases(root: CompletionNode): { readonly words: string; readonly values: string } {
  const places = listPlaces(root);
  const words = places.map(
    ({ path, node }) => `    ${quote(path)}) words=${quote(listWords(node).join(' '))} ;;`,
  );
  const values = places.flatMap(({ path, node }) =>
    node.options
      .filter(({ takesValue }) => takesValue)
      .map(({ flag, choices }) =>
        choices.length === 0
          ? `    ${quote(`${path} ${flag}`.trim())}) files=1 ;;`
          : `    ${quote(`${path} ${flag}`.trim())}) words=${quote(choices.join(' '))} ;;`,
      ),
  );
  return { words: words.join('\n'), values: values.join('\n') };
}

/** Reads the path: the words before the cursor that name a command, one after the other. */
const READ_PATH = (root: CompletionNode, all: string, first: string): string => {
  const paths = listPlaces(root)
    .filter(({ path }) => path !== '')
    .map(({ path }) => quote(path));
  return `  for word in ${all}; do
    case "\${place:+$place }$word" in
    ${paths.join('|')}) place="\${place:+$place }$word" ;;
    esac
  done
  case "\${place:+$place }${first}" in
${buildCases(root).values}
    *)
    case "$place" in
${buildCases(root).words}
    esac ;;
  esac`;
};

function buildBash(program: string, root: CompletionNode): string {
  const name = `_${program.replace(/\W/g, '_')}`;
  return `# bash completion for ${program}: eval "$(${program} completion bash)"
${name}() {
  local word place= words= files=
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
${READ_PATH(root, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"', '$before')}
  if [ -n "$files" ]; then COMPREPLY=($(compgen -f -- "$current"))
  else COMPREPLY=($(compgen -W "$words" -- "$current")); fi
}
complete -o bashdefault -o default -F ${name} ${program}
`;
}

function buildZsh(program: string, root: CompletionNode): string {
  const name = `_${program.replace(/\W/g, '_')}`;
  return `#compdef ${program}
# zsh completion for ${program}: source <(${program} completion zsh)
${name}() {
  local word place= words_found= files=
  local before="\${words[CURRENT-1]}"
${READ_PATH(root, '"${(@)words[2,CURRENT-1]}"', '$before').replaceAll(' words=', ' words_found=')}
  if [[ -n "$files" ]]; then _files
  else compadd -- \${=words_found}; _files; fi
}
if (( $+functions[compdef] )); then compdef ${name} ${program}; fi
`;
}

function buildFish(program: string, root: CompletionNode): string {
  const lines = listPlaces(root).flatMap(({ path, node }) => {
    const condition = quote(formatFishCondition(path, root));
    const children = node.children.map(
      ({ name, description }) =>
        `complete -c ${program} -n ${condition} -f -a ${quote(name)} -d ${quote(description)}`,
    );
    const options = node.options.map(({ flag, description, takesValue, choices }) => {
      const value = takesValue ? ' -r' : '';
      const values = choices.length === 0 ? '' : ` -f -a ${quote(choices.join(' '))}`;
      const long = flag.replace(/^--/, '');
      return `complete -c ${program} -n ${condition} -l ${long}${value}${values} -d ${quote(description)}`;
    });
    return [...children, ...options];
  });
  return `# fish completion for ${program}: ${program} completion fish | source
${lines.join('\n')}
`;
}

/** Each name of the path was seen; at the root, none of the commands. */
function formatFishCondition(path: string, root: CompletionNode): string {
  if (path === '')
    return `not __fish_seen_subcommand_from ${root.children.map(({ name }) => name).join(' ')}`;
  return path
    .split(' ')
    .map((name) => `__fish_seen_subcommand_from ${name}`)
    .join('; and ');
}
