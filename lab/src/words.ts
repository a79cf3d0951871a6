/** Words of a verb's line, as IPython reads it. */

/** Anything else is put between quotes. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/**
 * Return the line that does it: `%envinstall 'numpy>=2'`.
 *
 * Each word reaches the verb as it is: IPython fills in what stands after a dollar sign or in
 * braces, and then the verb's own reader takes quotes as a shell does.
 *
 * @throws Error - a word has a control character, with which a line would end
 */
export function lineOf(verb: string, words: string[]): string {
  return [`%env${verb}`, ...words.map(quoted)].join(' ');
}

function quoted(word: string): string {
  // eslint-disable-next-line no-control-regex
  if (/[\x00-\x1f\x7f\u0085\u2028\u2029]/.test(word)) {
    throw new Error(`A control character is in ${JSON.stringify(word)}.`);
  }
  const bare = PLAIN.test(word) ? word : `'${word.replace(/'/g, `'"'"'`)}'`;
  // a doubled dollar sign is one or two, as the quotes around it fall; an expression is one always
  return bare.replace(/[{}$]/g, each => (each === '$' ? '{"$"}' : each + each));
}

/** Return the words of a text: white space separates them, unless it is between quotes. */
export function wordsOf(text: string): string[] {
  const found = text.match(/(?:[^\s'"]|'[^']*'?|"[^"]*"?)+/g) ?? [];
  return found.map(word => word.replace(/'([^']*)'?|"([^"]*)"?/g, (_, one, two) => one ?? two ?? ''));
}
