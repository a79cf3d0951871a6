/** Drift: what differs from the image, and what nobody recorded. */

import * as React from 'react';

import { Line, Signed, Two, versionOf } from './parts';
import { IDifference } from './schema';
import { ITabProps } from './tabs';
import { Windowed } from './windowed';
import { lineOf } from './words';

const ROW = 44;

export function Drift(props: ITabProps) {
  const { kernel, trans } = props;
  const [selected, setSelected] = React.useState('');
  const differences = React.useMemo(
    () => kernel.drifts.flatMap(drift => drift.differences),
    [kernel.drifts]
  );
  const evidence = kernel.drifts.flatMap(drift => Object.entries(drift.evidence));
  return (
    <>
      <p role="status">
        {trans._n('%1 package differs from the beginning.', '%1 packages differ from the beginning.', differences.length)}
      </p>
      <ul className="jp-jstackmagic-evidence">
        {evidence.map(([manager, words]) => (
          <li key={manager}>{trans.__('%1 is measured from %2', manager, words)}</li>
        ))}
      </ul>
      <Windowed
        items={differences}
        height={ROW}
        label={trans.__('Differences')}
        keyOf={keyOf}
        selected={selected}
        onSelect={setSelected}
      >
        {each => (
          <Two>
            <Signed before={each.before} now={each.now} trans={trans} />
            {versionOf(each.before, each.now)}
            {(each.now ?? each.before)!.manager}
            <span className="jp-jstackmagic-status" data-status={each.record ? 'ok' : 'found'}>
              {each.record || trans.__('recorded by nobody')}
            </span>
          </Two>
        )}
      </Windowed>
      <Adopt {...props} />
    </>
  );
}

/** What nobody recorded, and the button that records it. */
export function Adopt({ kernel, model, trans }: ITabProps) {
  const differences = kernel.drifts.flatMap(drift => drift.differences);
  const count = differences.filter(each => !each.record).length;
  if (!count) {
    return null;
  }
  return (
    <>
      <p>{trans._n('Nobody recorded %1 change.', 'Nobody recorded %1 changes.', count)}</p>
      <Line text={lineOf('diff', ['--adopt'])} trans={trans} />
      <div className="jp-jstackmagic-buttons">
        <button
          className="jp-mod-styled"
          onClick={() => void kernel.run('diff', ['--adopt'], model.notebook!)}
        >
          {trans.__('Adopt them')}
        </button>
      </div>
    </>
  );
}

function keyOf(each: IDifference): string {
  const found = (each.now ?? each.before)!;
  return `${found.manager}:${found.name}`;
}
