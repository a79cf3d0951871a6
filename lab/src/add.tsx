/** Add: packages by name, with completion; the plan first. */

import * as React from 'react';

import { ITabProps } from './tabs';
import { Field, Line } from './parts';
import { lineOf, wordsOf } from './words';

const PAUSE = 150; // milliseconds without a key before completions are asked for

export function Add({ kernel, trans }: ITabProps) {
  const [text, setText] = React.useState('');
  const [manager, setManager] = React.useState('');
  const [offered, setOffered] = React.useState<string[]>([]);
  const managers = [...new Set(kernel.drifts.flatMap(drift => drift.managers))];
  const flags = manager ? [`--${manager}`] : [];
  const words = [...flags, ...wordsOf(text)];
  const isEmpty = words.length === flags.length;

  React.useEffect(() => {
    const cut = text.search(/\S*$/);
    const head = text.slice(0, cut);
    const token = text.slice(cut);
    let isLate = false;
    const timer = setTimeout(async () => {
      if (token.length > 1) {
        const more = { token };
        const found = await kernel.link
          .ask<string[]>('install', [...flags, ...wordsOf(head)], more)
          .catch(() => []); // a name can be typed without
        if (!isLate) {
          setOffered(found.slice(0, 50).map(each => head + each));
        }
      } else {
        setOffered([]);
      }
    }, PAUSE);
    return () => {
      isLate = true;
      clearTimeout(timer);
    };
  }, [text, manager, kernel]);

  const plan = () => {
    if (!isEmpty) {
      void kernel.plan('install', words);
    }
  };
  return (
    <form
      onSubmit={event => {
        event.preventDefault();
        plan();
      }}
    >
      <Field
        label={trans.__('Packages')}
        value={text}
        onChange={setText}
        placeholder="pymongo 'numpy>=2'"
        offered={offered}
      />
      <Field
        label={trans.__('Manager')}
        value={manager}
        onChange={setManager}
        options={[{ value: '', label: trans.__('what fits the environment') }, ...managers.map(value => ({ value }))]}
      />
      {!isEmpty && <Line text={lineOf('install', words)} trans={trans} />}
      <div className="jp-jstackmagic-buttons">
        <button type="submit" className="jp-mod-styled jp-mod-accept" disabled={isEmpty}>
          {trans.__('Show the plan …')}
        </button>
      </div>
    </form>
  );
}
