// The rules of plain English that a machine can check, each a plugin of retext. Errors fail the
// check; the length of a sentence is a warning.

import { toString } from 'nlcst-to-string';
import { visit } from 'unist-util-visit';

const MAX_WORDS = 25;
/** Words to avoid, and what to write instead. */
const WORDS = [
  [/\bwhoever\b/i, 'write "the client" or "the user"'],
  [/\bwhom\b/i, 'name the client, the session or the process'],
  [/\b(nobody|no one)\b/i, 'write "no process", "no caller" or "unused"'],
  [/\b(somebody|someone)\b/i, 'name the client, the user or the process'],
  [/\banew\b/i, 'write "again"'],
  [/\bnone that\b/i, 'write "no … that"'],
  [/\bof which\b/i, 'begin a sentence of its own'],
  [/\b(tell|tells|told|telling)\b/i, 'write "send", "notify", "log", "return" or "report"'],
  [/\b(he|she|his|her|hers|him)\b/i, 'write "they"'],
  [/^(Undefined|Null): /, 'write "undefined if …"'],
];
const OPENINGS = /^(Of|One|Those|What of|Who|Whoever)\b(?!['’-])/;

export function forbiddenWords() {
  return (tree, file) => {
    visit(tree, 'SentenceNode', (sentence) => {
      const text = readSentence(sentence);
      for (const [pattern, advice] of WORDS) {
        const found = pattern.exec(text);
        if (found !== null) report(file, sentence, 'word', `"${found[0].trim()}": ${advice}`);
      }
    });
  };
}

export function forbiddenOpenings() {
  return (tree, file) => {
    visit(tree, 'SentenceNode', (sentence) => {
      const found = OPENINGS.exec(readSentence(sentence));
      if (found !== null) {
        report(file, sentence, 'opening', `a sentence opens with "${found[0]}": name its subject`);
      }
    });
  };
}

export function sentenceLength() {
  return (tree, file) => {
    visit(tree, 'SentenceNode', (sentence) => {
      const words = sentence.children.filter(({ type }) => type === 'WordNode').length;
      if (words > MAX_WORDS) {
        const advice = `a sentence of ${words} words; ${MAX_WORDS} are enough`;
        report(file, sentence, 'length', advice);
      }
    });
  };
}

/** The text of a sentence. Code in it is no word of ours, and stands as a dash. */
function readSentence(sentence) {
  const children = sentence.children.filter(({ type }) => type !== 'SourceNode');
  const text = children.length < sentence.children.length ? replaceCode(sentence) : sentence;
  return toString(text).replace(/\s+/g, ' ').trim();
}

function replaceCode(sentence) {
  const children = sentence.children.map((child) =>
    child.type === 'SourceNode' ? { ...child, value: '–' } : child,
  );
  return { ...sentence, children };
}

function report(file, node, rule, reason) {
  const message = file.message(reason, { place: node.position, ruleId: rule });
  message.fatal = false;
}
